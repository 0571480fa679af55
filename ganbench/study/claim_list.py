"""The list of all claims that the studies are there to decide: identifier, source and statement of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator, model_validator

from ganbench.core.errors import GanbenchError
from ganbench.study.claims import Claim, Id, unique_ids
from ganbench.study.strict_yaml import bullet_list, describe_errors, read_yaml
from ganbench.study.value_types import Section

LIST = Path("config/claims.yaml")


class ListedClaim(Section):
    """A claim as its source makes it."""

    id: Id
    """The identifier: the letter of its group and a number."""
    source: str
    """The source of the statement."""
    statement: Annotated[str, Field(min_length=1)]
    """The statement in words, the same in every study that decides it."""


class ClaimList(Section):
    """All claims, by groups."""

    groups: dict[str, str]
    """Titles of the groups by their letters."""
    claims: list[ListedClaim]
    """The claims, in the order of their groups."""

    @field_validator("claims")
    @classmethod
    def _unique(cls, claims: Sequence[ListedClaim]) -> Sequence[ListedClaim]:
        return unique_ids(claims)

    @model_validator(mode="after")
    def _grouped(self) -> ClaimList:
        for claim in self.claims:
            if claim.id[0] not in self.groups:
                raise ValueError(f"claims: {claim.id} is of no group; groups are {', '.join(self.groups)}")
        return self

    def refuse_other_statements(self, claims: Sequence[Claim]) -> None:
        """Refuse claims of a study that have an identifier of this list and another statement.

        Raises:
            GanbenchError: there is such a claim; the message has both statements.
        """
        known = {claim.id: " ".join(claim.statement.split()) for claim in self.claims}
        for claim in claims:
            given = " ".join(claim.statement.split())
            if given != known.get(claim.id, given):
                raise GanbenchError(
                    f"claims.{claim.id}.statement: is {given!r}, but {LIST} lists this claim as {known[claim.id]!r}; "
                    f"take that sentence, or give the claim an identifier of its own, such as {claim.id}a."
                )


def load_list(path: Path = LIST) -> ClaimList:
    """Read the list of all claims.

    Raises:
        GanbenchError: the file cannot be read, or is not valid.
    """
    try:
        return ClaimList.model_validate(read_yaml(path))
    except ValidationError as error:
        raise GanbenchError(f"{path} is not a valid list of claims:\n{bullet_list(describe_errors(error))}") from None

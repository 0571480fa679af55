"""Which judge a data set has: the study's, where it fits the data, otherwise the data set's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ganbench.core.dataset_specs import DatasetDescription, describe_dataset
from ganbench.core.errors import GanbenchError
from ganbench.core.signatures import parse_signature
from ganbench.study.choices import Choice, parse_choice


def judge_of(chosen: Sequence[Choice] | None, dataset: Choice) -> Choice:
    """The judge of a data set.

    Args:
        chosen: the judges that the study chooses, `evaluate.judge`; None if it chooses none.
        dataset: the data set.

    Returns:
        The first chosen judge that fits the data; the data set's own if none does.

    Raises:
        GanbenchError: the data set's own judge does not exist, or does not fit its data.
    """
    description = describe_dataset(dataset)
    for judge in chosen or ():
        if misfit(judge, description) is None:
            return judge
    own = _own_judge(dataset, description.judge)
    if fault := misfit(own, description):
        raise GanbenchError(f"data set {dataset.signature!r}: its judge {fault}.")
    return own


def known_modes(judge: Choice, dataset: Choice) -> int:
    """The number of modes that a judge tells apart in a data set; 0 without labels, or if it judges by features."""
    return describe_dataset(dataset).modes if _tells_modes(judge) else 0


def misfit(judge: Choice, data: DatasetDescription) -> str | None:
    """Why a judge cannot judge a data set, as a clause that begins with its name; None if it can."""
    axes = judge.component.constants["axes"]
    if axes is not None and axes != len(data.shape):
        return f"{judge.signature} is for examples with {axes} axes, and these have {len(data.shape)}"
    if _tells_modes(judge) and not data.modes:
        return f"{judge.signature} needs labels, and these data have none"
    return None


def validate_judges(chosen: Sequence[Choice] | None, datasets: Iterable[Choice]) -> None:
    """Refuse judges that no data set of a study can have, and data sets without a judge that fits.

    Args:
        chosen: the judges that the study chooses; None if it chooses none.
        datasets: the data sets of the study.

    Raises:
        GanbenchError: a chosen judge is no data set's, or a data set's own judge does not fit.
    """
    taken = {dataset.signature: judge_of(chosen, dataset) for dataset in datasets}
    for judge in chosen or ():
        if judge not in taken.values():
            why = "; ".join(
                f"{dataset.signature}: {misfit(judge, describe_dataset(dataset)) or 'has an earlier one of the list'}"
                for dataset in datasets
            )
            raise GanbenchError(f"evaluate.judge: {judge.signature} judges no data set of the study ({why}).")


def needs_weights(choice: Choice) -> bool:
    """Whether a judge or a metric needs the Inception weights."""
    return choice.component.constants["pretrained"]


def _own_judge(dataset: Choice, text: str) -> Choice:
    try:
        name, options = parse_signature(text)
        return parse_choice("judge", {**options, "name": name})
    except ValueError as error:
        raise GanbenchError(f"data set {dataset.signature!r}: its judge {text!r}: {error}") from None


def _tells_modes(judge: Choice) -> bool:
    return judge.component.constants["tells_modes"]

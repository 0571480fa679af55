"""Trying components of a study one by one, each held to its family's contract, with errors that name file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ganbench.contracts import CONTRACTS, component_fault, supports_fault
from ganbench.contracts.repeatability import world
from ganbench.core.component_errors import contract_message, describe_exception, find_line
from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.core.registry import PACKAGE
from ganbench.pipeline.preflight.limits import WALL, TooLong, limited
from ganbench.study.value_types import Choice

LIMIT_SECONDS = 20.0  # of processor time, for each component and for each method
# What a judge learns and what a diagnostic measures cannot be made small from outside: those of the package, which its
# own tests try, are ended after a while, and the others' authors are told that theirs were.
BRIEF_SECONDS = 5.0

Say = Callable[[dict[str, Any]], None]


class ComponentTrials:
    """Tries components; each once, however many methods are made of it.

    Args:
        say: Told what begins, as {"begin": what, "seconds": its limit}, and what is to be known, as {"note": text}.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self._passed: set[Any] = set()

    def once(self, key: Any, attempt: Callable[[], None]) -> None:
        """Try something unless it has been."""
        if key not in self._passed:
            attempt()
            self._passed.add(key)

    def build(self, where: str, choice: Choice) -> Any:
        """A component's object, of the kind that its family has.

        Raises:
            GanbenchError: Its file cannot be imported, or its class is none of the family's.
        """
        with self.attempt(where, [choice]), world(1) as seen:
            made = choice.build()
        self.refuse(where, choice, component_fault(choice.family, made) or seen.fault)
        return made

    def hold(
        self, where: str, choice: Choice | None, choices: Sequence[Choice], fault: Callable[[], str | None]
    ) -> None:
        """Hold a component to its contract; without one, a method, which may be any component's fault."""
        with self.attempt(where, choices):
            found = fault()
        if choice is None:
            own = [each for each in choices if not each.component.path.is_relative_to(PACKAGE)]
            if found and len(own) != 1:
                files = f" ({', '.join(str(each.component.path) for each in own)})" if own else ""
                raise GanbenchError(f"{where}{files}: {found}.")
            choice = own[0] if own else None
        if choice is not None:
            self.refuse(where, choice, found)

    def refuse(self, where: str, choice: Choice, fault: str | None) -> None:
        """Raise the error of a component's fault, if it has one."""
        if fault:
            raise GanbenchError(contract_message(f"{where}: {_named(choice)}", fault, CONTRACTS[choice.family]))

    def supported(self, where: str, choice: Choice, made: Any, asked: Any) -> str | None:
        """A component's answer whether it supports something."""
        with self.attempt(where, [choice]):
            answer = made.supports(asked)
        self.refuse(where, choice, supports_fault(answer))
        return answer

    def hold_briefly(
        self, where: str, choice: Choice, fault: Callable[[], str | None], *, declines: bool = False
    ) -> None:
        """Hold what cannot be made small to its contract, as far as it comes in a while.

        Args:
            where: The place in the study.
            choice: The component.
            fault: Gives its fault.
            declines: Whether its own refusal is no fault: few examples teach little.
        """
        found = None
        with self.attempt(where, [choice]):
            try:
                with limited(BRIEF_SECONDS):
                    found = fault()
            except TooLong:
                if not choice.component.path.is_relative_to(PACKAGE):
                    note = f"{where}: {choice.component.path} was not done after {BRIEF_SECONDS:g} seconds of processor"
                    self.say({"note": f"{note} time; it was not tried to its end."})
            except GanbenchError:
                if not declines:
                    raise
        self.refuse(where, choice, found)

    @contextmanager
    def attempt(self, where: str, choices: Sequence[Choice], seconds: float = LIMIT_SECONDS) -> Iterator[None]:
        """Turn whatever components raise, or do not end, into an error that names file and line.

        Args:
            where: The place in the study.
            choices: The components that are at work.
            seconds: The processor time that they may take.

        Raises:
            GanbenchError: A component raised something, or did not end in time.
        """
        begun = f"{where}: {' + '.join(_named(choice) for choice in _suspects(choices))}"
        self.say({"begin": begun, "seconds": WALL * seconds})
        try:
            with limited(seconds):
                yield
        except GanbenchError as error:
            text = str(error)
            raise GanbenchError(text if text.startswith(where) else f"{where}: {text}") from error
        except BaseException as error:
            raise _error(where, choices, error) from error


def _error(where: str, choices: Sequence[Choice], error: BaseException) -> GanbenchError:
    """The two lines of an exception that components raised."""
    files = {choice.component.path.resolve(): choice for choice in choices}
    location = find_line(error, files)
    choice = files[location[0]] if location else _suspects(choices)[0]
    line = f", line {location[1]}" if location else ""
    said = describe_exception(error)
    if lacking := out_of_memory(error):
        said = f"needs more memory than a trial may take ({lacking})"
    elif isinstance(error, TooLong):
        said = str(error)
    return GanbenchError(contract_message(f"{where}: {_named(choice)}{line}", said, CONTRACTS[choice.family]))


def _named(choice: Choice) -> str:
    path = choice.component.path
    return f"{choice.family} {choice.component.name if path.is_relative_to(PACKAGE) else path}"


def _suspects(choices: Sequence[Choice]) -> Sequence[Choice]:
    """Those of the components that are a user's own; all, where none is."""
    return [each for each in choices if not each.component.path.is_relative_to(PACKAGE)] or choices

"""Trials of single components, each held to its family's contract, with errors that name file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ganbench.contracts import CONTRACTS, component_fault, supports_fault
from ganbench.contracts.repeatability import world
from ganbench.core.component_errors import contract_message, describe_exception, find_line
from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.pipeline.execution.limits import WALL, TooLong, limited
from ganbench.pipeline.preflight.trial_messages import Begun, Message, Note
from ganbench.study.choices import Choice

LIMIT_SECONDS = 20.0  # limit of processor time for each component and for each method
# The work of a judge or a diagnostic cannot be reduced from outside, so its trial is cut short after this time. For a
# user's component, a note says so; the package's own components have tests.
BRIEF_SECONDS = 5.0

Say = Callable[[Message], None]


class ComponentTrials:
    """Trials of components. A component is tried once, however many methods have it.

    Args:
        say: called with a message when a part begins, and for each note.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self._passed: set[Any] = set()

    def once(self, key: Any, attempt: Callable[[], None]) -> None:
        """Make an attempt unless one with the same key has passed."""
        if key not in self._passed:
            attempt()
            self._passed.add(key)

    def build(self, where: str, choice: Choice) -> Any:
        """Build a component.

        Args:
            where: the place in the study.
            choice: the component.

        Returns:
            The component's object.

        Raises:
            GanbenchError: the component's file cannot be imported, or its class does not fit its family.
        """
        with self.attempt(where, [choice]), world(1) as surroundings:
            made = choice.build()
        self.refuse(where, choice, component_fault(choice.family, made) or surroundings.fault)
        return made

    def hold(
        self,
        where: str,
        choice: Choice | None,
        choices: Sequence[Choice],
        fault: Callable[[], str | None],
        size: float = 1.0,
    ) -> None:
        """Hold a component, or all components of a method together, to a contract.

        Args:
            where: the place in the study.
            choice: the component; None for a method, whose fault may lie in any component.
            choices: the components that are at work.
            fault: a function that returns the fault, or None.
            size: the number of times the usual limit that it may take.

        Raises:
            GanbenchError: there is a fault.
        """
        with self.attempt(where, choices, size=size):
            found = fault()
        if choice is None:
            own = [each for each in choices if not each.component.shipped]
            if found and len(own) != 1:
                files = f" ({', '.join(str(each.component.path) for each in own)})" if own else ""
                raise GanbenchError(f"{where}{files}: {found}.")
            choice = own[0] if own else None
        if choice is not None:
            self.refuse(where, choice, found)

    def refuse(self, where: str, choice: Choice, fault: str | None) -> None:
        """Raise an error if a component has a fault.

        Args:
            where: the place in the study.
            choice: the component.
            fault: the fault; None for no fault.

        Raises:
            GanbenchError: there is a fault.
        """
        if fault:
            raise GanbenchError(contract_message(f"{where}: {_named(choice)}", fault, CONTRACTS[choice.family]))

    def supported(self, where: str, choice: Choice, made: Any, asked: Any) -> str | None:
        """Ask a component whether it supports a data set or a game.

        Args:
            where: the place in the study.
            choice: the component.
            made: the component's object.
            asked: the specification of the data set, or the game.

        Returns:
            The reason why it does not; None if it does.

        Raises:
            GanbenchError: the answer breaks the contract.
        """
        with self.attempt(where, [choice]):
            refusal = made.unsupported(asked)
        self.refuse(where, choice, supports_fault(refusal))
        return refusal

    def hold_briefly(
        self, where: str, choice: Choice, fault: Callable[[], str | None], *, declines: bool = False
    ) -> None:
        """Hold a component to its contract, and cut its trial short after `BRIEF_SECONDS`.

        Args:
            where: the place in the study.
            choice: the component.
            fault: a function that returns the component's fault, or None.
            declines: whether the component may raise a `GanbenchError`, as a judge that has too few examples does.

        Raises:
            GanbenchError: there is a fault.
        """
        found = None
        with self.attempt(where, [choice]):
            try:
                with limited(BRIEF_SECONDS):
                    found = fault()
            except TooLong:
                if not choice.component.shipped:
                    note = f"{where}: {choice.component.path} was not done after {BRIEF_SECONDS:g} seconds of processor"
                    self.say(Note(f"{note} time; it was not tried to its end."))
            except GanbenchError:
                if not declines:
                    raise
        self.refuse(where, choice, found)

    @contextmanager
    def attempt(
        self, where: str, choices: Sequence[Choice], seconds: float | None = LIMIT_SECONDS, *, size: float = 1.0
    ) -> Iterator[None]:
        """Turn any exception of components, and any excess of time, into an error that names file and line.

        Args:
            where: the place in the study.
            choices: the components that are at work.
            seconds: the processor time that they may take, in seconds; None for no limit.
            size: the number of times this limit that they may take.

        Raises:
            GanbenchError: a component raised something, or did not end in time.
        """
        seconds = None if seconds is None else seconds * size
        begun = f"{where}: {' + '.join(_named(choice) for choice in _suspects(choices))}"
        self.say(Begun(begun, None if seconds is None else WALL * seconds))
        try:
            with limited(seconds):
                yield
        except GanbenchError as error:
            text = str(error)
            raise GanbenchError(text if text.startswith(where) else f"{where}: {text}") from error
        except BaseException as error:
            raise _error(where, choices, error) from error


def _error(where: str, choices: Sequence[Choice], error: BaseException) -> GanbenchError:
    """The error to report for an exception that components raised."""
    files = {part.component.path.resolve(): choice for choice in choices for part in (choice, *choice.parts)}
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
    component = choice.component
    return f"{choice.family} {component.name if component.shipped else component.path}"


def _suspects(choices: Sequence[Choice]) -> Sequence[Choice]:
    """The components that are a user's own; all components if there are none."""
    return [each for each in choices if not each.component.shipped] or choices

"""All detectors and their outcomes, in the order of severity, found by file name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from inspect import isclass
from pathlib import Path

from ganbench.analysis import outcomes
from ganbench.analysis.outcomes import Detector, OutcomeInfo

FOLDER = Path(outcomes.__file__).parent


@cache
def detectors() -> tuple[Detector, ...]:
    """One object of every detector, in the order of their files' names."""
    found = []
    for path in sorted(FOLDER.glob("[!_]*.py")):
        module = import_module(f"{outcomes.__name__}.{path.stem}")
        found += [
            value()
            for value in vars(module).values()
            if isclass(value) and value.__module__ == module.__name__ and issubclass(value, Detector)
        ]
    return tuple(found)


@cache
def catalogue() -> dict[str, OutcomeInfo]:
    """Every outcome by name, the most severe first.

    Raises:
        ValueError: two outcomes have one name or one severity, so that neither would be primary.
    """
    infos = [info for detector in detectors() for info in detector.outcomes]
    if len({info.name for info in infos}) < len(infos) or len({info.severity for info in infos}) < len(infos):
        raise ValueError("two outcomes of ganbench.analysis.outcomes have the same name or the same severity")
    return {info.name: info for info in sorted(infos, key=lambda info: -info.severity)}

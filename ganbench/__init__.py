"""ganbench: reproducible studies of how stably GANs train, and of how they fail."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def results(study: Any) -> Any:
    """The results of a study at hand, for notebooks: data frames, samples, arrays and trained networks.

    Args:
        study: the path of the study's file, or the name of a study whose file lies below `config/`.

    Returns:
        A `ganbench.export.results.Results`.

    Raises:
        GanbenchError: there is no such study, or it has no results yet that fit its file and the sources.
    """
    # An import statement would make all that reads the version depend on all that reads results.
    return import_module("ganbench.export.results").read(study)

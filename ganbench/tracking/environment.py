"""MLflow's logs, and its environment variables, which are the only way to change some of its settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

# No usage reports to third parties, and no advertisements on standard output.
QUIET_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# By default, MLflow waits many minutes for a dead server. Variables set by the user are kept.
CONNECT_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
WRITE_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
# No retries by MLflow, since the streaming process retries by itself.
STREAM_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}


@contextmanager
def environment_variables(settings: dict[str, str], *, keep: bool = False) -> Iterator[None]:
    """Set environment variables for a block.

    Args:
        settings: values by name.
        keep: whether variables that are already set keep their values.
    """
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: value for name, value in settings.items() if not keep or before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def silence_logs() -> Iterator[None]:
    """Hide MLflow's logs for a block. Failures reach the user as one error instead."""
    import mlflow  # noqa: F401 - its first import sets the log levels, which are changed below

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3.connectionpool")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""The process that runs a trial, and its reports to the process that started it."""

from __future__ import annotations

import os
import traceback
from typing import Any

from ganbench.core.errors import GanbenchError
from ganbench.pipeline.execution.limits import limit_memory
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.preflight.trial_messages import Failed, Message, Passed, to_line
from ganbench.study.schema import parse


def serve(study: dict[str, Any], report: int, *, here: bool, remeasure: bool) -> None:
    """Try a study, report by messages, of which the last is `Passed` or `Failed`, and end the process.

    Args:
        study: the resolved study.
        report: the file descriptor to write to, since components may print to standard output and error.
        here: whether jobs will run on this machine.
        remeasure: whether to time again what has not changed since an earlier trial.
    """
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a component that reads standard input does not wait
    limit_memory()

    def say(message: Message) -> None:
        os.write(report, to_line(message))

    try:
        plan = Plan(parse(study, origin="the study"))
        say(Passed(*try_study(plan, here=here, remeasure=remeasure, say=say)))
    except GanbenchError as error:
        traceback.print_exception(error)
        say(Failed(str(error)))
    os._exit(0)  # do not wait for threads that components have left running

"""The process that a trial runs in, and what it reports to the one that started it."""

from __future__ import annotations

import os
import traceback
from dataclasses import asdict
from typing import Any

from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.limits import limit_memory
from ganbench.pipeline.preflight.trial import try_study
from ganbench.study.schema import parse


def serve(study: dict[str, Any], report: int, *, here: bool, remeasure: bool) -> None:
    """Try a study, and report in lines of JSON: what begins, notes, and at the end the estimates or the error.

    Args:
        study: The study, resolved.
        report: The file descriptor to write to. Standard output and error are left to whatever components print.
        here: Whether jobs will run on this machine.
        remeasure: Whether to time again what was timed before and has not changed since.
    """
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # who reads from it reads nothing, and does not wait
    limit_memory()

    def say(line: dict[str, Any]) -> None:
        os.write(report, strict_json.dumps(line).encode() + b"\n")

    try:
        estimates, timings = try_study(Plan(parse(study, origin="the study")), here=here, remeasure=remeasure, say=say)
        say({"estimates": [asdict(each) for each in estimates], "timings": asdict(timings)})
    except GanbenchError as error:
        traceback.print_exception(error)
        say({"error": str(error)})
    os._exit(0)  # whatever components have left running

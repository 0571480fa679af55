"""Growth of requests from attempt to attempt: memory doubles after a kill for memory, time after a time-out.

The time of training does not grow, since training goes on from its checkpoint in the next job.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import KILLED, OUT_OF_MEMORY, OUT_OF_TIME, End, Entry

HIGH = 0.4  # share of the requested memory; a job that used less was most likely not killed for memory


def ended_attempts(entry: Entry | None, attempt: int) -> Sequence[End]:
    """How a job's earlier attempts ended.

    Args:
        entry: the journal's entry of the job.
        attempt: the number of the next attempt in this workflow, from 1. From 2 on, a job that is running by its entry
            was started by this workflow and has been killed. At 1, it belongs to another workflow and goes on, unless
            its entry is silent.
    """
    if entry is None:
        return ()
    return entry.past if attempt > 1 or entry.silent else entry.ends


def time_factor(stage: str, ends: Sequence[End]) -> int:
    """The factor by which the time of a request grows."""
    return 1 if stage == "train" else 2 ** journal.ended(ends, OUT_OF_TIME)


def memory_factor(ends: Sequence[End]) -> int:
    """The factor by which the memory of a request grows: it doubles for every attempt that ended for lack of memory.

    One attempt that was killed while it used much less than it had requested, or without a request, is taken to have
    lost its node.
    """
    certain = [end for end in ends if end.how == OUT_OF_MEMORY or (end.how == KILLED and _near_request(end))]
    killed = journal.ended(ends, KILLED, OUT_OF_MEMORY)
    return 2 ** max(len(certain), killed - 1)


def _near_request(end: End) -> bool:
    return end.asked_mb > 0 and end.memory_mb >= HIGH * end.asked_mb

"""What an attempt requests more than the one before: memory doubles after a kill for memory, time after a time-out.

Time that training ran out of is no loss: it goes on in the next job, and requests no more of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import KILLED, OUT_OF_MEMORY, OUT_OF_TIME, End, Entry

HIGH = 0.4  # of the memory requested: who used less when killed was most likely not killed for memory


def ended_attempts(entry: Entry | None, attempt: int) -> Sequence[End]:
    """How a job's earlier attempts ended.

    Args:
        entry: What the journal tells of the job.
        attempt: How often this workflow will have tried it at the next attempt. A job that said it was running just now
            was killed if this workflow had begun it; another one's goes on.
    """
    if entry is None:
        return ()
    return entry.past if attempt > 1 or entry.silent else entry.ends


def time_factor(stage: str, ends: Sequence[End]) -> int:
    """By how much the time of a request grows."""
    return 1 if stage == "train" else 2 ** journal.ended(ends, OUT_OF_TIME)


def memory_factor(ends: Sequence[End]) -> int:
    """By how much the memory of a request grows: it doubles for every attempt that ended for lack of memory.

    Of those killed without a word, the first that was far from what it had requested is taken to have gone down with
    its node.
    """
    sure = [
        end for end in ends if end.how == OUT_OF_MEMORY or (end.how == KILLED and end.memory_mb >= HIGH * end.asked_mb)
    ]
    killed = journal.ended(ends, KILLED, OUT_OF_MEMORY)
    return 2 ** max(len(sure), killed - 1)

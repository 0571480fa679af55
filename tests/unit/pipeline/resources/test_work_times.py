"""The work of packs: results that were taken over count with what they took when they were made."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from ganbench.core import result_files
from ganbench.pipeline.execution import checkpoints
from ganbench.pipeline.execution.checkpoints import checkpointed
from ganbench.pipeline.resources import work_times as module
from ganbench.pipeline.resources.work_times import work_times


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Makes a plan of one diagnosis whose journal has some seconds, and whose results note others."""

    def play(journal: float | None, *clocks: float | None):
        job = SimpleNamespace(stage="diagnose", path=tmp_path / "ring-0123456789ab.h5")
        with result_files.create_file(job.path, "diagnose") as file:
            for index, seconds in enumerate(clocks):
                about = {"torch": "2.9"} | ({} if seconds is None else {"seconds": seconds})
                result_files.write_tree(file.create_group(f"runs/{index}"), {"about": about})
        entry = None if journal is None else SimpleNamespace(seconds=journal)
        monkeypatch.setattr(module.journal, "read", lambda path: entry)
        plan = SimpleNamespace(folder=tmp_path, jobs=lambda stage: {"ring": job} if stage == "diagnose" else {})
        return work_times(plan)

    return play


def test_a_job_that_took_results_over_has_worked_as_long_as_its_results_took(played):
    """Of four results of 10 s, the last job has made one, in 12 s with its start."""
    assert played(12.0, 10.0, 10.0, 10.0, 10.0) == {("diagnose", "ring"): 40.0}


def test_a_job_that_made_all_of_its_results_has_worked_as_its_journal_says(played):
    assert played(23.0, 10.0, 10.0) == {("diagnose", "ring"): 23.0}
    assert played(None, 10.0, 10.0) == {("diagnose", "ring"): 20.0}


def test_results_without_clocks_count_as_the_journal_has_them(played):
    assert played(5.0, None, None) == {("diagnose", "ring"): 5.0}


def test_results_note_their_share_of_the_time_of_what_was_computed_together(tmp_path, monkeypatch):
    """Lists of two and of one result that take 6 s and 5 s, and a checkpoint of 100 s between them."""
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])

    def batches():
        for names, seconds in (("ab", 6.0), ("c", 5.0)):
            now[0] += seconds
            yield [(SimpleNamespace(digest=name * 12), {"about": {"torch": "2.9"}}) for name in names]

    kept = []

    def save(folder, kind, results):
        now[0] += 100.0
        kept.extend(results)

    monkeypatch.setattr(checkpoints.result_cache, "save", save)
    stopping = SimpleNamespace(reason=lambda margin: None, deferred=nullcontext)
    context = SimpleNamespace(stopping=stopping, settings=SimpleNamespace(checkpoint_seconds=0.0))
    kept += checkpointed(batches(), 3, "diagnose", tmp_path, context)
    assert [tree["about"] for _, tree in kept] == [{"torch": "2.9", "seconds": each} for each in (3.0, 3.0, 5.0)]

"""More steps of a finished study: the difference is trained, and the results are those of a run in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import flat, tree_of

from ganbench.games import Match
from ganbench.pipeline import results_folder, superseded
from ganbench.pipeline.execution import continuing, result_cache
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import ExecutionSettings
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight import check
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse

pytestmark = pytest.mark.cluster

CPU = ExecutionSettings(device="cpu")
EVERY = 20
# Of these learning rates the first never diverges, the second after the shorter run's end, the third before.
RATES = {"calm": 0.1, "later": 1.0, "soon": 30.0}
TOY = {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": list(RATES.values())}
NETWORKS = """
from dataclasses import dataclass

from torch import nn

from ganbench.architectures import Architecture


@dataclass(frozen=True)
class Mine(Architecture):
    latent_size: int = 2

    def unsupported(self, data):
        return None

    def generator(self, data):
        return nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))

    def discriminator(self, data):
        return nn.Sequential(nn.Linear(2, 6), nn.Dropout(0.3), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0))
"""


def plan(place: Path, steps: int, block: dict[str, Any], **sections: Any) -> Plan:
    train = {"steps": steps, "snapshots": {"every": EVERY}} | sections.pop("train", {})
    study = {"study": "s", "results": str(place), "grid": [{"seed": 0, **block}], "train": train, **sections}
    found = Plan(parse(study, origin="s"))
    results_folder.prepare(found)
    return found


def train(found: Plan, stopping: StopRequest | None = None, settings: ExecutionSettings = CPU) -> dict[str, Any]:
    """Train what is not done; by run, everything that the files hold of it."""
    for job in [*found.prepare.values(), *found.train.values()]:
        if not job.done:
            run(job, JobContext(settings, stopping))
    trees = [(job.task.members, tree_of(job.path)["runs"]) for job in found.train.values()]
    return {member.id: tree[member.digest] for members, tree in trees for member in members}


def numbers(results: dict[str, Any]) -> dict[str, Any]:
    """All that training gave, without when and where."""
    return {id: flat({name: value for name, value in tree.items() if name not in ("about", "member")})
            for id, tree in results.items()}  # fmt: skip


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    one, other = numbers(one), numbers(other)
    assert one.keys() == other.keys()
    for id in one:
        assert one[id].keys() == other[id].keys()
        for name, value in one[id].items():
            np.testing.assert_array_equal(np.asarray(value), np.asarray(other[id][name]), err_msg=f"{id} {name}")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that are trained."""
    steps: list[int] = []
    draw = Match.draw

    def noted(self: Match, step: int, batches_per_step: int) -> Any:
        steps.append(step)
        return draw(self, step, batches_per_step)

    monkeypatch.setattr(Match, "draw", noted)
    return steps


@pytest.fixture(scope="module")
def whole_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """The runs of 190 steps in one go, by how they are fused."""
    return cache(lambda fuse: train(plan(tmp_path_factory.mktemp("whole"), 190, TOY, pack={"fuse": fuse})))


# The runs of 70 steps end within a chunk of 25 steps, and with a snapshot that the longer runs do not have.
@pytest.mark.parametrize(
    ("steps", "fuse"), [(70, "always"), (100, "always"), pytest.param(70, "never", marks=pytest.mark.slow)]
)
def test_more_steps_train_the_difference_with_the_same_bits(tmp_path, drawn, whole_of, steps, fuse):
    pack, whole = {"pack": {"fuse": fuse}}, whole_of(fuse)
    short = train(plan(tmp_path / "a", steps, TOY, **pack))
    drawn.clear()
    continued = train(plan(tmp_path / "a", 190, TOY, **pack))
    assert min(drawn) == steps, "no step is trained twice"
    assert_same(continued, whole)
    ends = {
        rate: {int(tree["steps_done"]) for id, tree in whole.items() if f"lr{rate}" in id} for rate in RATES.values()
    }
    assert ends[RATES["calm"]] == {190}
    assert all(100 < end < 190 for end in ends[RATES["later"]])
    assert all(end < 60 for end in ends[RATES["soon"]])
    for id, tree in continued.items():
        assert tree["about"]["continued_from"] == steps
        assert tree["about"]["steps"] == 190
        assert tree["about"]["train_seconds"] > short[id]["about"]["train_seconds"]
        assert whole[id]["about"]["continued_from"] == 0


@pytest.mark.parametrize("fuse", ["always", pytest.param("never", marks=pytest.mark.slow)])
def test_networks_with_buffers_and_random_numbers_go_on(tmp_path, fuse):
    file = tmp_path / "mine.py"
    file.write_text(NETWORKS)
    block = {
        "dataset": {"name": "ring8", "examples": 200},
        "architecture": str(file),
        "n_train": [50, 100],
        "learning_rate": 1e-3,
    }
    sections = {"train": {"batch_size": 8}, "pack": {"fuse": fuse}}
    train(plan(tmp_path / "a", 30, block, **sections))
    continued = train(plan(tmp_path / "a", 45, block, **sections))
    assert_same(continued, train(plan(tmp_path / "b", 45, block, **sections)))
    assert {tree["about"]["continued_from"] for tree in continued.values()} == {30}
    assert any(tree["buffers"] for tree in continued.values())


@pytest.mark.slow
def test_runs_of_other_packs_and_new_runs_are_trained_together_where_they_start_together(tmp_path, drawn):
    apart = {"pack": {"axes": [], "fuse": "never"}}
    train(plan(tmp_path / "a", 40, TOY, **apart))
    train(plan(tmp_path / "a", 80, {**TOY, "seed": 1}, **apart))
    drawn.clear()
    continued = train(plan(tmp_path / "a", 120, {**TOY, "seed": [0, 1, 2]}, pack={"fuse": "never"}))
    calm = {
        tree["member"]["seed"]: tree["about"]["continued_from"]
        for tree in continued.values()
        if tree["member"]["learning_rate"] == RATES["calm"]
    }
    assert calm == {0: 40, 1: 80, 2: 0}, "each goes on from its longest"
    assert_same(continued, train(plan(tmp_path / "b", 120, {**TOY, "seed": [0, 1, 2]}, pack={"fuse": "never"})))


@pytest.mark.slow
def test_a_continued_run_can_go_on_again(tmp_path):
    for steps in (20, 60, 140):
        continued = train(plan(tmp_path / "a", steps, TOY))
    assert {tree["about"]["continued_from"] for tree in continued.values()} == {60}
    assert_same(continued, train(plan(tmp_path / "b", 140, TOY)))


class Impatient(StopRequest):
    """Asks a job to end after some chunks."""

    left = 3

    def reason(self, seconds: float) -> str | None:
        self.left -= 1
        return "told to end" if self.left < 0 else None


def test_a_continued_run_that_is_stopped_goes_on_from_its_checkpoint(tmp_path, drawn):
    train(plan(tmp_path / "a", 60, TOY))
    longer = plan(tmp_path / "a", 300, TOY)
    drawn.clear()
    with pytest.raises(Stopped):
        train(longer, Impatient())
    assert min(drawn) == 60
    reached = max(drawn) + 1
    assert 60 < reached < 300
    drawn.clear()
    continued = train(longer)
    assert min(drawn) == reached
    assert_same(continued, train(plan(tmp_path / "b", 300, TOY)))
    assert {tree["about"]["continued_from"] for tree in continued.values()} == {60}


@pytest.mark.parametrize(
    ("steps", "first", "then", "why"),
    [
        (60, {"snapshots": {"every": None}}, {}, "last state was not kept"),
        (60, {}, {"snapshots": {"every": 30}}, "they lack the snapshot of step 30"),
        (60, {}, {"snapshots": {"every": None, "count": 7, "spacing": "even"}, "curve_bins": 7}, "the bins"),
    ],
)
def test_runs_that_cannot_go_on_train_from_the_start_and_say_why(tmp_path, drawn, capsys, steps, first, then, why):
    train(plan(tmp_path / "a", steps, TOY, train=first))
    longer = plan(tmp_path / "a", 120, TOY, train=then)
    told = list(check._continued(longer, result_cache.held(longer.train.values())))
    assert told == [text for text in told if why in text and text.startswith("3 runs to train from the start")]
    assert len(told) == 1
    drawn.clear()
    restarted = train(longer)
    assert min(drawn) == 0
    assert told[0] in capsys.readouterr().err
    assert {tree["about"]["continued_from"] for tree in restarted.values()} == {0}
    assert_same(restarted, train(plan(tmp_path / "b", 120, TOY, train=then)))


@pytest.mark.parametrize(
    "change",
    [{"learning_rate": 0.2}, {"seed": 7}, {"optimizer": "adam"}, {"train": {"precision": "float64"}}],
    ids=lambda change: next(iter(change)),
)
def test_a_run_goes_on_from_no_run_that_differs_in_more_than_its_steps(tmp_path, change):
    train(plan(tmp_path, 20, TOY))
    longer = plan(tmp_path, 40, TOY | change)
    assert continuing.shorter_runs(longer.folder / "train", [job.task for job in longer.train.values()]) == {}


def test_a_run_goes_on_with_the_device_and_the_version_that_began_it(tmp_path):
    short = train(plan(tmp_path, 20, TOY))
    longer = plan(tmp_path, 40, TOY)
    tasks, folder = [job.task for job in longer.train.values()], longer.folder / "train"
    about = next(iter(short.values()))["about"]
    same = {name: about[name] for name in continuing.SAME}
    for versions, fault in (
        (same, None),
        (same | {"torch": "1.0"}, f"their torch was {about['torch']}, and is 1.0 now"),
    ):
        found = continuing.shorter_runs(folder, tasks, versions=versions)
        assert {each.fault for each in found.values()} == {fault}
        assert len(found) == 3


def test_a_schedule_that_counts_all_steps_lets_no_run_go_on(monkeypatch):
    class Schedule:
        def __init__(self, whole: bool) -> None:
            self.whole = whole

        def factor(self, step: int, steps: int) -> float:
            return 1 - step / steps if self.whole else 1 / (1 + step)

    class Info:
        complete = staticmethod(dict)
        build = staticmethod(lambda options: Schedule(**options))

    monkeypatch.setattr(continuing.registry, "find", lambda family, name: Info)
    assert continuing._same_rates("mine", '{"whole": false}', 10, 20)
    assert not continuing._same_rates("mine", '{"whole": true}', 10, 20)


def test_check_tells_what_goes_on_and_what_is_cleaned_keeps_it(tmp_path):
    first = plan(tmp_path, 40, TOY)
    train(first)
    files = {job.path for job in first.train.values()}
    longer = plan(tmp_path, 80, TOY)
    assert list(check._continued(longer, result_cache.held(longer.train.values()))) == [
        "3 runs to go on from step 40, where finished runs of fewer steps ended"
    ]
    assert files.isdisjoint(each.path for each in superseded.find(longer))
    train(longer)
    assert list(check._continued(longer, result_cache.held(longer.train.values()))) == []
    assert files <= {each.path for each in superseded.find(longer)}


def test_a_damaged_file_is_passed_over(tmp_path):
    first = plan(tmp_path / "a", 40, TOY)
    train(first)
    for job in first.train.values():
        job.path.write_bytes(job.path.read_bytes()[:1000])
    continued = train(plan(tmp_path / "a", 80, TOY))
    assert {tree["about"]["continued_from"] for tree in continued.values()} == {0}


def test_members_are_found_by_what_they_train_not_by_their_names(tmp_path):
    train(plan(tmp_path, 20, {**TOY, "label": "one"}))
    task = next(iter(plan(tmp_path, 40, {**TOY, "label": "other"}).train.values())).task
    found = continuing.shorter_runs(tmp_path / "s" / "train", [replace(task, members=task.members[:2])])
    assert set(found) == {member.digest for member in task.members[:2]}
    assert {each.steps for each in found.values()} == {20}

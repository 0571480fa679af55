"""Stages on games of two numbers, without Snakemake: groups, observations, what is collected, outcomes."""

from __future__ import annotations

import json
import math
import socket
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from stored import flat, tree_of

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES
from ganbench.analysis.outcome_catalogue import catalogue
from ganbench.claims.decisions import decide
from ganbench.core.errors import GanbenchError
from ganbench.pipeline import network_folder, results_folder
from ganbench.pipeline.execution import devices
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.journal import Journal, path_of
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.snakemake import plan_of
from ganbench.pipeline.stage_names import SUMMARIES
from ganbench.pipeline.stages import collect as collect_stage
from ganbench.pipeline.stages import diagnose as diagnose_stage
from ganbench.pipeline.stages import evaluate as evaluate_stage
from ganbench.pipeline.stages import run, train
from ganbench.pipeline.stages import track as track_stage
from ganbench.pipeline.tasks import identity
from ganbench.pipeline.typed_json import decode, encode
from ganbench.report import tables
from ganbench.study.schema import parse
from ganbench.study.selectors import Selector, matches

STEPS = 40
GRID = {
    "game": ["bilinear", {"name": "linear", "matrix": [1.0, 2.0, -2.0, 1.0]}],
    "dynamics": ["simultaneous", "extragradient", "lookahead"],
    "optimizer": ["sgd", "adam"],
    "learning_rate": [0.1, 0.5],
    "seed": [0, 1],
}
STUDY = {
    "study": "toys",
    "grid": [GRID],
    "train": {"steps": STEPS, "precision": "float64", "snapshots": {"count": STEPS + 1, "spacing": "even"}},
    "pack": {"axes": ["seed", "learning_rate", "game", "dynamics", "optimizer"]},
}


def plan(place: Path, **sections) -> Plan:
    found = Plan(parse(STUDY | {"results": str(place)} | sections, origin="study"))
    results_folder.prepare(found)
    return found


def work(found: Plan, *stages: str) -> Plan:
    """Run the jobs of these stages that are not up to date, as the command line does."""
    for stage in stages:
        for job in found.jobs(stage).values():
            if not job.done:
                run(job)
    return found


def runs_in(found: Plan, stage: str) -> dict[str, dict[str, np.ndarray]]:
    """By digest: every array that the files of a stage hold of a run or a look, with its numbers."""
    return {
        digest: flat(tree) for job in found.jobs(stage).values() for digest, tree in tree_of(job.path)["runs"].items()
    }


def collected(found: Plan) -> Collected:
    work(found, "prepare", "judge", "reference", "train", "evaluate", "diagnose", "collect")
    return Collected.read(found.collect.path.parent)


def same(one: dict, other: dict, tolerance: float) -> None:
    """The arrays of two lots of runs agree, whatever else their files tell of them."""
    assert one.keys() == other.keys()
    for digest, arrays in one.items():
        for name, values in arrays.items():
            if isinstance(values, np.ndarray) and values.dtype.kind == "f":
                np.testing.assert_allclose(values, other[digest][name], rtol=tolerance, atol=tolerance, err_msg=name)


# Groups ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_pack_over_games_and_dynamics_gives_the_numbers_of_packs_apart(tmp_path):
    together = work(plan(tmp_path / "together"), "train")
    apart = work(plan(tmp_path / "apart", pack={"axes": ["seed"], "seeds_per_pack": 1}), "train")
    assert (len(together.grid.packs), len(apart.grid.packs)) == (1, 48)
    one, other = runs_in(together, "train"), runs_in(apart, "train")
    assert len(one) == 48
    same(one, other, 1e-12)
    fused = {arrays["about/fused"] for arrays in one.values()}
    assert fused == {True}, "runs of one group fuse whatever the pack"


def test_progress_is_that_of_the_whole_job_and_copied_results_are_noted(tmp_path):
    """Two runs are trained, of which one is observed; then there are three runs, and then more steps of each."""
    grid = GRID | {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 0.1}
    where, said = {"diagnose": [{"diagnostic": "path", "where": {"seed": [0, 2]}}]}, {}

    class Noted(Journal):
        def progress(self, what, unit, done, total, rate):
            said.setdefault(unit, []).append((done, total))

    def run_all(*seeds, steps=STEPS):
        train = STUDY["train"] | {"steps": steps, "snapshots": {"every": 20}}
        found, noted = plan(tmp_path, grid=[grid | {"seed": list(seeds)}], train=train, **where), []
        for job in [*found.train.values(), *found.diagnose.values()]:
            journal = Noted(path_of(found.folder, job.stage, job.path), 0, time.time())
            run(job, JobContext(journal=journal))
            noted.append(journal._entry.copied)
        return noted

    assert run_all(0, 1) == [False, False]
    ends = {unit: (amounts[0], amounts[-1]) for unit, amounts in said.items()}
    assert ends == {"run-steps": ((0, 80), (80, 80)), "observations": ((0, 1), (1, 1))}
    said.clear()
    assert run_all(0, 1, 2) == [True, True]
    ends = {unit: (amounts[0], amounts[-1]) for unit, amounts in said.items()}
    assert ends == {"run-steps": ((80, 120), (120, 120)), "observations": ((1, 2), (2, 2))}
    said.clear()
    assert run_all(0, 1, 2, steps=60) == [True, False]
    ends = {unit: (amounts[0], amounts[-1]) for unit, amounts in said.items()}
    assert ends == {"run-steps": ((120, 180), (180, 180)), "observations": ((0, 2), (2, 2))}


@pytest.mark.slow
def test_changing_what_packs_span_trains_nothing_again(tmp_path):
    first = work(plan(tmp_path), "train")
    before = runs_in(first, "train")
    again = work(plan(tmp_path, pack={"axes": ["learning_rate", "optimizer"]}), "train")
    after = runs_in(again, "train")
    assert len(again.grid.packs) > len(first.grid.packs)
    assert before.keys() == after.keys()
    clocks = {digest: arrays["about/trained_at"] for digest, arrays in before.items()}
    assert clocks == {digest: arrays["about/trained_at"] for digest, arrays in after.items()}


# Devices --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "visible", "told"),
    [
        (None, None, "this PyTorch was built without CUDA"),
        ("13.0", "", "CUDA_VISIBLE_DEVICES is '', so the scheduler gave this job no GPU"),
        ("13.0", "NoDevFiles", "CUDA_VISIBLE_DEVICES is 'NoDevFiles'"),
        ("13.0", "1", "check whether nvidia-smi shows a GPU"),
        ("13.0", None, "check whether nvidia-smi shows a GPU"),
    ],
)
def test_a_gpu_that_is_missing_is_missed_by_the_name_of_the_host(monkeypatch, cuda, visible, told):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(socket, "gethostname", lambda: "node7")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(GanbenchError, match="PyTorch sees no GPU on node7") as caught:
        devices.check_device("cuda")
    assert told in str(caught.value)
    devices.check_device("auto")


@pytest.mark.parametrize("scheduler", ["SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST"])
def test_the_one_gpu_that_a_scheduler_gives_needs_no_lock(monkeypatch, scheduler):
    for name in ("SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert not devices.assigned(1), "processes of one machine settle it among themselves"
    monkeypatch.setenv(scheduler, "7")
    assert devices.assigned(1)
    assert not devices.assigned(2), "several jobs may share what was given to all of them"


def test_a_gpu_is_used_where_no_lock_can_be_had(tmp_path, monkeypatch, capsys):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(devices, "try_lock", refused)
    with devices.acquire_free_gpu(["a", "b"], tmp_path) as index:
        assert index == 0
    assert "no lock on GPU a" in capsys.readouterr().err


def test_judge_and_metrics_are_built_where_the_device_is_held(monkeypatch):
    """Inception takes the GPU that it sees, and must see the job's alone, or none."""
    held = []

    @contextmanager
    def acquired(wanted):
        held.append(wanted)
        yield torch.device("cpu")
        held.clear()

    class Built(Exception):
        pass

    def scorer_of(task):
        raise Built(*held)

    monkeypatch.setattr(evaluate_stage, "acquire_device", acquired)
    monkeypatch.setattr(evaluate_stage, "scorer_of", scorer_of)
    monkeypatch.setattr(evaluate_stage, "build", lambda *of: SimpleNamespace(spec=SimpleNamespace(shape=(2,))))
    monkeypatch.setattr(evaluate_stage.result_files, "open_file", lambda *of: nullcontext())
    components, members, said = (
        {"architecture": None, "dataset": None},
        [SimpleNamespace(digest=each) for each in "abc"],
        [],
    )

    def progress(what, total, unit, done):
        said.append((done, total, unit))
        return nullcontext()

    task = SimpleNamespace(
        **{"members": members, "train_digests": ("", "", ""), "groups": [SimpleNamespace(components=components)]},
        **{"samples": 8, "samples_kept": 1, "trained": None, "pack": "pack"},
    )
    context = SimpleNamespace(settings=SimpleNamespace(device="cpu"), progress=progress)
    with pytest.raises(Built, match="cpu"):
        next(evaluate_stage._scored(task, members[2:], context))
    assert said == [(2, 3, "runs")], "of the whole job, not of this attempt"


# Folders --------------------------------------------------------------------------------------------------------------


def test_tables_of_older_digests_go_and_nothing_beside_them_fails_the_job(tmp_path, monkeypatch):
    monkeypatch.setattr(collect_stage, "gather", lambda task, folder, context: folder.mkdir())
    older, linked, lock = (
        tmp_path / "collect/older",
        tmp_path / "collect/linked",
        tmp_path / "collect/.older.track.lock",
    )
    older.mkdir(parents=True)
    (older / "runs.parquet").touch()
    lock.touch()
    linked.symlink_to(tmp_path, target_is_directory=True)  # which is not removed, as a folder in use over NFS
    job = SimpleNamespace(path=tmp_path / "collect" / "new" / "runs.parquet", task=None)
    collect_stage.run(job, None)
    assert {path.name for path in job.path.parents[1].iterdir()} == {"new", "linked", lock.name}


@pytest.mark.parametrize(
    ("uri", "lock"),
    [("http://127.0.0.1:9", "collect/new/.track.lock"), ("sqlite:///{}/mlflow.db", ".mlflow.db.track.lock")],
)
def test_the_lock_of_a_server_lies_within_the_tables(uri, lock, tmp_path, monkeypatch):
    class Locked(Exception):
        pass

    def hold_lock(path, *of, **named):
        raise Locked(path)

    monkeypatch.setattr(track_stage, "hold_lock", hold_lock)
    with pytest.raises(Locked) as found:
        track_stage.track(SimpleNamespace(folder=tmp_path / "collect" / "new"), study="s", uri=uri.format(tmp_path))
    assert found.value.args == (tmp_path / lock,)


# Edits of files after jobs were planned -----------------------------------------------------------------------------


@pytest.mark.parametrize("stage", SUMMARIES)
def test_other_sources_than_planned_write_no_summary(stage, tmp_path):
    """As of another branch, which was checked out for a while: what they write would count as up to date for good."""
    (job,) = plan(tmp_path).jobs(stage).values()
    edited = replace(job, task=replace(job.task, sources="0" * 64))
    older = job.path.parent / f"{stage}-0123456789ab"
    older.parent.mkdir(parents=True)
    older.touch()
    with pytest.raises(GanbenchError, match="source files were edited after this job was planned"):
        run(edited)
    assert list(job.path.parent.iterdir()) == [older]


def test_an_edited_judge_scores_nothing_and_enters_the_digest_once(tmp_path):
    grid = [{"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": 0}]
    (job,) = plan(tmp_path, grid=grid).evaluate.values()
    edited = replace(job.task, judge_sources="0" * 64)
    assert identity(edited) == identity(job.task), "the digest of the judge's job covers them"
    assert decode(type(edited), encode(edited)) == edited
    with pytest.raises(GanbenchError, match="source files were edited after this job was planned"):
        run(replace(job, task=edited))


def test_edited_data_is_not_prepared_under_the_old_digest(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for count in range(20):
        Image.fromarray(np.full((4, 4), count, np.uint8)).save(images / f"{count}.png")
    data = {"name": "image_folder", "folder": str(images), "image_size": 4, "channels": 1}
    grid = [{"dataset": data, "architecture": "fc", "learning_rate": 1e-3, "seed": 0}]
    (job,) = plan(tmp_path, grid=grid).prepare.values()
    (images / "0.png").rename(images / "another.png")
    with pytest.raises(GanbenchError, match="files of the data set image_folder were edited after"):
        run(job)
    assert not job.path.exists()
    (images / "another.png").rename(images / "0.png")
    run(job)
    assert job.done


# Looks ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def looked(monkeypatch) -> list[tuple[str, int]]:
    """What diagnostics were asked to measure: their names and the number of runs, call by call."""
    calls = []
    real = diagnose_stage.diagnose

    def counted(diagnostic, game, dynamics, optimizer, members, *args, **kwargs):
        calls.append((type(diagnostic).__module__.rsplit(".", 1)[-1], len(members)))
        return real(diagnostic, game, dynamics, optimizer, members, *args, **kwargs)

    monkeypatch.setattr(diagnose_stage, "diagnose", counted)
    return calls


PATH = {"diagnostic": "path"}
ROTATION = {"diagnostic": {"name": "rotation", "max_snapshots": 2}}


@pytest.mark.slow
def test_adding_an_experiment_a_seed_or_a_rate_looks_at_what_is_new_alone(tmp_path, looked):
    small = {"grid": [GRID | {"dynamics": "simultaneous", "optimizer": "sgd"}]}
    first = work(plan(tmp_path, diagnose=[PATH], **small), "train", "diagnose")
    assert sorted(looked) == [("path", 4), ("path", 4)], "one look per game at its four runs"
    before = runs_in(first, "diagnose")
    looked.clear()

    both = work(plan(tmp_path, diagnose=[PATH, ROTATION], **small), "train", "diagnose")
    assert sorted(looked) == [("rotation", 4), ("rotation", 4)]
    kept = runs_in(both, "diagnose")
    assert before.keys() < kept.keys()
    same(before, {digest: kept[digest] for digest in before}, 0)
    looked.clear()

    more = {"grid": [small["grid"][0] | {"seed": [0, 1, 2]}]}
    work(plan(tmp_path, diagnose=[PATH, ROTATION], **more), "train", "diagnose")
    assert sorted(looked) == [("path", 2), ("path", 2), ("rotation", 2), ("rotation", 2)], "the new seed's two rates"
    looked.clear()

    work(plan(tmp_path, diagnose=[ROTATION, PATH | {"name": "way"}], **more), "train", "diagnose")
    assert looked == [], "an observation is known by its diagnostic, not by what the study calls it"


def test_two_experiments_with_one_diagnostic_may_measure_the_same_runs(tmp_path):
    experiments = [
        {"name": "all", **PATH},
        {"name": "slow", **PATH, "where": {"learning_rate": 0.1}},
    ]
    small = {"grid": [GRID | {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd"}]}
    found = collected(plan(tmp_path, diagnose=experiments, **small))
    table = found.measurements.set_index(["quantity", "run"])["value"]
    assert len(table["all.growth"]) == 4
    assert len(table["slow.growth"]) == 2
    for run_id, value in table["slow.growth"].items():
        assert table["all.growth"][run_id] == value


def test_runs_that_diverged_are_looked_at_with_the_others(tmp_path):
    grid = [
        {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": [0.1, 1e30], "seed": 0}
    ]
    found = collected(plan(tmp_path, grid=grid, diagnose=["path", "spectrum", ROTATION]))
    runs = found.runs.set_index("learning_rate")
    assert runs.loc[1e30, "outcome"] == "diverged"
    assert runs.loc[1e30, "steps_done"] < STEPS
    table = found.measurements.set_index(["run", "quantity"])["value"]
    calm, wild = (table[runs.loc[rate, "run"]] for rate in (0.1, 1e30))
    assert calm.index.equals(wild.index)
    assert calm["path.step_ratio"] == pytest.approx(math.sqrt(1.01), rel=1e-12)
    assert np.isnan(wild["path.final_radius"])
    assert np.isnan(wild["spectrum.max_real"])
    assert calm["spectrum.max_real"] == pytest.approx(0, abs=1e-12)


def test_a_pack_in_which_every_run_diverged_has_no_ends(tmp_path):
    grid = [{"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 1e30, "seed": [0, 1]}]
    found = collected(plan(tmp_path, grid=grid, diagnose=["path", "spectrum"]))
    assert set(found.runs["outcome"]) == {"diverged"}
    values = found.measurements.set_index("quantity")["value"]
    for quantity in ("path.final_radius", "path.growth", "spectrum.max_real"):
        assert values[quantity].isna().all(), f"{quantity}: the last snapshot that was kept is not the end"
    assert (values["path.start_radius"] > 0).all()


# What is collected ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Collected:
    """Games of two numbers and networks on points, with diagnostics of runs and of the study."""
    networks = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 8}, "learning_rate": 1e-3, "seed": 0}
    toys = {
        "game": "bilinear",
        "dynamics": ["simultaneous", "alternating"],
        "optimizer": "sgd",
        "learning_rate": [0.1, 1.0],
        "seed": [0, 1],
    }
    dirac = {"game": "dirac", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 0.1, "seed": 0}
    return collected(
        plan(
            tmp_path_factory.mktemp("study"),
            grid=[toys, dirac | {"regularizer": {"name": "r1", "gamma": 0.5}}, networks],
            diagnose=["path", "spectrum", {"diagnostic": {"name": "convolution", "max_image_size": 6}}],
            evaluate={"samples": 100, "samples_kept": 4},
            outcome={"norm_growth": 50},
        )
    )


def test_every_number_of_every_diagnostic_is_collected_with_its_meaning(study):
    table = study.measurements
    assert table.duplicated(["run", "quantity"]).sum() == 0
    assert set(table["quantity"]) == set(study.quantities)
    assert set(table["run"]) == {"", *study.runs["run"]}
    assert set(table.loc[table["run"] == "", "quantity"].str.partition(".")[0]) == {"convolution"}
    values = table.set_index(["run", "quantity"])["value"]
    for row in study.runs[study.runs["game"] == "bilinear"].itertuples():
        if row.dynamics == "simultaneous":
            ratio = math.sqrt(1 + row.learning_rate**2)
            assert values[row.run, "path.step_ratio"] == pytest.approx(ratio, rel=1e-12)
        assert values[row.run, "spectrum.max_real"] == pytest.approx(0, abs=1e-12)
    arrays = study.arrays("spectrum")
    assert set(arrays) == set(study.runs["run"])
    for run_id in study.runs.loc[study.runs["game"] == "bilinear", "run"]:
        assert np.abs(arrays[run_id]["eigenvalues_imag"]) == pytest.approx([1, 1], rel=1e-12)
    assert study.arrays("nothing") == {}


def test_a_study_of_two_time_scales_from_its_file_to_its_claims(tmp_path):
    """A step on f = xy with rates a and b is [[1, a], [-b, 1]]: of the radius sqrt(1 + a b)."""
    known = {"quantity": "step_map.spectral_radius", "equals": "sqrt(1 + learning_rate * generator_learning_rate)"}
    found = plan(
        tmp_path,
        grid=[
            GRID
            | {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "seed": 0}
            | {"generator_learning_rate": [None, 0.4]}
        ],
        diagnose=["step_map"],
        pack={"axes": ["learning_rate", "generator_learning_rate"]},
        claims=[{"id": "T", "source": "s", "statement": "So far.", "tests": [{"closed_form": known | {"atol": 1e-9}}]}],
    )
    assert len(found.train) == 1, "runs with other rates are one pack"
    study = collected(found)
    runs = study.runs.set_index("run")
    assert list(runs["generator_learning_rate"].dropna()) == [0.4, 0.4]
    assert list(runs.index) == [f"bilinear-lr{rate}{own}-s0" for rate in (0.1, 0.5) for own in ("", "-lrg0.4")]
    assert runs["fused"].all()
    (decision,) = decide(study, found.study.claims)
    assert decision.verdict == "confirmed"


def test_labels_reach_tables_and_select_runs(tmp_path):
    """What the study calls a value or a block is what its tables show, and what its experiments and claims select."""
    block = {"game": "bilinear", "dynamics": "alternating", "learning_rate": 0.1, "seed": 0}
    labelled = {"name": "sgd", "momentum": -0.5, "label": "negative momentum"}
    damped = {"quantity": "path.growth", "below": 1}
    found = collected(
        plan(
            tmp_path,
            grid=[
                block | {"optimizer": labelled},
                block | {"label": "extragradient method", "dynamics": "extragradient", "optimizer": "sgd"},
            ],
            diagnose=["path", {"name": "one", "diagnostic": "rotation", "where": {"block": "extra*"}}],
            claims=[{"id": "L1", "source": "s", "statement": "It closes in.", "tests": [{"bound": damped}]}],
        )
    )
    runs = found.runs.set_index("method")
    assert runs["optimizer"].to_dict() == {
        "bilinear-alternating-negative-momentum": "negative momentum = sgd(momentum=-0.5)",
        "extragradient-method": "sgd",
    }
    assert runs.loc["extragradient-method", "block"] == "extragradient method"
    assert runs["block"].isna().sum() == 1
    one = found.measurements[found.measurements["quantity"].str.startswith("one.")]
    assert set(one["run"]) == {"extragradient-method-lr0.1-s0"}
    selected = {"block": ("extragradient method",), "optimizer": ("negative momentum",)}
    for axis, values in selected.items():
        assert sum(matches(Selector(((axis, values),)), row) for row in found.runs.to_dict("records")) == 1


def test_tables_have_the_names_of_the_study_as_it_is_now(tmp_path, looked):
    """Labels and another dynamics give old runs other names, and a label another block; their files stay."""
    block = GRID | {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd"}
    experiments = {"diagnose": [PATH], "pack": {"axes": ["seed", "learning_rate"]}}
    before = collected(plan(tmp_path, grid=[block], **experiments))
    assert set(before.runs["method"]) == {"bilinear"}
    grown = block | {"label": "both", "game": {"name": "bilinear", "label": "product"}}
    grown |= {"dynamics": ["extragradient", "simultaneous"], "learning_rate": [0.5, 0.1]}
    looked.clear()
    after = collected(plan(tmp_path, grid=[grown], **experiments))
    assert looked == [("path", 4)], "of the new dynamics alone"
    assert list(dict.fromkeys(after.runs["method"])) == ["both-extragradient", "both-simultaneous"]
    old = after.runs[after.runs["dynamics"] == "simultaneous"]
    assert list(old["run"]) == [f"both-simultaneous-lr{rate}-s{seed}" for rate in (0.5, 0.1) for seed in (0, 1)]
    assert (set(old["block"]), set(old["game"])) == ({"both"}, {"product = bilinear"})
    by_digest = before.runs.set_index("digest").loc[old["digest"]]
    assert list(by_digest["learning_rate"]) == list(old["learning_rate"])
    assert list(by_digest["trained_at"]) == list(old["trained_at"]), "nothing was trained again"
    grow = (each.measurements.set_index(["run", "quantity"])["value"] for each in (before, after))
    first, second = ({run: values for run, values in each.groupby("run")} for each in grow)
    for was, now in zip(by_digest["run"], old["run"], strict=True):
        assert np.array_equal(first[was], second[now], equal_nan=True)


def test_outcomes_of_games_are_of_their_own_kind(study):
    toys = study.runs[study.runs["game"] == "bilinear"].set_index(["dynamics", "learning_rate", "seed"]).sort_index()
    # The radius grows by sqrt(1 + rate^2) a step: 1.22-fold in 40 steps of 0.1, a million-fold in 40 of 1.
    assert list(toys.loc[("simultaneous", 0.1), "outcome"]) == ["unstable", "unstable"]
    assert list(toys.loc[("simultaneous", 1.0), "outcome"]) == ["unstable", "unstable"]
    assert toys.loc[("simultaneous", 1.0), "outcome_onset"].between(1, STEPS).all()
    assert (toys.loc["alternating", "outcome"] == "cycling").all(), "alternating steps below 2 stay"
    assert not toys["failures_not_judged"].str.contains("collapsed").any(), "which a game without data cannot have"


def test_every_run_has_one_primary_outcome_and_all_reasons(study):
    found = study.run_outcomes
    assert (found[found["primary"]].set_index("run")["outcome"] == study.runs.set_index("run")["outcome"]).all()
    assert found.groupby("run")["primary"].sum().eq(1).all()
    held = found[found["judged"]].groupby("run")["outcome"].agg(", ".join).reindex(study.runs["run"]).fillna("")
    assert list(held) == list(study.runs["outcomes"])
    assert (found["judged"] == found["onset"].notna()).all()
    first = found[found["outcome"].isin(list(FAILURES))].groupby("run")["onset"].min().reindex(study.runs["run"])
    assert first.astype("Int64").fillna(-1).tolist() == study.runs["failure_onset"].astype("Int64").fillna(-1).tolist()
    unjudged = found[found["outcome"] != "undetermined"].query("not judged").groupby("run")["outcome"].agg(set)
    judged = study.runs.set_index("run")["outcomes_judged"].str.split(", ").map(set)
    assert all(judged[run] == catalogue().keys() - unjudged.get(run, set()) for run in judged.index)
    (networks,) = study.gans.runs["run"]
    reasons = found[(found["run"] == networks) & ~found["judged"]].set_index("outcome")["evidence"]
    assert reasons["memorizing"] == "not judged: memorization_ratio was not measured"
    assert set(study.events["run"]) <= {networks}
    assert set(study.modes["run"]) == {networks}


def test_the_tables_hold_games_with_and_without_data(study):
    runs = study.runs.set_index("run")
    assert len(runs) == 8 + 1 + 1
    toys = runs[runs["dataset"].isna()]
    assert len(toys) == 9
    assert toys["n_train"].isna().all()
    assert toys["architecture"].isna().all()
    assert toys[[f"{name}_final" for name in study.metrics]].isna().all(axis=None)
    assert list(study.gans.runs["game"]) == ["gan"]
    assert set(study.snapshots["run"]) == set(study.gans.runs["run"])
    assert set(study.curves["run"]) == set(runs.index)
    of_toys = set(study.curves.loc[study.curves["run"].isin(runs.index[runs["game"] == "bilinear"]), "series"])
    assert {"x_loss", "y_loss", "x_parameter_norm"} <= of_toys
    assert "real_output" not in of_toys
    (dirac,) = runs.index[runs["game"].str.startswith("dirac")]
    assert "real_output" in set(study.curves.loc[study.curves["run"] == dirac, "series"])
    assert runs.loc[dirac, "regularizer_gamma"] == 0.5
    assert (runs["discriminator_parameters"] > 0).all()


def test_every_setting_of_a_run_is_a_column_of_its_type(study):
    runs = study.runs.set_index("game")
    gan, toys = runs.loc["gan"], runs.loc["bilinear"]
    assert (gan["architecture_width"], gan["train_batch_size"], gan["evaluate_samples"]) == (8, 64, 100)
    assert gan["evaluate_metrics"] == "fd, mode_coverage, diversity"
    assert (runs["train_precision"] == "float64").all()
    assert (runs["train_snapshots_count"] == STEPS + 1).all()
    assert (runs["outcome_norm_growth"] == 50).all()
    for name in ("architecture_width", "train_batch_size", "evaluate_samples", "regularizer_gamma"):
        assert toys[name].isna().all(), f"{name} is no setting of a game of two numbers"
    kinds = {name: runs[name].dtype.kind for name in ("architecture_width", "optimizer_momentum", "train_curve_bins")}
    assert kinds == {"architecture_width": "i", "optimizer_momentum": "f", "train_curve_bins": "i"}
    described = tables.documented(study)["runs"]
    assert list(study.runs.columns) == list(described)
    assert described["regularizer_gamma"].startswith("option `gamma` of the run's regularizer")


def test_a_file_of_runs_says_what_each_is(tmp_path):
    networks = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 8}, "learning_rate": 1e-3, "seed": [0, 1]}
    toys = {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 0.1, "seed": 0}
    found = work(plan(tmp_path, grid=[networks, toys]), "prepare", "train")
    seen = []
    for job in found.train.values():
        for run_tree in tree_of(job.path)["runs"].values():
            config = run_tree["member"]["config"]
            assert config["train"]["steps"] == STEPS
            seen.append((config.get("architecture", {}).get("width"), config["game"]["name"]))
    assert sorted(seen, key=str) == [(8, "gan"), (8, "gan"), (None, "bilinear")]


@pytest.mark.parametrize("named", [1, 0], ids=["of a file", "of none"])
def test_track_finds_networks_of_the_study_as_it_runs(tmp_path, monkeypatch, named):
    """`snakemake --config` replaces values of the study's file, such as the folder of results or the steps."""
    networks = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 8}, "learning_rate": 1e-3, "seed": 0}
    file = tmp_path / "study.yaml"
    file.write_text(json.dumps(STUDY | {"grid": [networks], "train": {"steps": 9}}))
    config = STUDY | {"grid": [networks], "train": {"steps": 3}, "results": str(tmp_path / "elsewhere")}
    found = work(plan_of(config, "study.yaml", files=[str(file)] * named, verify=False), "prepare", "train")
    written = []
    monkeypatch.setattr(network_folder, "write_snapshot", lambda snapshot, folder: written.append((snapshot, folder)))
    task = decode(Job, json.loads(json.dumps(encode(found.track)))).task
    track_stage._network_writer(task)(found.grid.runs[0].id, tmp_path / "model")
    ((snapshot, folder),) = written
    assert (snapshot.step, snapshot.plan.folder, folder) == (3, found.folder, tmp_path / "model")
    assert (task.file, found.track.path) == (file if named else Path(), Plan(found.study).track.path)


@pytest.mark.parametrize(("kept_first", "of_first"), [(True, "node A"), (False, "node B")])
def test_a_run_is_recorded_where_it_was_trained(tmp_path, monkeypatch, kept_first, of_first):
    """Not where the pack's file is written. A checkpoint of an older version, which does not say, is read too."""
    toy = {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 0.1, "seed": [0, 1]}
    (job,) = plan(tmp_path, grid=[toy], pack={"fuse": "never"}).train.values()
    versions, trainer = train.versions, train.PackTrainer

    class OneRun(StopRequest):
        def reason(self, seconds: float) -> str | None:
            return "one run is done" if list(tmp_path.glob("*/train/.resume/*/*.h5")) else None

    monkeypatch.setattr(train, "versions", lambda device: versions(device) | {"processor": "node A"})
    if not kept_first:
        monkeypatch.setattr(train, "PackTrainer", lambda *given: trainer(*given[:-1]))
    with pytest.raises(Stopped, match="one run is done"):
        run(job, JobContext(stopping=OneRun()))
    monkeypatch.setattr(train, "PackTrainer", trainer)
    monkeypatch.setattr(train, "versions", lambda device: versions(device) | {"processor": "node B"})
    run(job)
    runs = tree_of(job.path)["runs"]
    one, other = (runs[member.digest]["about"] for member in job.task.members)
    assert (one["processor"], other["processor"]) == (of_first, "node B")
    assert one.keys() == other.keys()
    assert {name: type(value) for name, value in one.items()} == {name: type(value) for name, value in other.items()}
    assert (one["pack"], one["fused"], one["torch"]) == (job.task.pack, False, torch.__version__)


def test_looks_know_their_runs(tmp_path):
    found = plan(tmp_path, diagnose=[PATH, ROTATION | {"where": {"optimizer": "adam"}}])
    (job,) = found.diagnose.values()
    members = {member.id: member for member in job.task.members}
    taken = list(job.task.observations)
    assert len(taken) == 48 + 24
    for look in taken:
        member = members[look.run]
        assert look.trained == member.digest
        assert look.member == member
        adam = job.task.groups[member.group].components["optimizer"].name == "adam"
        assert adam or look.experiment == "path"

"""Studies: what is accepted, what is refused and in which words; the grid, the packs, and what a digest covers."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from ganbench.core import sources
from ganbench.core.errors import GanbenchError
from ganbench.core.study import Study, load, parse
from ganbench.stages.plan import Plan

ROOT = Path(__file__).resolve().parent.parent

BASE = {
    "study": "tiny",
    "grid": [
        {
            "dataset": "digits",
            "architecture": ["fc", {"name": "dcgan", "features": 4}],
            "n_train": [100, "all"],
            "learning_rate": [1e-3, 1e-2],
            "seed": [0, 1, 2],
        },
        {"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": {"first": 5, "count": 4}},
    ],
    "train": {"steps": 50},
    "pack": {"seeds_per_pack": 2},
}


def changed(*path_and_value):
    """BASE with one value replaced (or added), given as the path to it and the value."""
    *path, value = path_and_value
    study = copy.deepcopy(BASE)
    place = study
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    place[path[-1]] = value
    return study


def plan(study) -> Plan:
    return Plan(parse(study, origin="study.yaml"))


# Reading --------------------------------------------------------------------------------------------------------------


def test_the_shipped_studies_are_valid_and_complete_ones_are_stable():
    for path in [ROOT / "config/config.yaml", *(ROOT / "config/studies").glob("*.yaml")]:
        study = load(path)
        again = parse(json.loads(json.dumps(study.resolved())), origin="resolved")
        assert again.resolved() == study.resolved()
        assert [run.id for run in Plan(again).runs] == [run.id for run in Plan(study).runs]


def test_yaml_floats_without_a_dot_are_numbers():
    study = yaml.safe_load(yaml.safe_dump(changed("grid", 1, "learning_rate", "2e-4")))
    assert parse(study, origin="s").grid[1].learning_rate == [2e-4]


def test_a_block_has_training_options_of_its_own():
    study = parse(changed("grid", 1, "train", {"steps": 7, "snapshots": {"count": 3}}), origin="s")
    first, second = (study.block_train(block) for block in study.grid)
    assert (first.steps, second.steps) == (50, 7)
    assert (second.snapshots.count, second.snapshots.spacing) == (3, "log")


FAULTS = {
    "unknown key": (("stepz", 3), r"unknown key 'stepz'"),
    "misspelt key": (("train", "step", 3), r"train: unknown key 'step'\. Did you mean 'steps'\?.*batch_size"),
    "misspelt key in a block": (("grid", 0, "archtecture", "fc"), r"grid\[0\]: .*Did you mean 'architecture'"),
    "misspelt architecture": (
        ("grid", 0, "architecture", "dcgna"),
        r"grid\[0\]\.architecture\[0\]: unknown architecture 'dcgna'\. Did you mean 'dcgan'\? Valid: dcgan, fc, mlp",
    ),
    "misspelt option": (
        ("grid", 0, "architecture", {"name": "dcgan", "feature": 3}),
        r"architecture 'dcgan': unknown option 'feature'\. Did you mean 'features'",
    ),
    "wrong option type": (
        ("grid", 0, "architecture", {"name": "dcgan", "features": "many"}),
        r"option 'features' must be int, but is 'many'",
    ),
    "no name": (("grid", 0, "architecture", {"features": 3}), r"mapping with a 'name'"),
    "missing file": (("grid", 0, "architecture", "./mine.py"), r"'\./mine\.py': there is no such file"),
    "empty axis": (("grid", 0, "learning_rate", []), r"grid\[0\]\.learning_rate: is an empty axis"),
    "duplicate value": (("grid", 0, "seed", [1, 2, 1]), r"grid\[0\]\.seed: has 1 more than once"),
    "duplicate architecture": (("grid", 0, "architecture", ["fc", "fc"]), r"has fc more than once"),
    "zero rate": (("grid", 0, "learning_rate", 0), r"learning_rate\[0\]: .*greater than 0.*received 0"),
    "negative rate": (("grid", 0, "learning_rate", -1e-3), r"greater than 0.*received -0\.001"),
    "infinite rate": (("grid", 0, "learning_rate", float("inf")), r"learning_rate\[0\]: .*finite"),
    "a word for a number": (("train", "steps", "many"), r"train\.steps: .*integer.*received 'many'"),
    "a truth value for a number": (("train", "steps", True), r"train\.steps: must be a number, but is .*True"),
    "no steps": (("train", "steps", 0), r"train\.steps: .*greater than or equal to 1.*received 0"),
    "negative seed": (("grid", 0, "seed", [-1]), r"seed\[0\]: .*received -1"),
    "seed mapping": (("grid", 0, "seed", {"from": 3}), r"mapping \{first, count\}"),
    "n_train beyond the data": (
        ("grid", 0, "n_train", [100, 5000]),
        r"grid\[0\]\.n_train: 5000 is more than the 1437 training examples of digits; valid: 1 to 1437",
    ),
    "n_train twice": (("grid", 0, "n_train", ["all", 1437]), r"'all' means 1437, which is listed as well"),
    "unknown device": (("machine", "device", "gpu"), r"machine\.device: .*'auto', 'cpu' or 'cuda'.*received 'gpu'"),
    "unknown axis": (("pack", "axes", ["seeds"]), r"pack\.axes\[0\]: .*'seed'"),
    "block training": (("grid", 1, "train", {"stepps": 1}), r"grid\[1\]\.train: unknown key 'stepps'.*'steps'"),
    "path as name": (("study", "../elsewhere"), r"study: .*pattern"),
    "shell as name": (("study", "a; rm -rf x"), r"study: .*pattern"),
    "tracking address": (("track", "uri", "ftp://x"), r"track\.uri: .*received 'ftp://x'"),
    "not a mapping": (("train", [1]), r"train: must be a mapping with keys steps"),
    "huge grid": (("grid", 0, "seed", {"count": 900_000}), r"runs are more than the 1,000,000"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_key_value_and_choices(fault):
    change, message = FAULTS[fault]
    with pytest.raises(GanbenchError, match=message):
        plan(changed(*change))


def test_all_faults_are_told_at_once():
    study = changed("train", "steps", 0)
    study["grid"][0]["learning_rate"] = [-1]
    with pytest.raises(GanbenchError) as told:
        parse(study, origin="my.yaml")
    assert str(told.value).startswith("my.yaml is not a valid study:")
    assert str(told.value).count("\n  - ") == 2


def test_a_point_of_the_grid_belongs_to_one_block():
    study = copy.deepcopy(BASE)
    study["grid"].append({"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": 6})
    with pytest.raises(GanbenchError, match=r"grid\[2\]: run ring8-mlp-n20000-lr0\.001-s6 stands in grid\[1\] already"):
        plan(study)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: a\nstudy: b\n", "key 'study' stands twice"),
        ("a: &x [1]\nb: *x\n", r"line 2: aliases \(\*x\) are not accepted"),
        ("study: [", "not valid YAML"),
        ("", "must be a mapping"),
        ("study: !!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_yaml_with_traps_is_refused(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(GanbenchError, match=message):
        load(path)


def test_a_missing_study_is_an_error_that_names_it(tmp_path):
    with pytest.raises(GanbenchError, match=r"nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_the_schema_file_is_the_code_s():
    written = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
    assert written == Study.model_json_schema(), "write it anew: ganbench schema > workflow/schemas/study.schema.json"


# The grid -------------------------------------------------------------------------------------------------------------


def test_the_grid_is_every_combination():
    found = plan(BASE)
    assert len(found.runs) == 2 * 2 * 2 * 3 + 4
    assert len({run.id for run in found.runs}) == len(found.runs)
    assert found.contenders == ("digits-fc", "digits-dcgan", "ring8-mlp")
    assert {run.n_train for run in found.runs} == {100, 1437, 20000}
    assert found.runs[-1].axes["architecture"] == "mlp"
    assert "dcgan(features=4)" in {run.axes["architecture"] for run in found.runs}


def test_contenders_are_named_by_what_the_study_varies():
    names = plan(changed("grid", 1, "regularizer", ["none", {"name": "r1", "gamma": 2.0}])).contenders
    assert names == ("digits-fc-none", "digits-dcgan-none", "ring8-mlp-none", "ring8-mlp-r1")
    variants = plan(changed("grid", 1, "architecture", ["mlp", {"name": "mlp", "width": 8}])).contenders
    assert variants[2:] == ("ring8-mlp", "ring8-mlp-width-8")


def test_adding_seeds_moves_no_run_to_another_pack():
    before = {run.id: pack for pack in plan(BASE).packs.values() for run in pack.runs}
    after = {
        run.id: pack for pack in plan(changed("grid", 0, "seed", list(range(7)))).packs.values() for run in pack.runs
    }
    assert {run: pack.name for run, pack in before.items()} == {run: after[run].name for run in before}
    assert all(len({run.seed for run in pack.runs}) <= 2 for pack in after.values())


def test_two_choices_that_would_be_called_the_same_are_refused(tmp_path):
    (tmp_path / "ring8.py").write_text((ROOT / "ganbench/data/ring8.py").read_text())
    study = copy.deepcopy(BASE)
    block = {"dataset": str(tmp_path / "ring8.py"), "architecture": "mlp", "learning_rate": 1e-3, "seed": 99}
    study["grid"].append(block)
    with pytest.raises(GanbenchError, match=r"would both be called 'ring8' .*rename a file"):
        plan(study)


def test_learning_rates_that_print_alike_are_different_runs():
    found = plan(changed("grid", 1, "learning_rate", [1e-4, 1.0000001e-4]))
    assert len({run.id for run in found.runs}) == len(found.runs)


@pytest.mark.parametrize(("axes", "sizes"), [([], {1}), (["seed"], {1, 2}), (["learning_rate", "n_train"], {1, 4})])
def test_packs_span_the_axes_of_the_study_s_choice(axes, sizes):
    found = plan(changed("pack", "axes", axes))
    assert {len(pack.runs) for pack in found.packs.values()} == sizes
    assert sum(len(pack.runs) for pack in found.packs.values()) == len(found.runs)


# Digests --------------------------------------------------------------------------------------------------------------


def digests(study, stage):
    return getattr(plan(study), f"{stage}_digests")


@pytest.mark.parametrize(
    "change",
    [
        ("grid", 0, "seed", [0, 1, 2, 9]),
        ("pack", "seeds_per_pack", 1),
        ("pack", "fuse", "never"),
        ("machine", "checkpoint_seconds", 1),
        ("title", "another"),
        ("outcome", "won_share", 0.5),
        ("grid", 1, "regularizer", ["none", "r1"]),
    ],
)
def test_what_cannot_change_a_number_changes_no_digest(change):
    for stage in ("train", "evaluate"):
        before, after = digests(BASE, stage), digests(changed(*change), stage)
        values = set(after.values())
        assert set(before.values()) <= values


def test_what_can_change_training_changes_its_digest():
    before = set(digests(BASE, "train").values())
    for change in [
        ("train", "steps", 51),
        ("train", "batch_size", 8),
        ("train", "update", "sgd"),
        ("train", "dtype", "float64"),
    ]:
        assert not before & set(digests(changed(*change), "train").values()), change


def test_evaluation_is_apart_from_training():
    study = changed("evaluate", "samples", 99)
    assert digests(study, "train") == digests(BASE, "train")
    assert not set(digests(study, "evaluate").values()) & set(digests(BASE, "evaluate").values())


def test_other_inception_weights_score_everything_anew():
    one = changed("evaluate", {"metrics": ["fid"], "inception": {"sha256": "a" * 8}})
    other = changed("evaluate", {"metrics": ["fid"], "inception": {"sha256": "b" * 8}})
    assert not set(digests(one, "evaluate").values()) & set(digests(other, "evaluate").values())
    assert digests(one, "train") == digests(other, "train")


def test_the_content_of_files_that_a_data_set_reads_counts(tmp_path):
    data = tmp_path / "points.npy"
    source = (ROOT / "ganbench/data/ring8.py").read_text()
    source = source.replace("modes=MODES)", f"modes=MODES, files=({str(data)!r},))")
    (tmp_path / "mine.py").write_text(source)
    found = []
    for content in (b"one", b"other"):
        data.write_bytes(content)
        sources.file_digest.cache_clear()
        study = changed("grid", 1, "dataset", str(tmp_path / "mine.py"))
        found.append(set(digests(study, "train").values()))
    assert len(found[0] & found[1]) == 24, "the runs of the other block alone are the same"


def test_relative_imports_count_like_others(tmp_path, monkeypatch):
    package = tmp_path / "ganbench"
    for name in ("metrics/_frechet.py", "metrics/mine.py", "core/tree.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    (package / "metrics/mine.py").write_text("from ._frechet import moments\nfrom ..core import tree\n")
    monkeypatch.setattr(sources, "PACKAGE", package)
    assert {path.name for path in sources._imports(package / "metrics/mine.py")} == {"_frechet.py", "tree.py"}


def test_a_job_is_named_after_all_it_is_told():
    """Snakemake reruns a job whose parameters changed; its file must then have another name too."""
    jobs = plan(BASE).train
    for change in [("machine", "checkpoint_seconds", 1), ("pack", "fuse", "never")]:
        for name, job in plan(changed(*change)).train.items():
            assert job.argument != jobs[name].argument
            assert job.path != jobs[name].path


def test_users_files_count_by_content_not_by_place(tmp_path):
    source = (ROOT / "ganbench/architectures/mlp.py").read_text()
    places = [tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"]
    for place in places:
        place.parent.mkdir()
        place.write_text(source)
    found = [set(digests(changed("grid", 1, "architecture", str(p)), "train").values()) for p in places]
    assert found[0] == found[1]
    assert len(found[0] & set(digests(BASE, "train").values())) == 24, "the runs of the other block alone are the same"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Other: pass", "must define a class named 'Architecture'"),
        ("class Architecture:\n    width: int", "option 'width' needs a default value"),
        ("class Architecture(", "line 1 is not valid Python"),
    ],
)
def test_a_user_s_file_that_is_no_member_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(GanbenchError, match=message):
        plan(changed("grid", 1, "architecture", str(path)))


def test_a_pack_too_large_for_one_job_is_refused_with_a_remedy():
    study = changed("grid", 1, "seed", {"count": 5000})
    study["pack"]["seeds_per_pack"] = 5000
    with pytest.raises(GanbenchError, match=r"lower pack\.seeds_per_pack"):
        _ = plan(study).train

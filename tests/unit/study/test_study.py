"""Studies: what is accepted, what is refused and in which words; the grid, the packs, and what a digest covers."""

from __future__ import annotations

import ast
import copy
import gc
import json
import re
from itertools import product
from pathlib import Path

import jsonschema
import pytest
import yaml
from PIL import Image
from repository import ROOT
from study_example import BASE, TOYS, changed, plan, toys

from ganbench.contracts.templates import template
from ganbench.core import source_digests
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stage_names import STAGES
from ganbench.pipeline.tasks import Observation
from ganbench.pipeline.typed_json import decode, encode
from ganbench.study import key_reference
from ganbench.study.grid import expand
from ganbench.study.names import MAX_NAME, cut_name
from ganbench.study.schema import Study, load, parse
from ganbench.study.selectors import Selector, matches

SHIPPED = [ROOT / "config/config.yaml", *sorted((ROOT / "config/studies").rglob("*.yaml"))]

# Reading --------------------------------------------------------------------------------------------------------------


def test_the_shipped_studies_are_valid_and_complete_ones_are_stable():
    for path in [ROOT / "config/config.yaml", *(ROOT / "config/studies").glob("*.yaml")]:
        study = load(path)
        again = parse(json.loads(json.dumps(study.resolved())), origin="resolved")
        assert again.resolved() == study.resolved()
        assert [run.id for run in expand(again)] == [run.id for run in expand(study)]


def test_yaml_floats_without_a_dot_are_numbers():
    study = yaml.safe_load(yaml.safe_dump(changed("grid", 1, "learning_rate", "2e-4")))
    assert parse(study, origin="s").grid[1].learning_rate == [2e-4]


def test_whole_numbers_may_have_exponents():
    study = changed("grid", 1, "seed", {"first": "1e3", "count": "1e1"})
    study["train"]["steps"], study["track"] = "1.5e3", {"pictures": "1.0e5"}
    study["grid"][0]["n_train"] = ["1e2", "all"]
    found = parse(yaml.safe_load(yaml.safe_dump(study)), origin="s")
    assert found.grid[1].seed == list(range(1000, 1010))
    assert (found.train.steps, found.track.pictures, found.grid[0].n_train) == (1500, 100_000, [100, "all"])
    with pytest.raises(GanbenchError, match="runs are more than"):
        parse(changed("grid", 0, "seed", {"count": "9e5"}), origin="s")


def test_a_key_with_nothing_below_it_has_its_default():
    empty = dict.fromkeys(("train", "machine", "evaluate", "claims", "title"))
    assert parse(BASE | empty, origin="s") == parse({k: v for k, v in BASE.items() if k not in empty}, origin="s")
    with pytest.raises(GanbenchError, match="grid: is missing"):
        parse(BASE | {"grid": None}, origin="s")


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
        r"grid\[0\]\.architecture\[0\]: unknown architecture 'dcgna'\. Did you mean 'dcgan'\? Valid: dcgan, .*mlp",
    ),
    "misspelt option": (
        ("grid", 0, "architecture", {"name": "dcgan", "base_channel": 3}),
        r"architecture 'dcgan': unknown option 'base_channel'\. Did you mean 'base_channels'",
    ),
    "wrong option type": (
        ("grid", 0, "architecture", {"name": "dcgan", "base_channels": "many"}),
        r"option 'base_channels' must be an integer from 1 to 4096, but is 'many'",
    ),
    "no name": (("grid", 0, "architecture", {"base_channels": 3}), r"mapping with a 'name'"),
    "missing file": (("grid", 0, "architecture", "./mine.py"), r"'\./mine\.py': there is no such file"),
    "empty axis": (("grid", 0, "learning_rate", []), r"grid\[0\]\.learning_rate: is an empty axis"),
    "duplicate value": (("grid", 0, "seed", [1, 2, 1]), r"grid\[0\]\.seed: has 1 more than once"),
    "duplicate architecture": (("grid", 0, "architecture", ["fc", "fc"]), r"has fc more than once"),
    "zero rate": (("grid", 0, "learning_rate", 0), r"learning_rate\[0\]: .*greater than 0.*received 0"),
    "negative rate": (("grid", 0, "learning_rate", -1e-3), r"greater than 0.*received -0\.001"),
    "infinite rate": (
        ("grid", 0, "learning_rate", float("inf")),
        r"learning_rate\[0\]: .*equal to 1e\+38 .*inf",
    ),
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
    "unknown form of steps": (
        ("pack", "execution", "jit"),
        r"pack\.execution: .*'auto', 'eager', 'traced', 'compiled' or 'graph'.*received 'jit'",
    ),
    "unknown axis": (("pack", "axes", ["seeds"]), r"pack\.axes\[0\]: .*'seed'"),
    "block training": (("grid", 1, "train", {"stepps": 1}), r"grid\[1\]\.train: unknown key 'stepps'.*'steps'"),
    "path as name": (("study", "../elsewhere"), r"study: must be 1 to 64 lower-case letters.*'\.\./elsewhere'"),
    "shell as name": (("study", "a; rm -rf x"), r"study: must be 1 to 64 lower-case letters"),
    "tracking address": (("track", "uri", "ftp://x"), r"track\.uri: must be sqlite.* but is 'ftp://x'"),
    "not a mapping": (("train", [1]), r"train: must be a mapping with keys steps"),
    "seeds beyond the last": (
        ("grid", 0, "seed", {"first": 2147483640, "count": 40}),
        r"study:\n  - grid\[0\]\.seed: seeds must be from 0 to 2147483647, but are from 2147483640 to 2147483679$",
    ),
    "seeds before the first": (
        ("grid", 0, "seed", {"first": -3, "count": 2}),
        r"seeds must be from 0 .* -3 to -2",
    ),
    "a part of a step": (("train", "steps", "1.5e0"), r"train\.steps: must be an integer \(received '1\.5e0'\)"),
    "a truth value for pictures": (("track", {"pictures": True}), r"track\.pictures: must be a number, but is .* True"),
    "home as results": (
        ("results", "~/runs"),
        r"results: .*without ~, such as '/.*/runs', but is '~/runs'",
    ),
    "home of nobody": (("results", "~no-such-user/runs"), r"results: .*without ~, .* is '~no-such-user/runs'"),
    "variable in results": (("results", "$RUNS/a"), r"results: .*without \$RUNS, since variables are not expanded"),
    "variable in braces": (("results", "${RUNS}/a"), r"results: .*without \$\{RUNS\}, since variables are not"),
    "braces in results": (("results", "a{b}"), r"results: .*without \{, of which Snakemake makes wildcards"),
    "question in results": (("results", "a?b"), r"results: .*without \?, which ends the path of a file in an address"),
    "home as data": (
        ("grid", 0, "dataset", {"name": "mnist", "folder": "~/mnist"}),
        r"grid\[0\]\.dataset\[0\]: dataset 'mnist': option 'folder' must be a path without ~",
    ),
    "braces in data": (
        ("grid", 0, "dataset", [{"name": "mnist", "folder": "a{b}"}]),
        r"grid\[0\]\.dataset\[0\]: dataset 'mnist': option 'folder' must be a path without \{",
    ),
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


@pytest.mark.parametrize("label", ["two", None])
def test_a_label_makes_no_other_point_of_a_block(label):
    """Its runs would have the digests of the others, and result files hold one run of each digest."""
    block = {"game": "bilinear", "optimizer": ["sgd", "adam"], "learning_rate": 0.1, "seed": [0, 1]}
    blocks = [block | {"label": "one"}, block | {"label": label, "optimizer": "adam", "seed": [1, 2]}]
    told = rf"grid\[1\]: run {label or 'bilinear-adam'}-.*s1 stands in grid\[0\] already, as one-adam-lr0\.1-s1; every"
    with pytest.raises(GanbenchError, match=told):
        plan({"study": "x", "grid": blocks, "train": {"steps": 5}})
    blocks[1]["seed"] = [2, 3]
    assert len(set(plan({"study": "x", "grid": blocks, "train": {"steps": 5}}).digests.train.values())) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: a\nstudy: b\n", "key 'study' stands twice"),
        ("a: &x [1]\nb: *x\n", r"line 2: aliases \(\*x\) are not accepted"),
        ("study: [", r"(?s)not valid YAML: .*\n  in line 1, column 9:\n"),
        ("a: 1\nseed: 010\n", "line 2: 010 is 8 in YAML"),
        ("learning_rate: 1:30", "line 1: 1:30 is 90 in YAML"),
        ("a: {x: 1}\n<<: {y: 2}\n", r"line 2: merge keys \(<<\) are not accepted"),
        ("", "must be a mapping"),
        ("study: !!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_yaml_with_traps_is_refused(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(GanbenchError, match=message):
        load(path)


def test_an_unknown_key_hides_no_other_fault():
    block = BASE["grid"][1] | {"learnig_rate": 1e-3, "seeed": 1, "architecture": {"name": "mlp", "widht": 8}}
    with pytest.raises(GanbenchError) as told:
        plan(BASE | {"grid": [block], "train": {"steps": "sixty"}})
    for word in ("unknown key 'learnig_rate'", "unknown key 'seeed'", "unknown option 'widht'", "train.steps: must be"):
        assert word in str(told.value)


def test_a_missing_study_is_an_error_that_names_it(tmp_path):
    with pytest.raises(GanbenchError, match=r"nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_the_schema_file_is_the_code_s():
    written = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
    assert written == Study.model_json_schema(), "write it anew: ganbench schema > workflow/schemas/study.schema.json"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_editors_accept_every_shipped_study(path):
    """An experiment may be the name of a diagnostic, and is named after it, which the schema did not know."""
    schema = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [("diagnose", [{"where": {}}], ["diagnose", 0]), ("study", "Two Words", ["study"]), ("granularity", 1, [])],
)
def test_editors_find_what_is_wrong(key, value, path):
    schema = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError) as found:
        jsonschema.validate(BASE | {key: value}, schema)
    assert list(found.value.absolute_path) == path


def test_the_reference_states_each_bound_once():
    """`minimum: 0` of a type beside `exclusiveMinimum: 0` of its field were both written."""
    for line in key_reference.markdown().splitlines():
        if line.startswith("| `"):
            bounds = line.split(" | ")[3]
            assert sum(bounds.count(sign) for sign in ("≥", ">")) <= 1, line
            assert sum(bounds.count(sign) for sign in ("≤", "<")) <= 1, line


# The grid -------------------------------------------------------------------------------------------------------------


def test_the_grid_is_every_combination():
    found = plan(BASE)
    assert len(found.grid.runs) == 2 * 2 * 2 * 3 + 4
    assert len({run.id for run in found.grid.runs}) == len(found.grid.runs)
    assert found.grid.methods == ("digits-fc", "digits-dcgan", "ring8-mlp")
    assert {run.n_train for run in found.grid.runs} == {100, 1437, 20000}
    assert found.grid.runs[-1].axes["architecture"] == "mlp"
    assert "dcgan(base_channels=4)" in {run.axes["architecture"] for run in found.grid.runs}


def test_methods_are_named_by_what_the_study_varies():
    names = plan(changed("grid", 1, "regularizer", ["none", {"name": "r1", "gamma": 2.0}])).grid.methods
    assert names == ("digits-fc", "digits-dcgan", "ring8-mlp", "ring8-mlp-r1"), "no regularizer is not worth a word"
    variants = plan(changed("grid", 1, "architecture", ["mlp", {"name": "mlp", "width": 8}])).grid.methods
    assert variants[2:] == ("ring8-mlp", "ring8-mlp-width-8")
    updates = plan(changed("grid", 1, "optimizer", ["adam", {"name": "adam", "beta1": 0.0}, "sgd"])).grid.methods
    assert updates[2:] == ("ring8-mlp-adam", "ring8-mlp-adam-beta1-0.0", "ring8-mlp-sgd")


def test_adding_seeds_moves_no_run_to_another_pack():
    before = {run.id: pack for pack in plan(BASE).grid.packs.values() for run in pack.runs}
    after = {
        run.id: pack
        for pack in plan(changed("grid", 0, "seed", list(range(7)))).grid.packs.values()
        for run in pack.runs
    }
    assert {run: pack.name for run, pack in before.items()} == {run: after[run].name for run in before}
    assert all(len({run.seed for run in pack.runs}) <= 2 for pack in after.values())


def image_folder(path: Path) -> Path:
    """Write a folder of small images."""
    path.mkdir(parents=True)
    for index in range(20):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(path / f"{index}.png")
    return path


def test_two_choices_that_would_be_called_the_same_are_refused(tmp_path):
    (tmp_path / "mlp.py").write_text((ROOT / "ganbench/architectures/mlp.py").read_text())
    study = copy.deepcopy(BASE)
    own = {"name": str(tmp_path / "mlp.py")}
    block = {"dataset": "ring8", "architecture": own, "learning_rate": 1e-3, "seed": 99}
    study["grid"].append(block)
    with pytest.raises(GanbenchError, match=r"would both be called 'mlp' .*rename a file, or give .* another label"):
        plan(study)
    own["label"] = "mine"
    assert plan(study).grid.methods[-2:] == ("ring8-mlp", "ring8-mine")


@pytest.mark.parametrize("label", [{}, {"label": "B"}])
def test_two_data_sets_of_one_name_in_files_are_refused_whatever_their_labels(tmp_path, label):
    """Else the runs of both would train on the examples of the last one."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text((ROOT / "ganbench/data/ring8.py").read_text())
    shared = {"architecture": "mlp", "learning_rate": 1e-3, "seed": 0}
    one, other = ({"name": str(tmp_path / folder / "mine.py")} for folder in ("a", "b"))
    blocks = [{"dataset": each, **shared} for each in (one | {"label": "A"}, other | label)]
    with pytest.raises(GanbenchError, match=r"/a/mine\.py' and '.*/b/mine\.py' would both be called 'mine' in .* one"):
        plan({"study": "x", "grid": blocks})
    folders = [image_folder(tmp_path / name) for name in ("cats_dogs", "Cats-dogs")]
    one, other = ({"name": "image_folder", "folder": str(folder), "image_size": 8} for folder in folders)
    blocks = [{"dataset": each, **shared} for each in (one | {"label": "A"}, other | label)]
    with pytest.raises(GanbenchError, match=r"cats_dogs.*Cats-dogs.* would both be called .*rename the folder or file"):
        plan({"study": "x", "grid": blocks})


def test_names_that_are_too_long_for_files_are_cut_and_stay_apart(tmp_path):
    """While a file is written, its name has 255 characters at most: 36 more than that of its pack or data set."""
    twins = {"objective": "minimax hinge", "regularizer": "r1 r2", "dynamics": "simultaneous alternating"}
    twins |= {"architecture": "mlp fc", "dataset": "ring8 grid", "optimizer": "adam sgd", "schedule": "cosine linear"}
    blocks = [
        {family: {"name": names.split()[index], "label": f"{family:x<39}{index}"} for family, names in twins.items()}
        for index in (0, 1)
    ]
    blocks = [block | {"learning_rate": 0.1, "seed": 2**31 - 1} for block in blocks]
    found = plan({"study": "x", "grid": blocks, "train": {"steps": 5}})
    assert len(found.grid.methods) == len(found.grid.packs) == 2
    assert all(len(name) <= MAX_NAME for name in found.grid.methods)
    assert all(len(job.path.name) + len(".0123456789ab.tmp") <= 255 for job in found.train.values())
    assert not any(job.done for job in found.all_jobs()), "no error"

    folders = [image_folder(tmp_path / ("0" * 100) / ("0" * 100) / end) for end in ("one", "other")]
    datasets = [{"name": "image_folder", "folder": str(folder), "image_size": 8} for folder in folders]
    found = plan({"study": "x", "grid": [{**BASE["grid"][1], "dataset": datasets}]})
    assert [len(name) for name in found.prepare] == [MAX_NAME] * 2
    assert len({run.id for run in found.grid.runs}) == 2 * 4


def test_names_that_files_can_have_stay_as_they_are():
    assert [cut_name("a" * count) for count in (1, MAX_NAME)] == ["a" * count for count in (1, MAX_NAME)]
    one, other = (cut_name("a" * MAX_NAME + end) for end in "bc")
    assert (one[:-12], len(one)) == (other[:-12], len(other)) == ("a" * (MAX_NAME - 13) + "-", MAX_NAME)
    assert one != other
    assert cut_name("a" * (MAX_NAME - 14) + "-." + "b" * 9)[MAX_NAME - 16 :].startswith("aa-")


def test_learning_rates_that_print_alike_are_different_runs():
    found = plan(changed("grid", 1, "learning_rate", [1e-4, 1.0000001e-4]))
    assert len({run.id for run in found.grid.runs}) == len(found.grid.runs)


def test_the_second_player_may_have_a_learning_rate_of_its_own():
    """Two time scales in one line: it names the runs that have one, and is a number that claims and selectors know."""
    study = changed("grid", 1, "generator_learning_rate", [None, "1e-4"])
    found = plan(study)
    of_ring = [run for run in found.grid.runs if run.choice("dataset").name == "ring8" and run.seed == 5]
    assert [run.id for run in of_ring] == ["ring8-mlp-n20000-lr0.001-s5", "ring8-mlp-n20000-lr0.001-lrg0.0001-s5"]
    assert [run.axes["generator_learning_rate"] for run in of_ring] == [None, 1e-4]
    assert [run.member.learning_rates for run in of_ring] == [(1e-3, 1e-3), (1e-3, 1e-4)]
    assert [run.variables["generator_learning_rate"] for run in of_ring] == [1e-3, 1e-4]
    assert len({found.digests.train[run.id] for run in of_ring}) == 2
    selector = Selector((("generator_learning_rate", (1e-4,)),))
    assert [matches(selector, run.point) for run in of_ring] == [False, True]
    (task,) = (job.task for job in found.train.values() if of_ring[0].id in [each.id for each in job.task.members])
    rates_of = {each.id: each.learning_rates for each in task.members}
    assert [rates_of[run.id] for run in of_ring] == [(1e-3, 1e-3), (1e-3, 1e-4)], "they are trained fused"
    assert decode(type(task), encode(task)) == task
    apart = plan(study | {"pack": {"axes": ["seed", "learning_rate"]}})
    assert all(len({run.generator_learning_rate for run in pack.runs}) == 1 for pack in apart.grid.packs.values())


def test_several_discriminator_steps_are_an_option_of_every_dynamics_and_named_where_varied():
    several = {"name": "extragradient", "discriminator_steps": 5}
    found = plan(toys(grid=[TOYS["grid"][0] | {"dynamics": ["extragradient", several]}], claims=[], diagnose=[]))
    assert {method for method in found.grid.methods if method.startswith("bilinear")} == {
        "bilinear-extragradient",
        "bilinear-extragradient-discriminator-steps-5",
    }
    alone = plan(toys(grid=[TOYS["grid"][0] | {"dynamics": several}], claims=[], diagnose=[]))
    assert {method for method in alone.grid.methods if method.startswith("bilinear")} == {"bilinear"}


@pytest.mark.parametrize("value", [0, -1e-3, "fast", [None, None], []])
def test_a_learning_rate_of_the_second_player_that_is_none_is_refused(value):
    with pytest.raises(GanbenchError, match=r"grid\[1\]\.generator_learning_rate"):
        plan(changed("grid", 1, "generator_learning_rate", value))


@pytest.mark.parametrize(("axes", "sizes"), [([], {1}), (["seed"], {1, 2}), (["learning_rate", "n_train"], {1, 4})])
def test_packs_span_the_axes_of_the_study_s_choice(axes, sizes):
    found = plan(changed("pack", "axes", axes))
    assert {len(pack.runs) for pack in found.grid.packs.values()} == sizes
    assert sum(len(pack.runs) for pack in found.grid.packs.values()) == len(found.grid.runs)


# Games and their parts ------------------------------------------------------------------------------------------------


def test_a_game_has_the_axes_of_its_parts_and_no_others():
    bilinear, dirac, networks = parse(toys(), origin="s").grid
    assert (bilinear.objective, bilinear.dataset, bilinear.n_train) == (None, None, None)
    assert [choice.signature for choice in dirac.regularizer] == ["none"]
    assert dirac.architecture is None
    assert [choice.signature for choice in networks.objective] == ["non_saturating"]
    assert networks.n_train == ["all"]
    found = plan(toys())
    by_game = {run.choice("game").signature: run for run in found.grid.runs}
    assert by_game["bilinear"].id == "bilinear-extragradient-sgd-lr0.5-s1"
    assert by_game["bilinear"].axes["dataset"] is None
    assert set(by_game["bilinear"].config) == {
        *("game", "dynamics", "optimizer", "schedule", "train"),
        *("n_train", "learning_rate", "generator_learning_rate", "seed"),
    }
    assert by_game["linear(matrix=[1.0, 0.0, 0.0, -1.0])"].n_train is None
    assert by_game["gan"].n_train == 20000
    assert by_game["gan"].id == "ring8-mlp-non-saturating-alternating-adam-n20000-lr0.001-s0"
    assert found.grid.gans == (by_game["gan"].method,)


BLOCK = {"learning_rate": 0.1, "seed": 0}
GAME_FAULTS = {
    "no data set": (BLOCK, r"grid\[0\]: dataset: is missing; .*'gan': dataset, architecture, objective, regularizer"),
    "no architecture": ({**BLOCK, "dataset": "ring8"}, r"grid\[0\]: architecture: is missing"),
    "objective of a game without": (
        {**BLOCK, "game": "bilinear", "objective": "minimax"},
        r"objective: the game 'bilinear' has none; its parts: none",
    ),
    "examples of a game without": (
        {**BLOCK, "game": "dirac", "n_train": 100},
        r"n_train: the game 'dirac' has none; its parts: objective, regularizer",
    ),
    "data of a game without": ({**BLOCK, "game": "dirac", "dataset": "ring8"}, r"dataset: the game 'dirac' has none"),
    "two kinds of games": (
        {**BLOCK, "game": ["gan", "bilinear"], "dataset": "ring8", "architecture": "mlp"},
        r"games of a block must be made of the same parts.*gan: dataset.*bilinear: none",
    ),
    "games of several parts": ({**BLOCK, "game": ["bilinear", "dirac"]}, r"game: the games of a block must be made"),
    "no game": ({**BLOCK, "game": []}, r"game: is an empty axis"),
    "misspelt game": ({**BLOCK, "game": "bilinaer"}, r"game\[0\]: unknown game 'bilinaer'\. Did you mean 'bilinear'"),
    "misspelt option of a game": (
        {**BLOCK, "game": {"name": "linear", "matrx": [1.0]}},
        r"game 'linear': unknown option 'matrx'\. Did you mean 'matrix'",
    ),
    "an option that is no choice": (
        {**BLOCK, "game": {"name": "gaussian", "plane": "c"}},
        r"option 'plane' must be 'b' or 'w', but is 'c'",
    ),
    "misspelt dynamics": (
        {**BLOCK, "game": "bilinear", "dynamics": "alternatng"},
        r"dynamics\[0\]: unknown dynamics 'alternatng'\. Did you mean 'alternating'",
    ),
    "update of old": (
        {**BLOCK, "game": "bilinear", "train": {"optimizer": "sgd"}},
        r"grid\[0\]\.train: unknown key 'optimizer'",
    ),
}


@pytest.mark.parametrize("fault", GAME_FAULTS)
def test_a_block_that_its_game_cannot_be_made_of_is_refused(fault):
    block, message = GAME_FAULTS[fault]
    with pytest.raises(GanbenchError, match=message):
        plan({"study": "s", "grid": [block]})


def test_a_resolved_study_is_the_same_study():
    study = parse(toys(), origin="s")
    again = parse(json.loads(json.dumps(study.resolved())), origin="resolved")
    assert again.resolved() == study.resolved()
    assert again == study
    for stage in ("train", "diagnose", "tables", "report"):
        one, other = (Plan(each).jobs(stage) for each in (study, again))
        assert {name: job.path for name, job in one.items()} == {name: job.path for name, job in other.items()}


def test_packs_over_parts_hold_teams_of_runs_that_can_fuse():
    found = plan(toys())
    by_first = {pack.runs[0].choice("game").signature: pack for pack in found.grid.packs.values()}
    assert [len(pack.runs) for pack in found.grid.packs.values()] == [16, 2, 1]
    small = by_first["bilinear"]
    assert [len(team) for team in small.fusable_groups] == [4, 4, 4, 4]
    for team in small.fusable_groups:
        assert len({run.choices for run in team}) == 1
        assert len({(run.seed, run.learning_rate) for run in team}) == 4
    task = found.train[small.name].task
    made_of = [(group.components["game"].name, group.components["dynamics"].name) for group in task.groups]
    assert sorted(made_of) == sorted(product(["bilinear", "linear"], ["simultaneous", "extragradient"]))
    by_id = {run.id: run for run in small.runs}
    for member in task.members:
        components = task.groups[member.group].components
        assert by_id[member.id].choice("game").name == components["game"].name
        assert member.method == by_id[member.id].method
        assert member.n_train is None
    assert task.prepared is None
    assert found.train[small.name].inputs == ()
    assert set(found.evaluate) == {by_first["gan"].name}, "only networks on data are evaluated"


def test_a_pack_is_named_after_what_its_runs_share():
    """By the names of components, but for those that a block has where it names none."""
    names = list(plan(toys()).grid.packs)
    assert [name.rsplit("-", 2)[0] for name in names[2:]] == ["ring8-mlp"]
    assert all(re.fullmatch(r"([a-z0-9.-]+-)?[0-9a-f]{12}-0", name) for name in names)
    assert len(set(names)) == 3
    apart = list(plan(toys(pack={"axes": ["seed", "learning_rate"]})).grid.packs)
    assert [name.rsplit("-", 2)[0] for name in apart][:2] == ["bilinear-simultaneous-sgd", "bilinear-extragradient-sgd"]
    summed = plan(changed("grid", 1, "regularizer", ["r1(gamma=2) + r2", "none"])).grid.packs
    words = {name.rsplit("-", 2)[0] for name in summed}
    assert words == {"digits-fc", "digits-dcgan", "ring8-mlp", "ring8-mlp-r1-r2"}, "of a sum, all parts"


GROWN = {  # a block, and what becomes of it
    "another value of each axis": lambda block: (
        block
        | {"dataset": ["ring8", "ring"], "architecture": ["mlp", {"name": "mlp", "width": 9}]}
        | {"objective": ["non_saturating", "hinge"], "regularizer": ["none", "r1"]}
        | {"dynamics": ["extragradient", "alternating"], "optimizer": ["sgd", "adam"]}
        | {"schedule": ["cosine", "constant"], "train": {"batch_size": [16, 8]}}
    ),
    "labels": lambda block: (
        block
        | {"label": "A block", "dataset": {"name": block["dataset"], "label": "Points"}}
        | {"architecture": {"name": block["architecture"], "label": "Small"}}
    ),
    "another order": lambda block: block | {axis: block[axis][::-1] for axis in ("learning_rate", "n_train", "seed")},
}


@pytest.mark.parametrize("grown", GROWN)
def test_files_keep_their_names_while_a_study_grows(grown):
    block = {"dataset": "ring8", "architecture": "mlp", "train": {"batch_size": 16}}
    block |= {"learning_rate": [1e-3, 1e-2], "n_train": [100, 200], "seed": [0, 1, 2]}
    study = {"study": "s", "pack": {"seeds_per_pack": 2}, "diagnose": ["path"]}
    before, after = (plan(study | {"grid": [each]}) for each in (block, GROWN[grown](block)))
    for stage in ("prepare", "judge", "reference", "train", "evaluate", "diagnose"):
        files = {job.path for job in before.jobs(stage).values()}
        assert files
        assert files <= {job.path for job in after.jobs(stage).values()}, stage
    assert before.collect.path != after.collect.path, "the tables have the names and the order of the study"


def test_a_pack_of_several_games_keeps_its_name_in_any_order():
    """Groups of runs that fuse are told apart by what they are made of."""
    study = toys()
    reordered = copy.deepcopy(study)
    for block in reordered["grid"]:
        for axis, values in block.items():
            block[axis] = values[::-1] if isinstance(values, list) else values
    one, other = plan(study), plan(reordered)
    assert any(len(job.task.groups) > 1 for job in one.train.values())
    for stage in ("train", "evaluate", "diagnose"):
        assert {job.path for job in one.jobs(stage).values()} == {job.path for job in other.jobs(stage).values()}


def test_files_of_one_name_are_told_apart_by_what_they_say(tmp_path):
    text = (ROOT / "ganbench/architectures/mlp.py").read_text()
    own = {folder: tmp_path / folder / "own.py" for folder in ("one", "copy", "other")}
    for folder, path in own.items():
        path.parent.mkdir()
        path.write_text(text.replace("= 64", "= 63") if folder == "other" else text)

    def trained(*folders: str) -> list[Job]:
        files = [{"name": str(own[folder]), "label": folder} for folder in folders]
        block = {"dataset": "ring8", "learning_rate": 1e-3, "seed": 0}
        return list(plan({"study": "s", "grid": [block | {"architecture": file} for file in files]}).train.values())

    assert {member.method for job in trained("one", "other") for member in job.task.members} == {
        "ring8-one",
        "ring8-other",
    }
    with pytest.raises(GanbenchError, match=r"'ring8-one-n20000-lr0\.001-s0' and 'ring8-copy-.* are the same training"):
        trained("one", "copy")


@pytest.mark.parametrize("axes", [["seed"], ["seed", "game"], ["dynamics", "optimizer", "objective", "regularizer"]])
def test_what_packs_span_changes_no_run(axes):
    one, other = plan(toys()), plan(toys(pack={"axes": axes, "seeds_per_pack": 1}))
    assert one.digests.train == other.digests.train
    assert sum(len(pack.runs) for pack in other.grid.packs.values()) == len(other.grid.runs)
    for pack in other.grid.packs.values():
        assert len({run.train for run in pack.runs}) == 1
        assert len({run.choice("dataset") for run in pack.runs}) == 1


def test_the_reference_of_study_files_is_the_code_s():
    written = (ROOT / "config/README.md").read_text()
    assert written == key_reference.markdown(), "write it anew: ganbench schema --format markdown > config/README.md"
    for key in ("where", "statement", "tests", "baseline", "increasing", "seeds_per_pack", "norm_growth", "sha256"):
        assert f"| `{key}` |" in written


# Labels ---------------------------------------------------------------------------------------------------------------

SLOW = {"name": "sgd", "momentum": -0.5}
LABELLED = {**SLOW, "label": "negative momentum"}


def momenta(optimizer, **sections):
    block = {"game": "bilinear", "dynamics": ["simultaneous", "alternating"], "learning_rate": 0.1, "seed": [0, 1]}
    blocks = [{**block, "optimizer": ["sgd", optimizer]}]
    return plan({"study": "momenta", "grid": blocks, "train": {"steps": 5}, **sections})


def test_a_label_stands_in_names_and_changes_no_training():
    bare, labelled = momenta(SLOW), momenta(LABELLED)
    assert "bilinear-alternating-sgd-momentum-m0.5" in bare.grid.methods
    assert labelled.grid.methods == tuple(
        name.replace("sgd-momentum-m0.5", "negative-momentum") for name in bare.grid.methods
    )
    assert list(bare.digests.train.values()) == list(labelled.digests.train.values())
    assert set(bare.digests.train) != set(labelled.digests.train)
    axes = [run.axes["optimizer"] for run in labelled.grid.runs if "negative" in run.method]
    assert set(axes) == {"negative momentum = sgd(momentum=-0.5)"}
    assert parse(labelled.study.resolved(), origin="again") == labelled.study


def test_a_label_counts_in_every_block():
    shared = {"game": "bilinear", "learning_rate": 0.1}
    blocks = [{**shared, "optimizer": LABELLED, "seed": 0}, {**shared, "optimizer": [SLOW, "adam"], "seed": 1}]
    found = plan({"study": "two", "grid": blocks, "train": {"steps": 5}})
    assert found.grid.methods == ("bilinear-negative-momentum", "bilinear-adam")
    blocks[1]["optimizer"] = {**SLOW, "label": "damped"}
    with pytest.raises(GanbenchError, match=r"sgd\(momentum=-0\.5\) has the labels 'negative momentum' and 'damped'"):
        plan({"study": "two", "grid": blocks, "train": {"steps": 5}})


@pytest.mark.parametrize(
    ("where", "runs"),
    [
        ("negative momentum", 4),
        ("negative*", 4),
        ("sgd(momentum=-0.5)", 4),
        ("sgd(momentum = -.5)", 4),
        (SLOW, 4),
        ([SLOW, "adam"], 4),
        ("sgd(*", 4),
        ("sgd", 8),
        ({"name": "sgd"}, 8),
    ],
)
def test_a_selector_names_a_value_by_its_label_or_its_options(where, runs):
    found = momenta(LABELLED, diagnose=[{"diagnostic": "path", "where": {"optimizer": where}}])
    assert sum(matches(found.grid.experiments["path"].where, run.point) for run in found.grid.runs) == runs


def test_the_label_of_a_block_names_its_methods():
    damped = {"game": "bilinear", "optimizer": SLOW, "learning_rate": 0.1, "seed": 0}
    plain = damped | {"optimizer": "sgd", "dynamics": ["simultaneous", "extragradient"], "label": "Plain SGD"}
    bare = plan({"study": "two", "grid": [damped, {**plain, "label": None}], "train": {"steps": 5}})
    found = plan({"study": "two", "grid": [damped | {"label": "negative momentum"}, plain], "train": {"steps": 5}})
    assert found.grid.methods == ("negative-momentum", "plain-sgd-simultaneous", "plain-sgd-extragradient")
    assert [run.axes["block"] for run in found.grid.runs] == ["negative momentum", "Plain SGD", "Plain SGD"]
    assert list(found.digests.train.values()) == list(bare.digests.train.values())
    where = Selector((("dynamics", ("extragradient",)), ("block", ("Plain*",))))
    assert [run.method for run in found.grid.runs if matches(where, run.point)] == ["plain-sgd-extragradient"]
    assert parse(found.study.resolved(), origin="again") == found.study


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("first", r"grid\[1\]: its method 'first' has the name of another one of grid\[0\]; give the blocks labels"),
        ("First!", r"grid\[1\]\.label: must be 1 to 40 letters.*but is 'First!'"),
        ("", r"grid\[1\]\.label: must be 1 to 40 letters.*but is ''"),
        (7, r"grid\[1\]\.label"),
    ],
)
def test_labels_of_blocks_that_would_mislead_are_refused(label, message):
    blocks = [
        {"game": "bilinear", "optimizer": name, "learning_rate": 0.1, "seed": 0, "label": text}
        for name, text in (("sgd", "first"), ("adam", label))
    ]
    with pytest.raises(GanbenchError, match=message):
        plan({"study": "x", "grid": blocks, "train": {"steps": 5}})


LABEL_FAULTS = {
    "two of one label": ([LABELLED, {"name": "adam", "label": "Negative Momentum"}], "both be called .negative-m"),
    "a member's name": ([{**SLOW, "label": "adam"}], "label 'adam' is the name of another optimizer; choose"),
    "a number": ([{**SLOW, "label": 3}], "label must be 1 to 40 letters.*but is 3"),
    "empty": ([{**SLOW, "label": ""}], "label must be 1 to 40 letters.*but is ''"),
    "a pattern": ([{**SLOW, "label": "a*"}], r"label must be 1 to 40 letters.*but is 'a\*'"),
    "of the same value": ([SLOW, LABELLED], r"has sgd\(momentum=-0\.5\) more than once"),
}  # fmt: skip


@pytest.mark.parametrize("fault", LABEL_FAULTS)
def test_labels_that_would_mislead_are_refused(fault):
    optimizers, message = LABEL_FAULTS[fault]
    block = {"game": "bilinear", "optimizer": optimizers, "learning_rate": 0.1, "seed": 0}
    with pytest.raises(GanbenchError, match=message):
        plan({"study": "x", "grid": [block], "train": {"steps": 5}})


def test_a_selector_by_options_that_a_member_lacks_is_refused():
    with pytest.raises(GanbenchError, match=r"unknown option 'momentm'\. Did you mean 'momentum'"):
        momenta(SLOW, diagnose=[{"diagnostic": "path", "where": {"optimizer": {"name": "sgd", "momentm": -0.5}}}])


# Diagnostics and claims -----------------------------------------------------------------------------------------------

GROWS = {"quantity": "path.growth", "above": 0}
CHECK = {"bound": GROWS}
CLAIM = {"id": "X", "statement": "It grows.", "tests": [CHECK]}


def claim(**kind):
    return [{**CLAIM, "tests": [kind]}]


SELECTION_FAULTS = {
    "an experiment of nothing": (
        {"diagnose": [{"diagnostic": "path", "where": {"game": "quadratic"}}], "claims": []},
        r"diagnose\.path\.where: no run of the grid matches game quadratic",
    ),
    "a claim about nothing": (
        {"claims": claim(bound={"where": {"dynamics": "consensus"}, "quantity": "path.growth", "above": 0})},
        r"claims\.X\.tests\[0\]\.bound\.where: no run of the grid matches dynamics consensus\. No run "
        "has dynamics consensus; the runs have ",
    ),
    "a second group of nothing": (
        {"claims": claim(difference={"where": {"seed": 0}, "baseline": {"seed": 9}, **GROWS})},
        r"claims\.X\.tests\[0\]\.difference\.baseline: no run of the grid matches seed 9",
    ),
    "no such axis": (
        {"diagnose": [{"diagnostic": "path", "where": {"gmae": "bilinear"}}]},
        r"diagnose\[0\]\.where: unknown axis 'gmae'\. Did you mean 'game'",
    ),
    "no such diagnostic": ({"diagnose": ["pth"]}, r"diagnose\[0\]\.diagnostic: unknown diagnostic 'pth'.*'path'"),
    "no such option": (
        {"diagnose": [{"diagnostic": {"name": "path", "tolerence": 1.0}}]},
        r"diagnostic 'path': unknown option 'tolerence'",
    ),
    "two experiments of one name": (
        {"diagnose": ["path", {"diagnostic": "path", "where": {"game": "bilinear"}}], "claims": []},
        r"diagnose: 'path' is the name of 2 experiments; give each a name of its own",
    ),
    "a name with a dot": ({"diagnose": [{"name": "a.b", "diagnostic": "path"}]}, r"diagnose\[0\]\.name: .*'a\.b'"),
    "two claims of one id": ({"claims": [CLAIM, CLAIM]}, r"claims: has X more than once"),
    "no such experiment": (
        {"claims": claim(bound={"quantity": "pth.growth", "above": 0})},
        r"claims\.X: unknown experiment 'pth'\. Did you mean 'path'",
    ),
    "no such variable": (
        {"claims": claim(closed_form={"quantity": "path.growth", "equals": "1 + learning_rte", "atol": 1e-3})},
        r"unknown variable 'learning_rte'\. Did you mean 'learning_rate'",
    ),
    "no such test": ({"claims": claim(bund={"quantity": "path.growth", "above": 0})}, r"unknown key 'bund'.*'bound'"),
    "two tests in one": ({"claims": [{**CLAIM, "tests": [{**CHECK, "proportion": {**CHECK["bound"], "at_least": 1}}]}]},
        r"claims\[0\]\.tests\[0\]: must have exactly one of the keys",
    ),
    "both sides": (
        {"claims": claim(bound={"quantity": "path.growth", "above": 0, "below": 1})},
        r"must have exactly one of above, below, but has above, below",
    ),
    "code": (
        {"claims": claim(bound={"quantity": "__import__('os').system('true')", "above": 0})},
        r"claims\[0\]\.tests\[0\]\.bound\.quantity: .*expression",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", SELECTION_FAULTS)
def test_diagnostics_and_claims_that_would_look_at_nothing_are_refused(fault):
    sections, message = SELECTION_FAULTS[fault]
    with pytest.raises(GanbenchError, match=message):
        plan(toys(**sections))


def looks_of(study) -> dict[str, Observation]:
    """Every look that the study's jobs take, by what it is called."""
    return {look.id: look for job in plan(study).diagnose.values() for look in job.task.observations}


def test_an_experiment_is_named_after_its_diagnostic_and_measures_what_it_selects():
    found, taken = plan(toys()), looks_of(toys())
    assert list(found.grid.experiments) == ["path", "turning", "convolution"]
    names = [look.experiment for look in taken.values()]
    assert names.count("path") == 16, "the games it selects"
    assert names.count("turning") == len(found.grid.runs), "all games where it selects none"
    assert names.count("convolution") == 1
    assert taken["convolution:"].run == "", "a diagnostic of the study measures once, of no run"
    assert set(found.diagnose) == {*found.grid.packs, "study"}
    for look in taken.values():
        assert look.run == "" or look.trained == found.digests.train[look.run]
    assert len({look.digest for look in taken.values()}) == len(taken)


def observation_digests(study) -> dict[str, str]:
    return {name: look.digest for name, look in looks_of(study).items()}


def test_adding_an_experiment_keeps_the_looks_of_the_others():
    before = observation_digests(toys())
    after = observation_digests(toys(diagnose=[*TOYS["diagnose"], {"name": "where", "diagnostic": "spectrum"}]))
    assert before.items() <= after.items()
    options = observation_digests(
        toys(diagnose=[{"diagnostic": {"name": "path", "tolerance": 0.1}}, *TOYS["diagnose"][1:]])
    )
    changed_ones = {name for name in before.keys() & options.keys() if before[name] != options[name]}
    assert {name.partition(":")[0] for name in changed_ones} == {"path"}


def test_a_change_of_training_changes_its_observations():
    before, after = observation_digests(toys()), observation_digests(toys(train={"steps": 21}))
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] == after[name]} == {"convolution:"}


@pytest.fixture
def edited(monkeypatch):
    """A function: as if this file of the package had been edited."""
    real = source_digests.source_digest

    def edit(name: str) -> None:
        monkeypatch.setattr(
            source_digests,
            "source_digest",
            lambda path: "edited" if path == source_digests.PACKAGE / name else real(path),
        )
        source_digests._closure_digest.cache_clear()

    yield edit
    source_digests._closure_digest.cache_clear()


@pytest.mark.parametrize(
    ("name", "trained", "looked"),
    [
        pytest.param("diagnostics/spectrum.py", "", "", id="another-diagnostic"),
        pytest.param("metrics/kd.py", "", "", id="a-metric"),
        pytest.param("games/quadratic.py", "", "", id="another-game"),
        pytest.param("dynamics/consensus.py", "", "", id="another-dynamics"),
        pytest.param("architectures/dcgan.py", "", "", id="another-architecture"),
        pytest.param("engine/evaluate.py", "", "", id="the-engine's-other-half"),
        pytest.param("diagnostics/rotation.py", "", "turning:", id="a-diagnostic"),
        pytest.param("games/dirac.py", "dirac", "dirac", id="a-game"),
        pytest.param("dynamics/extragradient.py", "extragradient", "extragradient", id="a-dynamics"),
        pytest.param("optimizers/adam.py", "adam", "adam", id="an-update"),
        pytest.param("objectives/minimax.py", "dirac", "dirac", id="an-objective"),
        pytest.param("engine/diagnose.py", "", ":", id="how-diagnostics-measure"),
        pytest.param("engine/train.py", "-", "-", id="how-runs-train"),
    ],
)
def test_an_edited_file_concerns_those_who_use_it(edited, name, trained, looked):
    """`trained` and `looked` are what the names of exactly the runs and observations that change have in them."""

    def of_runs():
        return plan(toys()).digests.train

    before = of_runs(), observation_digests(toys())
    edited(name)
    after = of_runs(), observation_digests(toys())
    for then, now, has in zip(before, after, (trained, looked), strict=True):
        assert then.keys() == now.keys()
        assert {each for each in then if then[each] != now[each]} == {each for each in then if has and has in each}


def test_claims_concern_the_tables_and_the_report_with_its_copy_in_mlflow_alone():
    one, other = plan(toys()), plan(toys(claims=[]))
    for stage in STAGES:
        same = {name: job.path for name, job in one.jobs(stage).items()} == {
            name: job.path for name, job in other.jobs(stage).items()
        }
        assert same == (stage not in ("tables", "report", "track")), stage


# Digests --------------------------------------------------------------------------------------------------------------


def digests(study, stage):
    return getattr(plan(study).digests, stage)


@pytest.mark.parametrize(
    "change",
    [
        ("grid", 0, "seed", [0, 1, 2, 9]),
        ("pack", "seeds_per_pack", 1),
        ("pack", "fuse", "never"),
        ("pack", "execution", "traced"),
        ("machine", "checkpoint_seconds", 1),
        ("title", "another"),
        ("outcome", "late_share", 0.5),
        ("grid", 1, "regularizer", ["none", "r1"]),
        ("grid", 1, "optimizer", ["adam", "sgd"]),
        ("pack", "axes", ["seed", "dynamics", "optimizer"]),
        ("diagnose", ["rotation"]),
        ("claims", [{"id": "A1", "statement": "Runs end.", "tests": [{"bound": {"quantity": "seed", "above": -1}}]}]),
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
        ("train", "precision", "float64"),
        ("train", "precision", "bfloat16"),
    ]:
        assert not before & set(digests(changed(*change), "train").values()), change
    for axis, value in [("optimizer", "sgd"), ("dynamics", "simultaneous"), ("objective", "minimax")]:
        after = digests(changed("grid", 1, axis, value), "train")
        kept = {run for run, digest in after.items() if digest in before}
        assert kept == {run for run in after if run.startswith("digits")}, axis


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
    source = template("dataset").read_text()
    assert "modes=0)" in source
    source = source.replace("modes=0)", f"modes=0, files=({str(data)!r},))")
    (tmp_path / "mine.py").write_text(source)
    found = []
    for content in (b"one", b"other"):
        data.write_bytes(content)
        source_digests.file_digest.cache_clear()
        study = changed("grid", 1, "dataset", str(tmp_path / "mine.py"))
        found.append(set(digests(study, "train").values()))
    assert len(found[0] & found[1]) == 24, "the runs of the other block alone are the same"


def test_relative_imports_count_like_others(tmp_path, monkeypatch):
    package = tmp_path / "ganbench"
    for name in ("metrics/_frechet.py", "metrics/mine.py", "core/tree.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    (package / "metrics/mine.py").write_text("from ._frechet import moments\nfrom ..core import tree\n")
    monkeypatch.setattr(source_digests, "PACKAGE", package)
    assert {path.name for path in source_digests._imports(package / "metrics/mine.py")} == {"_frechet.py", "tree.py"}


def test_a_job_is_named_after_all_that_it_computes():
    """Snakemake reruns a job whose parameters changed; its file must then have another name too."""
    jobs = plan(BASE).train
    for change in (("fuse", "never"), ("execution", "traced")):
        for name, job in plan(changed("pack", *change)).train.items():
            assert job.digest != jobs[name].digest
            assert job.path != jobs[name].path


PLACES = {
    "results": ("results", "elsewhere"),
    "address of an MLflow server": ("track", "uri", "http://server:5000"),
    "folder of weights": ("evaluate", "inception", "folder", "elsewhere"),
    "name": ("study", "renamed"),
}


@pytest.mark.parametrize("place", PLACES)
def test_where_things_lie_is_in_no_digest(place, monkeypatch):
    """Nor what the study is called; MLflow alone shows it elsewhere, or under another name."""
    monkeypatch.setitem(BASE, "evaluate", {"metrics": ["fd", "fid"]})
    monkeypatch.setitem(BASE, "diagnose", ["path"])
    one, other = plan(BASE), plan(changed(*PLACES[place]))
    assert [str(path) for path in one.files()] != [str(path) for path in other.files()] or place.startswith(("a", "f"))
    for stage in STAGES:
        ones, others = (
            {name: (job.digest, job.path.name, job.digest) for name, job in each.jobs(stage).items()}
            for each in (one, other)
        )
        shown = {"address of an MLflow server": {"track"}, "name": {"track", "report"}}.get(place, set())
        assert (ones == others) == (stage not in shown), stage


def test_mlflow_is_told_of_the_study_s_file_and_of_its_data():
    """The file is a location, and in no digest: whoever makes the plan, with or without it, finds the same stamp."""
    one, other = plan(BASE), Plan(parse(BASE, origin="test"), Path("config/study.yaml"))
    assert (one.track.task.file, other.track.task.file) == (Path(), Path("config/study.yaml"))
    assert one.track.path == other.track.path
    assert one.report.path in one.track.inputs
    assert one.track.task.report in one.report.outputs
    assert one.track.task.data == {name: job.digest for name, job in one.prepare.items()}
    assert decode(Job, json.loads(json.dumps(encode(other.track)))) == other.track


def test_members_of_one_s_own_are_known_by_what_they_say_wherever_they_lie(tmp_path):
    """In every family, in experiments too: only the words that a job is told differ, and not what Snakemake knows them
    by."""
    folders = {"architecture": "architectures/mlp", "dynamics": "dynamics/simultaneous", "dataset": "data/ring8"}
    folders |= {"metric": "metrics/fd", "diagnostic": "diagnostics/path"}
    found = []
    for place in (tmp_path / "a", tmp_path / "b" / "c"):
        place.mkdir(parents=True)
        own = {family: str(place / f"own_{family}.py") for family in folders}
        for family, name in folders.items():
            Path(own[family]).write_text((ROOT / "ganbench" / f"{name}.py").read_text())
        block = {family: own[family] for family in ("architecture", "dynamics", "dataset")}
        study = changed("grid", 1, {**block, "learning_rate": 1e-3, "seed": [0, 1]})
        study |= {"evaluate": {"metrics": [own["metric"]]}, "diagnose": [own["diagnostic"]]}
        found.append(plan(study))
    one, other = found
    for stage in STAGES:
        for name, job in one.jobs(stage).items():
            twin = other.jobs(stage)[name]
            assert (job.digest, job.path, job.digest) == (twin.digest, twin.path, twin.digest), stage
    assert one.collect.task != other.collect.task


SAMPLE = '''
"""A module."""

from __future__ import annotations

import numpy as np  # why


@decorated(1, key="x")
class Thing(Base):
    """A class."""

    size: int = 3
    """Its size."""

    def method(self, a, /, b=2, *args, c: float = -1e-3, **kwargs) -> list[int]:
        """A method."""
        # comment
        return [x ** 2 for x in (a, b) if x not in {1, None, ...}] + f"{a!r:>{b}} {c=}".split()


async def run(x: "Thing" = (u"text" "more")[0:1:2] if False else 2j) -> None:
    match x:
        case {"k": [1, *rest], **other} if rest:
            y = lambda z: (yield z)
        case Thing(size=3) | None:
            del x.size, x[...]
    with open("f") as f, g() as h:
        try:
            assert x, "no"
        except* ValueError as error:
            raise error from None
        finally:
            print(*[], sep="", **{})
    while (n := n - 1) > 0: await x; continue
'''
SAYS_THE_SAME = """
from __future__ import annotations
import numpy as np
@decorated(1, key=("x"))
class Thing(
    Base,
):
    \'Another docstring.\'
    size: int = 3
    "The meaning of an option."
    def method(self, a, /, b=2, *args, c: float = -0.001, **kwargs) -> list[int]:
        return [x**2 for x in (a, b) if x not in {1, None, ...}] + f"{a!r:>{b}} {c=}".split()
async def run(x: \'Thing\' = "textmore"[0:1:2] if False else 2j) -> None:
    match x:
        case {"k": [1, *rest], **other} if (rest):
            y = lambda z: (yield z)
        case Thing(size=3) | None:
            del x.size, x[...]
    with (open("f") as f, g() as h):
        try:
            assert x, "no"
        except* ValueError as error:
            raise error from None
        finally:
            print(*[], sep="", **{})
    while (n := n - 1) > 0:
        await x
        continue
"""


def meaning(text: str, place: Path) -> str:
    place.write_text(text)
    return source_digests.source_digest(place)


def test_the_syntax_trees_of_sources_are_not_kept(tmp_path):
    """Every collection of garbage would visit their nodes."""

    def nodes() -> int:
        return sum(isinstance(each, ast.AST) for each in gc.get_objects())

    before = nodes()
    meaning("x = 1 + 2\n" * 1000, tmp_path / "a.py")
    assert nodes() <= before


def test_sources_count_by_their_meaning(tmp_path):
    known = meaning(SAMPLE, tmp_path / "a.py")
    assert meaning(SAYS_THE_SAME, tmp_path / "a.py") == known
    for part, other in [
        ("size: int = 3", "size: int = 4"),
        ("size: int = 3", "size: float = 3"),
        ("b=2", "b=2.0"),
        ("-1e-3", "1e-3"),
        ("not in", "in"),
        ('"no"', '"yes"'),
        ("a, /, b=2", "a, b=2, /"),
        ("except*", "except"),
        (" ** 2", " * 2"),
        ("await x; continue", "continue; await x"),
        ("!r", "!s"),
        ("if rest:", "if other:"),
    ]:
        assert part in SAMPLE
        assert meaning(SAMPLE.replace(part, other, 1), tmp_path / "a.py") != known, part


def test_every_version_of_python_reads_the_same_meaning(tmp_path):
    """Computed by Python 3.11; a machine with another one must find the same files up to date."""
    assert meaning(SAMPLE, tmp_path / "a.py") == "5673325fc79f5c144700ba4b8a4e393b0c866668ea615d4966b13bd80d6c023b"


def test_a_style_sheet_counts_by_its_bytes(tmp_path):
    assert meaning("/* a */", tmp_path / "a.css") != meaning("/* b */", tmp_path / "b.css")


def test_where_jobs_run_is_not_told_to_them():
    """A study that moves from a laptop to a cluster goes on with what it has."""
    for change in [("checkpoint_seconds", 1), ("device", "cuda"), ("max_runtime", 7), ("max_mem_mb", 1000)]:
        moved = plan(changed("machine", *change))
        for stage in ("train", "evaluate", "collect", "report"):
            here = plan(BASE).jobs(stage)
            assert {name: job.task for name, job in moved.jobs(stage).items()} == {
                name: job.task for name, job in here.items()
            }


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
        ("class Other: pass", "must define one public class that derives from Architecture"),
        ("class Own(Architecture):\n    width: int", "option 'width' needs a default value"),
        ("class Architecture(", "line 1 is not valid Python"),
    ],
)
def test_a_user_s_file_that_is_no_member_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(GanbenchError, match=message):
        plan(changed("grid", 1, "architecture", str(path)))


def test_a_pack_may_be_of_any_size():
    """What a job is told travels in a file, whatever a command line can hold."""
    study = changed("grid", 1, "seed", {"count": 5000})
    study["pack"]["seeds_per_pack"] = 5000
    jobs = plan(study).train.values()
    assert max(len(job.task.members) for job in jobs) >= 5000
    for job in jobs:
        told = json.dumps(encode(job))
        assert json.dumps(encode(decode(Job, json.loads(told)))) == told


def test_runs_are_scored_by_their_own_training_whatever_the_order_of_the_blocks():
    """Members of a pack stand team by team, and blocks may scatter a team's runs."""
    block = {"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3}
    study = {
        "study": "scattered",
        "grid": [
            {**block, "dynamics": ["simultaneous", "alternating"], "seed": [0, 1]},
            {**block, "dynamics": "simultaneous", "seed": [2, 3]},
        ],
        "pack": {"axes": ["seed", "dynamics"]},
    }
    found = plan(study)
    ((name, job),) = found.evaluate.items()
    assert len(found.grid.packs[name].fusable_groups) == 2
    for member, trained in zip(job.task.members, job.task.train_digests, strict=True):
        assert trained == found.digests.train[member.id]


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (
            {"where": {"dynamics": "alternating"}, "quantity": "near.growth", "above": 1},
            "near does not measure all of dyn",
        ),
        ({"where": "study", "quantity": "near.growth", "above": 1}, "near measures runs, not the study"),
        ({"quantity": "convolution.example_1", "above": 1}, "convolution measures the study, not runs"),
        ({"where": "study", "quantity": "outcome.failed", "above": 1}, "outcome are of runs, not of the study"),
        ({"quantity": "near.growth * game_start", "above": 1}, "unknown option 'game_start'"),
    ],
    ids=["other runs", "the study", "runs", "a view of the study", "an option nobody has"],
)
def test_a_claim_that_nothing_could_decide_is_refused(test, message):
    bilinear = {"game": "bilinear", "dynamics": ["simultaneous", "alternating"], "optimizer": "sgd"}
    study = {
        "study": "undecidable",
        "grid": [{**bilinear, "learning_rate": 0.1, "seed": 0}],
        "diagnose": [
            "convolution",
            {"name": "near", "diagnostic": "path", "where": {"dynamics": "simultaneous"}},
        ],
        "claims": [{"id": "C", "statement": "something", "tests": [{"bound": test}]}],
    }
    with pytest.raises(GanbenchError, match=message):
        plan(study)


def test_a_diagnostic_of_the_study_takes_no_runs():
    study = toys(diagnose=[{"diagnostic": "convolution", "where": {"game": "bilinear"}}], claims=[])
    with pytest.raises(GanbenchError, match=r"diagnose\.convolution\.where: this diagnostic measures no runs"):
        plan(study)


@pytest.mark.parametrize("name", ["my-path", "2x", "lambda", "final", "time"])
def test_an_experiment_has_a_name_that_claims_can_say(name):
    with pytest.raises(GanbenchError, match="must be a name that claims can say"):
        parse(toys(diagnose=[{"name": name, "diagnostic": "path"}], claims=[]), origin="s")


def test_batches_enter_the_digests_of_games_with_data_only():
    small, large = (plan(toys(train={"batch_size": size}, claims=[])) for size in (32, 64))
    for run in small.grid.runs:
        same = small.digests.train[run.id] == large.digests.train[run.id]
        assert same == (run.choice("dataset") is None)

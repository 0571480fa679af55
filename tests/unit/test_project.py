"""The project as a whole: its floors, its pins, and that what its pages say is so."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path

import pytest
import yaml
from documentation import PAGES, blocks
from faces import write_images
from repository import PACKAGE, ROOT

from ganbench.cli import app
from ganbench.core import registry
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.study.schema import parse

README, THREATS = PAGES["README.md"], PAGES["docs/threat-model.md"]
TUTORIAL = "docs/tutorial.md"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

# Imports point down only: a room may use those on lower floors, and its own.
FLOOR = {
    "core": 0,
    "study": 1,
    "data": 1,
    "nn": 1,
    "optimizers": 1,
    "schedules": 1,
    "analysis": 2,
    "objectives": 2,
    "regularizers": 2,
    "judges": 2,
    "architectures": 2,
    "claims": 3,
    "games": 3,
    "metrics": 3,
    "report": 4,
    "tracking": 4,
    "dynamics": 4,
    "numerics": 5,
    "diagnostics": 6,
    "engine": 7,
    "contracts": 8,
    "lab": 8,
    "pipeline": 9,
    "export": 10,
    "commands": 11,
    "cli": 12,
    "__main__": 13,
}
NO_TORCH = ("core", "study", "analysis", "claims", "report", "tracking")
FAMILIES = {family.folder for family in registry.FAMILIES.values()}


@cache
def imported(path: Path) -> frozenset[str]:
    """Everything that a file imports, anywhere in it: modules, and what is taken from them, by full names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a thing lives"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0] if parts[0] != "__init__" else "core"


def misplaced(path: Path) -> Iterator[str]:
    """What is wrong with a module's imports."""
    here, shown = room(path), path.relative_to(PACKAGE)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "ganbench" or len(parts) == 1 or parts[1].startswith("__"):
            continue
        there = parts[1]
        if FLOOR[there] >= FLOOR[here] and there != here:
            yield f"{shown} imports {name}, which lives above or beside {here}"
        if here == there and here in FAMILIES and len(parts) > 2 and not path.stem.startswith("_"):
            shared = parts[2].startswith("_") or not (PACKAGE / here / f"{parts[2]}.py").exists()
            if not shared:
                yield f"{shown} imports {name}: components of a family never import one another"
    if here in NO_TORCH:
        heavy = {name.split(".")[0] for name in imported(path)} & {"torch", "torchvision", "snakemake"}
        if heavy:
            yield f"{shown} imports {heavy}, which {here} does without"


def test_imports_point_down():
    assert [fault for path in MODULES for fault in misplaced(path)] == []


def test_every_room_has_a_floor():
    """And no floor is kept for a room that is gone."""
    assert {room(path) for path in MODULES} == FLOOR.keys()


def import_cycles(edges: dict[str, set[str]]) -> set[tuple[str, ...]]:
    """The groups of modules that reach one another by imports.

    Args:
        edges: by module, those that it imports.
    """

    def reached(start: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = list(edges[start])
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += edges[name]
        return frozenset(found)

    reach = {name: reached(name) for name in edges}
    return {
        tuple(sorted(other for other in reach[name] if name in reach[other])) for name in edges if name in reach[name]
    }


def test_import_cycles_are_found():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": {"a", "d"}}
    assert import_cycles(edges) == {("b", "c"), ("d",)}


def imports_by_module() -> dict[str, set[str]]:
    """By module, `pipeline.plan`, the modules of the package that it imports."""
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES
    }
    edges = {}
    for module, path in modules.items():
        found = {name.removeprefix("ganbench.") for name in imported(path)}
        edges[module] = {name if name in modules else name.rpartition(".")[0] for name in found} & modules.keys()
    return edges


def test_no_module_imports_itself_by_way_of_others():
    """Imports within functions and for types alone count: they hide a cycle, and do not break it."""
    assert import_cycles(imports_by_module()) == set()


def test_no_folder_of_the_pipeline_imports_itself_by_way_of_others():
    """Nor by way of modules that lie in none of its folders, each of which stands for itself."""

    def part(module: str) -> str:
        return ".".join(module.split(".")[:2])

    edges: dict[str, set[str]] = {}
    for module, found in imports_by_module().items():
        if module.startswith("pipeline."):
            inside = {part(name) for name in found if name.startswith("pipeline.")}
            edges.setdefault(part(module), set()).update(inside - {part(module)})
    assert {"pipeline.plan", "pipeline.planning", "pipeline.stages"} <= edges.keys()
    assert import_cycles(edges) == set()


def test_a_class_or_function_is_imported_from_where_it_is():
    """From a package, or from the module that defines it: an import names the file to open."""
    elsewhere = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ganbench."):
                module = import_module(node.module)
                if hasattr(module, "__path__"):
                    continue
                found = {each.name: getattr(module, each.name) for each in node.names}
                elsewhere += [
                    f"{path.name}: {name} is of {value.__module__}, not {node.module}"
                    for name, value in found.items()
                    if (isclass(value) or isfunction(value))
                    and value.__module__.startswith("ganbench.")
                    and value.__module__ != node.module
                ]
    assert elsewhere == []


OPENING = {"read_parquet", "read_csv", "read_feather", "read_hdf"}  # tables of results
HOMES = {"core/hdf5.py", "core/result_files.py"}  # of what opens HDF5 files, and checks every value that it reads
HOMES |= {"diagnostics/_file_formats.py"}  # which compares HDF5 with other formats, in files of its own


def test_results_are_opened_where_they_are_checked():
    """Files of arrays in two modules of `core`, and what is collected in one of `analysis`; records of the repository,
    which are no results but are held to reruns of these, in one of `report`."""
    found = set()
    for path in MODULES:
        place, tree = path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())
        if place not in HOMES and "h5py" in {name.split(".")[0] for name in imported(path)}:
            annotations = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            used = {name for name in annotations if name.startswith("h5py.")}
            assert used <= {"h5py.Group"}, f"{place} uses {used}; groups are written to there, and read nowhere"
        found |= {(place, node.attr) for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {
            (place, name) for name in OPENING
        }
    assert found == {("analysis/collected.py", "read_parquet"), ("report/verdict_records.py", "read_csv")}


def test_what_a_workflow_parses_imports_no_torch():
    code = "import sys, ganbench.pipeline.snakemake as w; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_engine_needs_nothing_but_torch_numpy_and_the_standard_library():
    """A GPU node may have PyTorch and little else; games, training and diagnostics must run there."""
    absent = ("pydantic", "snakemake", "mlflow", "pytorch_fid", "pandas", "typer", "seaborn", "h5py", "yaml", "scipy")
    code = f"""
import importlib, pathlib, sys
sys.modules.update(dict.fromkeys({absent!r}))
import torch
from ganbench.contracts.networks import architecture_fault
from ganbench.core import registry
from ganbench.engine import evaluate, fusing, train
from ganbench.games import Member

def build(family, name, **parts):
    member = registry.components(family)[name]
    return member.build({{name: option.default for name, option in member.options.items()}}, **parts)

for family in ("architecture", "objective", "regularizer", "dynamics", "optimizer", "diagnostic"):
    for name in registry.components(family):
        build(family, name)
from ganbench.engine import diagnose
for name, member in registry.components("game").items():
    if "dataset" in member.constants["families"]:
        importlib.import_module(f"ganbench.games.{{name}}")
        continue
    parts = dict(objective=build("objective", "minimax"), regularizer=build("regularizer", "none"))
    rules = build("game", name, **{{family: parts[family] for family in member.constants["families"]}})
    how = train.Training(build("dynamics", "simultaneous"), build("optimizer", "sgd"), 2, torch.float64, (0, 1, 2), 2)
    train.train(rules, how, [Member(0, None, 0.1)], device=torch.device("cpu"))

from ganbench.data import DataSpec
from ganbench.games import TrainingExamples
points = TrainingExamples(torch.zeros(8, 2), torch.device("cpu"), torch.float32)
parts |= dict(data=DataSpec((2,), False, 8, 1), examples=points, architecture=build("architecture", "mlp"))
assert fusing.decide("auto", build("game", "gan", batch_size=4, **parts), 2, torch.device("cpu"))[0]
assert "torch._dynamo" not in sys.modules, "its import takes seconds, and nothing was compiled"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("folder", ["games", "dynamics", "optimizers", "regularizers", "objectives", "diagnostics"])
def test_members_import_nothing_heavier_than_torch_at_their_top(folder):
    """So that a package they need for one thing is no need of all the others."""
    allowed = {"torch", "numpy", "ganbench", "__future__", *sys.stdlib_module_names}
    for path in sorted((PACKAGE / folder).glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                heavy = {name.split(".")[0] for name in names} - allowed
                assert not heavy, f"{path.relative_to(ROOT)} imports {heavy} at its top; import it where it is used"


def test_unit_tests_lie_in_the_folders_of_what_they_test():
    unit = ROOT / "tests" / "unit"
    folders = [path.parent.relative_to(unit) for path in unit.rglob("test_*.py")]
    assert len(set(folders)) > 10
    assert all((PACKAGE / folder).is_dir() for folder in folders), folders


# Pins -----------------------------------------------------------------------------------------------------------------


def pins() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_environment_yml_has_the_pins_of_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == pins()


def test_an_environment_that_snakemake_makes_of_environment_yml_gets_the_package():
    """Snakemake runs the script of this name in it."""
    assert "pip install --no-deps --editable ." in (ROOT / "environment.post-deploy.sh").read_text().splitlines()


def test_the_lock_pins_every_dependency_exactly_and_names_no_host():
    names = {re.split(r"==", pin)[0].lower().replace("_", "-") for pin in pins()}
    assert all("==" in pin for pin in pins())
    assert not [pin for pin in pins() if "://" in pin or "@" in pin]
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    direct = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.match(r"[\w-]+", name)[0].lower() for name in direct} <= names
    unexplained = [requirement for requirement in direct if not re.search(rf'"{re.escape(requirement)}",\s*# \w', text)]
    assert not unexplained, "say in pyproject why each dependency is there"


# Pages ----------------------------------------------------------------------------------------------------------------


def test_the_readme_shows_every_room():
    """And none that is gone."""
    tree = README.partition("## Working on ganbench")[2].split("```")[1]
    shown = {word.strip("/").removeprefix("ganbench/") for word in re.findall(r"[\w./]+/(?=\s)", tree)}
    rooms = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("__init__.py")} - {"."}
    assert rooms - {"report/figures", "report/plotting"} == shown - {"workflow", "docs", "benchmarks", "results"}


def test_the_threat_model_names_files_that_exist_and_is_linked():
    named = re.findall(r"`((?:workflow|ganbench|tests)/[\w./-]+)`", THREATS)
    assert len(named) >= 10
    assert not [name for name in named if not (ROOT / name).exists()]
    assert "docs/threat-model.md" in README


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_files_of_the_pages_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    seen = 0
    for line in "\n".join([*blocks("sh", page), *blocks("text", page)]).splitlines():
        words = line.split("#")[0].split()
        assert all((ROOT / word).exists() for word in words if word.startswith(("workflow/", "config/"))), line
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        elif words[:1] == ["ganbench"]:
            assert words[1] in commands, line
        elif words[:1] == ["snakemake"] and "--workflow-profile" in words:
            assert (ROOT / words[words.index("--workflow-profile") + 1] / "config.yaml").is_file(), line
        else:
            continue
        seen += 1
    assert seen >= 5 or page not in ("README.md", "workflow/CLUSTER.md")
    for named in re.findall(r"`((?:workflow|ganbench|config|tests)/[\w./-]+)`", PAGES[page]):
        assert (ROOT / named).exists() or "/my_" in named, named


def test_every_python_block_of_the_pages_is_tested():
    """Those of the laboratory run in tests/unit/lab/test_lab.py, those of results and trained networks in
    tests/unit/export, that of MLflow in tests/cluster/test_track.py, those on layers in tests/unit/regularizers, and
    those of components of one's own are the templates of tests/unit/contracts."""
    for block in blocks("python"):
        known = (
            "class My",
            "from ganbench import lab",
            "from ganbench import export",
            "ganbench.results(",
            "import mlflow",
            "(self, player, weights):",
        )
        assert any(words in block for words in known), block


STUDIES = {  # runs
    **{"regularised-digits": 2 * 3 * 2 * 10, "schedules": 2 * 5, "circles": 2 * 2 * 3, "latent": 20 + 10, "faces": 4},
}


def planned(name: str, folder: Path) -> Plan:
    """The plan of a study of the pages, whose results and images are in a folder. That of the tutorial, which names a
    file of one's own, has a test of its own."""
    images = write_images(folder / "faces", 20, side=32)
    found = blocks("yaml", *(page for page in PAGES if page != TUTORIAL))
    texts = {
        yaml.safe_load(text)["study"]: text.replace("data/faces", str(images))
        for text in found
        if text.startswith("study:")
    }
    assert texts.keys() == STUDIES.keys()
    return Plan(parse(yaml.safe_load(texts[name]) | {"results": str(folder)}, origin="pages"))


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_of_the_pages_are_valid(tmp_path, name):
    assert len(planned(name, tmp_path).grid.runs) == STUDIES[name]


@pytest.mark.parametrize(
    "name", [name if name == "circles" else pytest.param(name, marks=pytest.mark.slow) for name in STUDIES]
)
def test_the_studies_of_the_pages_can_start(tmp_path, hurried, name):
    plan = planned(name, tmp_path)
    results_folder.prepare(plan)
    assert sum(estimate.runs for estimate in try_study(plan)[0]) == STUDIES[name]

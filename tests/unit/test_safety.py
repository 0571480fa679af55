"""Hostile studies, results and words: refused with one clear error, or shown as the words they are, and never run."""

from __future__ import annotations

import ast
import base64
import dataclasses
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import collected_example
import h5py
import numpy as np
import pytest
import tiny_studies
import torch
from repository import PACKAGE
from typer.testing import CliRunner
from workflow_project import CORES, Project

from ganbench.analysis.columns import ORIGINS
from ganbench.cli import app
from ganbench.core import registry, result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import escape_control, short_repr
from ganbench.core.hdf5 import SCALARS
from ganbench.judges import inception
from ganbench.pipeline.execution import memory
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import WEIGHTS
from ganbench.pipeline.snakemake import plan_of
from ganbench.pipeline.stages.evaluate import scorer_of
from ganbench.pipeline.tasks import ComponentConfig, FusableGroup
from ganbench.report import figures, html, tables
from ganbench.study.schema import load, parse
from ganbench.study.selectors import Selector, matches

SECONDS, MEGABYTES, CHARACTERS = 3, 300, 3000  # that refusing anything may take, and the message have
ALARM_SECONDS = 60


@contextmanager
def cheap() -> Iterator[None]:
    """A block that takes little time and memory; what would take forever is interrupted."""

    def late(*_: object) -> None:
        raise TimeoutError

    measured = memory.RESET.exists()  # on Linux
    if measured:
        memory.RESET.write_text("5")  # the peak of the tests before is forgotten
        before = memory.process_memory("VmRSS")
    former, began = signal.signal(signal.SIGALRM, late), time.process_time()
    signal.alarm(ALARM_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)
    assert time.process_time() - began < SECONDS
    if measured:
        assert (memory.process_memory("VmHWM") - before) / 2**20 < MEGABYTES


@pytest.mark.skipif(not memory.RESET.exists(), reason="only Linux forgets the most that a process has held")
def test_what_takes_memory_is_not_cheap_however_large_the_process_was_before():
    for _ in range(2):
        with pytest.raises(AssertionError), cheap():
            np.ones((MEGABYTES + 10) * 2**20, np.uint8)


# Studies --------------------------------------------------------------------------------------------------------------

BLOCK = {"game": "bilinear", "optimizer": "sgd", "learning_rate": "0.1", "seed": "0"}


def study(top: str = "", *, name: str = "hostile", steps: object = 5, **axes: str) -> str:
    """A valid study but for what is given, as text."""
    block = ", ".join(f"{key}: {value}" for key, value in (BLOCK | axes).items())
    return f"study: {name}\ntrain: {{steps: {steps}}}\ngrid: [{{{block}}}]\n{top}\n"


def networks(architecture: str) -> str:
    return study(game="gan", dataset="ring8", architecture=architecture, optimizer="adam")


def claim(quantity: str) -> str:
    claims = f"[{{id: A1, statement: So., tests: [{{bound: {{quantity: {quantity}, above: 0}}}}]}}]"
    return study(f"diagnose: [path]\nclaims: {claims}")


def laughs() -> str:
    """Ten of ten of ten ... under a key that a study has."""
    levels = [
        f"&{after} [{', '.join(10 * [f'*{before}'])}]" for before, after in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    return study(f"title: [&a [x, x], {', '.join(levels)}]")


def many(count: int, value: str = "{0}", between: str = ", ") -> str:
    return between.join(value.format(number) for number in range(1, count + 1))


HOSTILE = {
    # What grows
    "laughs": (laughs(), r"line 4: aliases \(\*a\) are not accepted"),
    "merged": (study("outcome: &a {norm_growth: 3}\ntrack: {<<: *a}"), r"aliases \(\*a\) are not accepted"),
    "deep list": (study(f"title: {'[' * 100_000}{']' * 100_000}"), "nested more than 30 levels deep"),
    "deep mapping": (study(f"title: {'{a: ' * 9_000}1{'}' * 9_000}"), "nested more than 30 levels deep"),
    "deep block": (study("title:\n" + "".join(f"{' ' * i}a:\n" for i in range(1, 900))), "nested more than 30 levels"),
    "long file": ("#" * 50_000_000, r"has more than 1,000,000 bytes"),
    "long title": (study(f"title: {'a' * 2_000_000}"), r"has more than 1,000,000 bytes"),
    "long name": (networks("a" * 100_000), r"unknown architecture 'a{900}"),
    "million rates": (study(learning_rate=f"[{'0.0000001, ' * 1_000_000}]"), r"has more than 1,000,000 bytes"),
    "many rates": (study(learning_rate=f"[{many(90_000, '0.{0:07d}')}]"), r"line 3: there are more than 20,000 values"),
    "many keys": (study(f"title: {{{many(60_000, 'k{0}: 1')}}}"), r"there are more than 20,000 values"),
    "many blocks": (f"study: a\ngrid:\n{many(3_000, '- {{x: {0}}}', chr(10))}", r"\.\.\. and 2,98\d more"),
    "many seeds": (study(seed="{count: 1000000000}"), r"1,000,000,000 runs are more than the 1,000,000"),
    "seeds again and again": (
        f"study: a\ngrid: [{many(1000, '{{game: bilinear, learning_rate: 0.1, seed: {{count: 1000000}}}}')}]",
        r"grid: 1,000,000,000 runs are more than the 1,000,000",
    ),
    "huge product": (
        study(learning_rate=f"[{many(2000, '0.{0:07d}')}]", seed="{count: 1000}"),
        r"grid: 2,000,000 runs are more than the 1,000,000",
    ),
    "negative seeds": (study(seed="{count: -1}"), "count from 1 to 1000000"),
    "truth values as seeds": (study(seed="{first: true, count: true}"), "must be whole numbers"),
    # Numbers
    "digits": (study(steps="9" * 900_000), r"line 2: '9+\.\.\.9+' is too long for a number"),
    "hexadecimal digits": (study(steps=f"0x{'f' * 900_000}"), "is too long for a number"),
    "sixties": (study(seed=f"1{':59' * 200_000}"), "is too long for a number"),
    "sixties of a fraction": (study(learning_rate=f"1{':59' * 200_000}.5"), "is too long for a number"),
    "digits in quotes": (study(steps=f"'{'9' * 4_000}'"), "train.steps: must be less than or equal to 1000000000"),
    "steps beyond all arrays": (
        study(steps="9" * 40),
        r"train\.steps holds a number of 133 bits; the largest is 2\*\*63",
    ),
    "no number": (study(steps=".nan"), r"train\.steps: must be .*received nan"),
    "no day": (study("title: 2001-99-99"), r"line 4: '2001-99-99': month must be in 1\.\.12"),
    "option": (networks(f"{{name: mlp, width: 0x{'f' * 90}}}"), r"architecture\.width holds a number of 360 bits"),
    # Formulas
    "long formula": (claim(f"'{'1+' * 300_000}1'"), "has 600001 characters; at most 500 are read"),
    "deep formula": (claim(f"'{'(' * 240}1{')' * 240}'"), "is not complete arithmetic"),
    "towering formula": (claim("'9**9**9**9**9**path.growht'"), "unknown measurement 'path.growht'"),
    "formula that runs": (claim("'__import__(chr(111)).system(1)'"), "is not understood"),
    # YAML that is more than data
    "object": (
        study("title: !!python/object/apply:os.system ['true']"),
        r"line 4: tags .*os\.system\) are not accepted",
    ),
    "tag": (study("title: !!int abc"), r"line 4: tags \(tag:yaml\.org,2002:int\) are not accepted"),
    "program for Snakemake": (study("__use_yte__: true\n?open('x'): 1"), "is not valid YAML|makes it a program"),
    "template for Snakemake": (study("__use_yte__: true\ntitle: ?open('x')"), "which makes it a program to Snakemake"),
    "repeated key": (study("title: a\ntitle: b"), "line 1: key 'title' stands twice"),
    "repeated key of JSON": ('{"study": "a", "study": "b"}', "line 1: key 'study' stands twice"),
    "list as key": (study("? [1, 2]\n: 3"), r"a key must be a word, but is \[1, 2\]"),
    "two studies": (f"{study()}---\n{study()}", "expected a single document"),
    "other letters": (study().encode("utf-16"), "is not valid YAML"),
    # What terminals obey
    "zero": (study("title: a\0b"), "#x0000"),
    "zero in quotes": (study(r'title: "a\0b"'), r"title holds the control character U\+0000 in 'a\\x00b'; take it out"),
    "escape": (study(r'title: "\e[31mred"'), r"title holds the control character U\+001B in '\\x1b\[31mred'"),
    "escape in a key": (study(r'"\e[31mred": 1'), r"holds the control character U\+001B"),
    "escape in a claim": (
        claim(r'"\e]0;owned\a"'),
        r"claims\[0\].tests\[0\].bound.quantity holds the control .*U\+001B",
    ),
    "escape in broken YAML": (study("title: [\x1b[31m"), "#x001b"),
    "letters backwards": (study('description: "a\u202e\u2066b"'), r"description holds the control character U\+202E"),
    "letters backwards in broken YAML": (study("a: [\u202e"), r"\\u202e"),
    "half a letter": (study(r'title: "a\ud800b"'), r"title holds the control character U\+D800"),
    # Paths
    "name that leaves the folder": (
        study(name="../../etc"),
        r"study: must be 1 to 64 lower-case .* but is '\.\./\.\./etc'",
    ),
    "name of the folder above": (
        study(name=".."),
        r"study: must be .* that begin with a letter or digit, but is '\.\.'",
    ),
    "name for a shell": (study(name="'$(touch x)'"), r"study: must be 1 to 64 lower-case letters"),
    "name of two lines": (study(name=r'"a\n"'), r"study: must be 1 to 64 lower-case letters"),
    "wildcards in a path": (study("results: a/{x}"), r"must be a path without \{, of which Snakemake"),
    "zero in a path": (study(r'results: "a\0b"'), r"results holds the control character U\+0000"),
    "file for a shell": (networks("'../x.py; rm -rf y'"), r"unknown architecture '\.\./x\.py; rm -rf y'"),
    "no file": (networks("'$(touch x).py'"), r"architecture '\$\(touch x\)\.py': there is no such file"),
    "no file can have the name": (
        networks(f"{'a' * 5000}.py"),
        r"architecture 'a+\.\.\.a+\.py': there is no such file",
    ),
    "no file but a device": (networks("/dev/zero.py"), "there is no such file"),
    "digest for a shell": (
        study("evaluate: {inception: {sha256: '$(x)'}}"),
        r"must be 8 to 64 of the digits .*'\$\(x\)'",
    ),
    "password of a server": (
        study("track: {uri: 'https://me:se@cret@host/x'}"),
        r"track\.uri: must be without a password",
    ),
    "password": (study("track: {uri: 'ftp://me:se@cret@host/x'}"), r"track\.uri: .*ftp://\.\.\.@host/x"),
}


LONG = ("towering formula",)  # which a trial comes before


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in HOSTILE]
)
def test_a_hostile_study_is_refused_before_any_work(name, tmp_path, monkeypatch):
    text, expected = HOSTILE[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    with cheap(), pytest.raises(GanbenchError) as told:
        CliRunner().invoke(app, ["check", "study.yaml"], catch_exceptions=False)
    message = str(told.value)
    assert re.search(expected, message), message
    assert escape_control(message) == message
    assert len(message) < CHARACTERS
    assert "secret" not in message.replace("@", "")
    assert not [each for each in tmp_path.iterdir() if each not in (path, tmp_path / "results")]
    if (tmp_path / "results").exists():  # of formulas, the last thing to be looked at
        assert "measurement" in message


def test_of_an_endless_file_only_the_beginning_is_read(tmp_path):
    path = tmp_path / "study.yaml"
    with path.open("wb") as file:
        file.truncate(2**31)
    with cheap(), pytest.raises(GanbenchError, match=r"has more than 1,000,000 bytes"):
        load(path)


def test_data_from_another_reader_are_looked_at_too():
    """Snakemake's reader takes aliases, and JSON has no other."""
    bomb: object = "x"
    for _ in range(20):
        bomb = [bomb] * 10
    with cheap(), pytest.raises(GanbenchError, match=r"s: it holds more than 200,000 values"):
        parse({"study": "a", "title": bomb}, origin="s")
    loop: list[object] = []
    loop.append(loop)
    with cheap(), pytest.raises(GanbenchError, match=r"it nests lists and mappings more than 30 levels deep"):
        parse({"study": "a", "title": loop}, origin="s")
    with pytest.raises(GanbenchError, match=r"title holds <object object.*, which is no text, number, list or mapping"):
        parse({"study": "a", "title": object()}, origin="s")


def test_the_workflow_reads_the_study_s_file_itself(tmp_path):
    """Snakemake has read it already, and kept the last of what stands there twice."""
    path = tmp_path / "study.yaml"
    path.write_text(study("title: a\ntitle: b"))
    read = {"study": "hostile", "title": "b", "grid": [BLOCK]}
    with pytest.raises(SystemExit, match="key 'title' stands twice"):
        plan_of(read, "study.yaml", files=[str(path)], verify=True)
    path.write_text(study("title: b"))
    plan = plan_of(read, "study.yaml", files=[str(path)], verify=True)
    assert (plan.study.title, plan.file) == ("b", path)


@pytest.mark.parametrize(
    "axes",
    [
        {"architecture": [{"name": "mlp", "width": width} for width in range(1, 2001)]},
        {"n_train": list(range(1, 15_001))},
    ],
)
def test_long_axes_take_no_time(axes):
    """What a study may have, it must not pay for with the square of its length."""
    block = {"dataset": "ring8", "architecture": "mlp", "learning_rate": 0.1, "seed": 0} | axes
    with cheap():
        plan = Plan(parse({"study": "a", "grid": [block]}, origin="s"))
    assert len(plan.grid.runs) == max(map(len, axes.values()))


def test_stars_take_no_time():
    """A regular expression would try every way to share a label out among its stars."""
    label = f"fc(hidden_sizes=({'8, ' * 300}))"
    with cheap():
        assert not matches(Selector((("architecture", ("*8" * 200 + "*b",)),)), {"architecture": label})
        assert matches(Selector((("architecture", ("fc" + "*8" * 200 + "*)",)),)), {"architecture": label})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a*", "a ab abc aba"),
        ("*c", "abc c"),
        ("*", "a ab abc c aba"),
        ("a*a", "aba"),
        ("*b*", "ab abc aba"),
        ("a**b", "ab"),
    ],
)
def test_stars_stand_for_anything(pattern, expected):
    found = [
        each for each in ("a", "ab", "abc", "c", "aba") if matches(Selector((("game", (pattern,)),)), {"game": each})
    ]
    assert found == expected.split()


FAULTS = {
    "steps: many": "train.steps: must be an integer (received 'many')",
    "steps: 1.5": "train.steps: must be an integer (received 1.5)",
    "steps: [[1]]": "train.steps[0]: must be an integer (received [1])",
    "steps: 0": "train.steps: must be greater than or equal to 1 (received 0)",
    "precision: float16": "train.precision: must be 'float64', 'float32', 'tf32' or 'bfloat16' (received 'float16')",
    "snapshots: 3": "train.snapshots: must be a mapping with keys count, spacing, every, but is 3",
}


@pytest.mark.parametrize("given", FAULTS)
def test_faults_of_values_are_told_in_plain_words(given, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        f"study: a\ngrid: [{{game: bilinear, optimizer: sgd, learning_rate: 0.1, seed: 0}}]\ntrain: {{{given}}}\n"
    )
    with pytest.raises(GanbenchError) as told:
        CliRunner().invoke(app, ["check", str(path)], catch_exceptions=False)
    assert str(told.value) == f"{path} is not a valid study:\n  - {FAULTS[given]}"


def test_a_value_that_is_none_of_several_kinds_has_one_fault():
    block = {"dataset": "ring8", "architecture": "mlp", "learning_rate": 0.1, "seed": 0, "n_train": ["few"]}
    with pytest.raises(GanbenchError) as told:
        parse({"study": "a", "grid": [block]}, origin="s")
    assert str(told.value).endswith("\n  - grid[0].n_train[0]: must be an integer, or must be 'all' (received 'few')")


def test_values_are_shown_short_and_without_passwords():
    assert len(short_repr(["x" * 1000] * 1000)) < 1000
    assert len(short_repr(10**5000)) < 100
    assert short_repr("https://me:se@cret@host/path") == "'https://...@host/path'"
    assert short_repr(f"https://me:{'s' * 500}@host") == "'https://...@host'"
    assert escape_control("a\x1b[1m\u202eé\n\t漢") == "a\\x1b[1m\\u202eé\n\t漢"


# Files that a study names ---------------------------------------------------------------------------------------------

OWN = '"""Mine."""\nclass Own(Architecture):\n    width: {} = 1\n'
MARK = "__import__('pathlib').Path('ran').touch()"


@pytest.mark.parametrize("annotation", [MARK, f"list[{MARK}]", f"int | {MARK}", f"Literal[{MARK}]", "object", "..."])
def test_looking_at_a_user_s_file_runs_nothing_of_it(annotation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(f"{OWN.format(annotation)}{MARK}\n")
    with pytest.raises(GanbenchError, match=r"mine\.py: option 'width' is annotated .*; an option's type is made of"):
        registry.find("architecture", "mine.py").complete({})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int | None", None),
        ("Literal['a', 1]", "a"),
        ("tuple[float, ...]", (1.0,)),
        ("dict[str, list[int]]", {"a": [1]}),
    ],
)
def test_types_of_options_are_read(annotation, value, tmp_path):
    (tmp_path / "mine.py").write_text(OWN.format(annotation))
    assert registry.find("architecture", str(tmp_path / "mine.py")).complete({"width": value}) == {"width": value}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("漢字.py", b"", "must have a letter from a to z or a digit"),
        (f"{'a' * 200}.py", b"", "at most 64 characters"),
        ("a.py", b"\xff\xfe", "cannot be read as Python"),
        ("b.py", b"x = " + b"(" * 5000, "is not valid Python"),
        ("c.py", b"x = " + b"-" * 900_000 + b"1", "cannot be read as Python|is not valid Python"),
        ("d.py", b"x\0", "cannot be read as Python|is not valid Python"),
    ],
)
def test_files_that_are_no_members_are_refused(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with cheap(), pytest.raises(GanbenchError, match=message):
        registry.find("architecture", str(tmp_path / name))


NASTY = (
    "{wildcards} {config} {{x}} $(touch ran) `touch ran` '; touch ran; ' \" \\ %s ${HOME} <b> !! # é 漢\nsecond line"
)


@pytest.mark.cluster
def test_words_reach_jobs_as_they_are(tmp_path):
    """Slices travel as arguments of shell commands that Snakemake formats."""
    own = tmp_path / "own" / "$(touch ran); 'x\" {y} é.py"
    own.parent.mkdir()
    own.write_text((PACKAGE / "architectures" / "mlp.py").read_text())
    project = Project.create(
        tmp_path / "project",
        tiny_studies.LABORATORY
        | {"title": NASTY, "description": NASTY, "results": "results $(touch ran); 'x\" [/y]"}
        | {"grid": [*tiny_studies.LABORATORY["grid"], tiny_studies.POINTS | {"architecture": str(own)}]}
        | {"claims": [claim | {"statement": NASTY, "note": NASTY} for claim in tiny_studies.LABORATORY["claims"]]},
    )
    done = project.dry_run(*CORES, "--printshellcmds").succeeded()
    assert {"collect", "report", "train ring8-touch-ran-x-y"} <= done.jobs
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.cluster
def test_results_may_lie_in_folders_of_any_name_and_one_run_is_not_many(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(study("""results: "a $(touch ran); 'b' [/c] [red] :smile:" """))
    result = CliRunner().invoke(app, ["check", "study.yaml"], catch_exceptions=False, env={"COLUMNS": "300"})
    assert "Results: a $(touch ran); 'b' [/c] [red] :smile:/hostile" in result.output
    assert re.search(r"^hostile: 1 run in 1 pack *$", result.output, re.MULTILINE)
    assert not list(tmp_path.rglob("ran"))


# Results --------------------------------------------------------------------------------------------------------------


def linked(link: h5py.SoftLink | h5py.ExternalLink) -> Callable[[h5py.Group], None]:
    def make(group: h5py.Group) -> None:
        group["x"] = link

    return make


def array(*given: object, **options: object) -> Callable[[h5py.Group], object]:
    return lambda group: group.create_dataset("x", *given, **options)


def checked(checksums: object) -> Callable[[h5py.Group], None]:
    def make(group: h5py.Group) -> None:
        group.create_dataset("x", data=np.arange(3.0)).attrs["crc32"] = checksums

    return make


def scalars(values: np.ndarray) -> Callable[[h5py.Group], None]:
    return lambda group: result_files.write_tree(group, {SCALARS: values})


def text(content: str) -> np.ndarray:
    return np.frombuffer(content.encode(), np.uint8)


def virtual(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    group.create_virtual_dataset("x", layout)


def loop(group: h5py.Group) -> None:
    group["x"] = group


def laughing(group: h5py.Group) -> None:
    for _ in range(12):
        deeper = group.create_group("x0")
        for number in range(1, 10):
            group[f"x{number}"] = deeper
        group = deeper


def deep(group: h5py.Group) -> None:
    for _ in range(3000):
        group = group.create_group("x")


def datatype(group: h5py.Group) -> None:
    group["x"] = np.dtype("f8")


RESULTS = {
    "link into another file": (linked(h5py.ExternalLink("other.h5", "/x")), "'/runs/d/x' is a link to elsewhere"),
    "link to nothing": (linked(h5py.SoftLink("/nowhere")), "'/runs/d/x' is a link to elsewhere"),
    "values of any file": (array((100,), "f8", external=[("/etc/passwd", 0, 800)]), "is no plain array of numbers"),
    "values of another result": (virtual, "is no plain array of numbers"),
    "terabytes": (array((10**12,), "f8"), "is no plain array of numbers"),
    "terabytes in chunks": (array((10**12,), "f8", chunks=(1000,)), "is no plain array of numbers"),
    "zeros": (array(data=np.zeros(10**6), compression="gzip"), "is no plain array of numbers"),
    "texts": (array(data=["a"], dtype=h5py.string_dtype()), "is no plain array of numbers"),
    "records": (array(data=np.zeros(3, [("a", "f8")])), "is no plain array of numbers"),
    "nothing": (array(data=h5py.Empty("f8")), "is no plain array of numbers"),
    "loop": (loop, "'/runs/d' has several links to it"),
    "laughs": (laughing, "'/runs/d/x0' has several links to it"),
    "depth": (deep, "is neither an array nor a group of arrays"),
    "datatype": (datatype, "is neither an array nor a group of arrays"),
    "no checksums": (array(data=np.arange(3.0)), "'/runs/d/x' has no checksums"),
    "too many checksums": (checked(np.zeros(2, np.uint32)), "'/runs/d/x' has no checksums"),
    "checksums in a table": (checked(np.zeros((1, 1), np.uint32)), "'/runs/d/x' has no checksums"),
    "checksums in words": (checked(np.bytes_("none")), "'/runs/d/x' has no checksums"),
    "another checksum": (checked(np.zeros(1, np.uint32)), "'/runs/d/x' holds other values than were written"),
    "no JSON": (scalars(text("{no JSON")), "'/runs/d/scalars.json' is not JSON"),
    "deep JSON": (scalars(text("[" * 30_000)), "'/runs/d/scalars.json' is not JSON"),
    "a list": (scalars(text("[1]")), "'/runs/d/scalars.json' is not JSON"),
    "numbers in place of JSON": (scalars(np.arange(3.0)), "'/runs/d/scalars.json' is not JSON"),
}


def result(path: Path, make: Callable[[h5py.Group], object]) -> Path:
    with result_files.create_file(path, "train") as file:
        make(file.create_group("runs/d"))
    return path


@pytest.mark.parametrize("name", RESULTS)
def test_a_hostile_result_is_refused_by_the_name_of_what_is_wrong(name, tmp_path):
    make, expected = RESULTS[name]
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.arange(3)
    path = result(tmp_path / "a.h5", make)
    with cheap(), result_files.open_file(path, "train") as file, pytest.raises(GanbenchError) as told:
        result_files.read_tree(result_files.descend(file, "runs", "d"))
    assert str(told.value).startswith(f"{path}: ")
    assert re.search(expected, str(told.value)), told.value
    assert "Remove the file" in str(told.value)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"ganbench": np.arange(3)}, "that ganbench did not write"),
        ({"ganbench": "train"}, "that ganbench did not write"),  # its characters would lie where HDF5 checks nothing
        ({"ganbench": np.bytes_("\x1b[31m")}, r"of kind '\\x1b\[31m'"),
        ({"format": np.arange(3)}, r"has format array\(\[0, 1, 2\]\)"),
        ({"format": np.bytes_("\x1b[31m")}, r"has format b'\\x1b\[31m'"),
    ],
)
def test_hostile_marks_of_a_result_are_refused(attributes, message, tmp_path):
    path = result(tmp_path / "a.h5", array(data=np.arange(3)))
    with h5py.File(path, "a") as file:
        for name, value in attributes.items():
            file.attrs[name] = value
    with pytest.raises(GanbenchError, match=message), result_files.open_file(path, "train"):
        pass


def test_what_a_link_at_the_top_leads_to_is_not_read(tmp_path):
    result(tmp_path / "other.h5", array(data=np.arange(3)))
    path = result(tmp_path / "a.h5", array(data=np.arange(3)))
    with h5py.File(path, "a") as file:
        del file["runs"]
        file["runs"] = h5py.ExternalLink("other.h5", "/runs")
    with (
        result_files.open_file(path, "train") as file,
        pytest.raises(GanbenchError, match="'/runs' is a link to elsewhere"),
    ):
        result_files.descend(file, "runs", "d")
    assert result_files.find_runs(tmp_path, "train", ["d"]) == {"d": tmp_path / "other.h5"}, (
        "damaged files are passed over"
    )


def test_a_result_names_no_program(tmp_path, monkeypatch):
    """Which judge there is, the study says, and no file of results."""
    monkeypatch.chdir(tmp_path)
    Path("judge.py").write_text(f'"""A judge."""\nclass Judge:\n    pass\n{MARK}\n')
    with result_files.create_file(Path("judge.h5"), "judge") as file:
        result_files.write_tree(file.create_group("judge"), {"name": "judge.py", "options": {}})
        result_files.write_tree(file.create_group("state"), {})
    groups = (FusableGroup({"dataset": ComponentConfig("ring8", {})}, ""),)
    task = SimpleNamespace(weights=None, judge=Path("judge.h5"), metrics=(), prepared=Path("none.h5"), groups=groups)
    with suppress(Exception):
        scorer_of(task)
    assert not Path("ran").exists()


def test_weights_are_no_program(tmp_path, monkeypatch):
    """The file's checksum may be told by its first characters, which another file can be made to have."""

    class Program:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({"a": Program()}, folder / WEIGHTS)
    with pytest.raises(Exception, match="Weights only load failed"):
        inception.pretrained.__wrapped__()
    assert not (tmp_path / "ran").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ, "other loads are their callers' matter"


# Sources --------------------------------------------------------------------------------------------------------------

PAGES = ("report.html.j2", "comparison.html.j2")  # whole pages, which have a style and a script
PICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNNING = {"eval", "exec", "compile", "__import__"}
LOADING = {  # by object and attribute; None is any object
    *(
        (None, name)
        for name in ("unsafe_load", "full_load", "load_all", "read_pickle", "to_pickle", "from_string_unsafe")
    ),
    *(("torch", name) for name in ("load", "save")),
    *(("os", name) for name in ("system", "popen")),
    *(("yaml", name) for name in ("FullLoader", "UnsafeLoader", "Loader")),
    *(("subprocess", name) for name in ("getoutput", "getstatusoutput")),
}


# Compares formats of files: it writes files of PyTorch into a folder of its own, and reads no others of that kind.
COMPARING = PACKAGE / "diagnostics" / "_file_formats.py"


def data_only(node: ast.AST) -> ast.AST | None:
    """The name `torch.load` in a call that reads nothing but data."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="load") as function, keywords=keywords):
            only = any(each.arg == "weights_only" and ast.unparse(each.value) == "True" for each in keywords)
            return function if only else None
    return None


def faults(tree: ast.AST) -> Iterator[str]:
    """What would read more than data, or run it."""
    harmless = {*map(data_only, ast.walk(tree))}
    for node in ast.walk(tree):
        if node in harmless:
            continue
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name.split(".")[0] in PICKLING)
            case ast.ImportFrom(module=str() as module) if module.split(".")[0] in PICKLING:
                yield module
            case ast.ImportFrom(module="torch" | "os" | "yaml" as module, names=names):
                yield from (f"{module}.{each.name}" for each in names if (module, each.name) in LOADING)
            case ast.Name(id=name) if name in RUNNING:
                yield name
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if {(owner, name), (None, name)} & LOADING:
                yield f"{owner}.{name}"
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="yaml"), attr="load"), args=[_, ast.Name(id="StrictLoader")]
            ):
                pass
            case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr="load")):
                yield "yaml.load"
            case ast.keyword(arg="shell" | "allow_pickle" as name, value=ast.Constant(value=True)):
                yield name


def test_no_source_reads_more_than_data():
    found = {path: {*faults(ast.parse(path.read_text()))} for path in PACKAGE.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {COMPARING: {"torch.save"}}


@pytest.mark.parametrize(
    "source",
    [
        *(
            "import pickle",
            "from joblib import load",
            "import torch\ntorch.load(x)",
            "torch.load(x, weights_only=False)",
            "from torch import load",
            "eval(x)",
        ),
        *("exec(x)", "np.load(x, allow_pickle=True)", "pd.read_pickle(x)", "yaml.load(x)", "yaml.load(x, yaml.Loader)"),
        *("yaml.unsafe_load(x)", "os.system(x)", "subprocess.run(x, shell=True)", "__import__(x)"),
    ],
)
def test_sources_that_read_more_than_data_would_be_found(source):
    assert list(faults(ast.parse(source)))


@pytest.mark.parametrize("path", sorted((PACKAGE / "report").glob("*.j2")), ids=lambda path: path.name)
def test_templates_let_nothing_through_but_style_and_script(path):
    unescaped = re.findall(r"\{\{[^}]*\|\s*safe[^}]*\}\}|autoescape|Markup", path.read_text())
    assert unescaped == (["{{ style|safe }}", "{{ script|safe }}"] if path.name in PAGES else [])


# Words in the report --------------------------------------------------------------------------------------------------

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "</style></pre></title></textarea><svg onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "@import url(http://evil.example/x.css);",
    "<base href='http://evil.example/'><meta http-equiv=refresh content='0;url=http://evil.example'>",
    "{{ 7 * 7 }} {% raw %} {# x #} &lt; &#60; $x^2$ <!-- ]]>",
)


def words(place: str) -> str:
    return " ".join((place, *ATTACKS))


class Loads(HTMLParser):
    """What a page would load, its scripts, and its words."""

    TAGS = ("iframe", "object", "embed", "base", "link", "svg", "form", "frame", "applet")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found, self.images, self.words, self.scripts, self._inside = [], [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self._inside.append(tag)
        if tag == "script":
            self.scripts.append([attrs, ""])
        self.found += [tag] if tag in self.TAGS or (tag == "meta" and "refresh" in str(attrs)) else []
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc", "formaction"):
                self.found.append((tag, name))
            if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"):
                if value.startswith("data:image/"):
                    self.images.append(value)
                elif not re.fullmatch(r"#[\w-]+|figures/[\w-]+\.(svg|png)", value):
                    self.found.append((tag, name, value))

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if self._inside and self._inside[-1] == "style" and re.search(r"@import|url\(|expression\(", data):
            self.found.append(("style", data))
        if self._inside and self._inside[-1] == "script":
            self.scripts[-1][1] += data
        else:
            self.words.append(data)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    """A report in which everything that may come from a study or its results is hostile."""
    folder = tmp_path_factory.mktemp("report")
    collected = collected_example.build(folder / "collected")
    few = collected_example.only(collected, collected.runs["method"] == "ring8-mlp")
    renamed = {name: words(name) for name in ("outcome_evidence", *ORIGINS)}
    runs = few.runs.assign(
        **renamed,
        objective=[words(f"objective {number % 2}") for number in range(len(few.runs))],
        digest=words("digest"),
    )
    info = dataclasses.replace(few.metrics["fd"], title=ATTACKS[0], what=words("meaning"))
    references = few.references.assign(sampling=words("how"), dataset=words("data set"))
    few = dataclasses.replace(few, runs=runs, references=references, metrics=few.metrics | {"fd": info})
    claims = [
        {"id": "A1", "source": words("source"), "statement": words("statement"), "note": words("note")}
        | {
            "tests": [
                {"bound": {"quantity": "outcome.failed", "below": 2, "where": {"objective": words("objective 0")}}}
            ]
        },
    ]
    given = {"study": words("name"), "title": words("title"), "description": words("description"), "claims": claims}
    kinds = [("outcomes", None), ("quality", None), ("losses", "ring8-mlp")]
    figures.write(few, folder / "figures", kinds)
    html.render(few, given | {words("key"): [words("value")]}, folder / "figures", kinds, folder / "report.html")
    tables.write(few, folder / "tables")
    notes = (folder / "tables" / "COLUMNS.md").read_text(encoding="utf-8")
    assert "<script" not in notes
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_report_runs_and_loads_nothing_of_hostile_words(report):
    page = Loads(report)
    assert not page.found
    assert len(page.images) == 3
    (kind, data), (none, script) = page.scripts
    assert kind == [("type", "application/json"), ("id", "run-records")]
    assert words("digest") not in data  # the table of runs has it
    assert words("objective 0") in dict(json.loads(data)["options"])["objective"]
    assert "<" not in data
    assert none == []
    assert script == (PACKAGE / "report" / "report.js").read_text(encoding="utf-8")


def test_the_report_shows_hostile_words_as_they_are(report):
    text = " ".join(" ".join(Loads(report).words).split())
    places = ("title", "description", "source", "statement", "note", "how", "data set", "meaning", "outcome_evidence")
    for place in (*places, "name", "device", "commit", "digest", "objective 0"):
        assert " ".join(words(place).split()) in text, place


def test_figures_in_the_report_run_and_load_nothing(report):
    for image in Loads(report).images:
        media, _, data = image.partition(";base64,")
        if media == "data:image/svg+xml":
            for element in ElementTree.fromstring(base64.b64decode(data)).iter():
                assert element.tag.rpartition("}")[2] not in ("script", "foreignObject", "a", "image")
                for name, value in element.attrib.items():
                    assert not name.rpartition("}")[2].startswith("on"), name
                    assert "href" not in name or value.startswith("#"), value


def test_a_name_of_a_study_s_run_needs_no_quotes(tmp_path):
    """Whatever a user's file is called, its runs' names are words for paths, shells and wildcards."""
    own = tmp_path / "$(x); 'y\" {z} é&.py"
    own.write_text((PACKAGE / "architectures" / "mlp.py").read_text())
    block = {"dataset": "ring8", "architecture": ["mlp", str(own)], "learning_rate": 0.1, "seed": 0}
    plan = Plan(parse({"study": "a", "grid": [block]}, origin="s"))
    for name in (*plan.grid.packs, *plan.grid.methods, *(run.id for run in plan.grid.runs)):
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name), name

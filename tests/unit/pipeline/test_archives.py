"""Archives of public data sets in a study: planned before they are there, verified before they are read."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import archives as made
import pytest
from typer.testing import CliRunner

from ganbench.cli import app
from ganbench.core import dataset_specs, result_files
from ganbench.core.errors import GanbenchError
from ganbench.data import _mnist, mnist
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import archives
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.check import check
from ganbench.pipeline.snakemake import plan_of
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse


def study(place: Path, *datasets: dict) -> dict:
    block = {"architecture": {"name": "fc", "hidden_sizes": [8]}, "learning_rate": 1e-3, "seed": 0}
    grid = [block | {"dataset": each} for each in datasets]
    return {"study": "public", "results": str(place / "results"), "grid": grid}


def plan(place: Path, **options) -> Plan:
    dataset = {"name": "mnist", "folder": str(place / "mnist"), **options}
    found = Plan(parse(study(place, dataset), origin="study"))
    results_folder.prepare(found)
    return found


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Small files in place of MNIST's, with their own sizes and checksums."""
    made.write_mnist(tmp_path / "mnist")
    files = tuple((name, made.md5(tmp_path / "mnist" / name)) for name, _ in _mnist.MNIST_FILES)
    monkeypatch.setattr(mnist, "MNIST_FILES", files)
    for module in (mnist, _mnist):
        monkeypatch.setattr(module, "SIZES", {"train": 40, "heldout": 20})
    dataset_specs._describe_cached.cache_clear()
    yield tmp_path
    dataset_specs._describe_cached.cache_clear()


def test_a_study_is_planned_before_its_archives_are_there(tmp_path):
    before = plan(tmp_path)
    (job,) = before.prepare.values()
    assert [path.name for path in job.inputs] == [name for name, _ in _mnist.MNIST_FILES]
    assert list(before.archives) == list(job.inputs)
    assert len(before.needed_archives) == 4
    made.write_mnist(tmp_path / "mnist")
    after = plan(tmp_path)
    assert [each.digest for each in after.prepare.values()] == [job.digest]
    with pytest.raises(GanbenchError, match=r"mnist/train-images-idx3-ubyte\.gz has the MD5 .*whose MD5 is f68b3c2d"):
        run(job)


def test_archives_are_verified_and_read_once_into_bytes_that_every_job_maps(small):
    found = plan(small)
    (job,) = found.prepare.values()
    run(job)
    with result_files.open_file(job.path, "prepare") as file:
        examples = result_files.read_tree(result_files.descend(file, "examples"), most=10)
    assert examples["train"].shape == (40, 1, 28, 28)
    assert examples["train"].dtype == "uint8"
    assert type(examples["train"]).__name__ == "memmap"
    for archive in found.archives:
        archive.unlink()
    assert plan(small).needed_archives == []  # what is prepared needs them no more


def test_a_check_reads_archives_once_and_again_when_they_change(small, monkeypatch):
    needed, read = plan(small).needed_archives, []
    known, verify = small / "results" / archives.VERIFIED, archives.verify
    monkeypatch.setattr(archives, "verify", lambda archive, path=None: read.append(archive) or verify(archive, path))

    def count() -> int:
        read.clear()
        archives.provide(needed, known)
        return len(read)

    assert [count(), count()] == [4, 4], "files that have just been written may change within one time stamp"
    before = time.time() - 60
    for archive in needed:
        os.utime(archive.path, (before, before))
    assert [count(), count()] == [4, 0]
    known.write_text("[1, 2]")
    assert count() == 4
    Path(needed[1].path).write_bytes(b"another")
    with pytest.raises(GanbenchError, match=r"has the MD5 .* Remove it, then "):
        count()
    assert read == [needed[1]]
    Path(needed[1].path).unlink()
    with pytest.raises(GanbenchError, match=r"is missing, and has no address for programs"):
        archives.provide([replace(each, url="") for each in needed], known)


def test_a_check_refuses_a_wrong_archive_before_anything_else(small):
    made.write_mnist(small / "mnist", train=41)
    with pytest.raises(GanbenchError, match=r"train-images-idx3-ubyte\.gz has the MD5 .* Remove it, then "):
        check(plan(small))


def refused(place: Path, *datasets: dict, capsys: pytest.CaptureFixture) -> str:
    """What a workflow says as it ends while it is planned."""
    with pytest.raises(SystemExit) as ended:
        plan_of(study(place, *datasets), "study", verify=True)
    return f"{ended.value}{capsys.readouterr().err}"


def test_a_workflow_asks_for_archives_without_an_address(tmp_path, capsys):
    said = refused(tmp_path, {"name": "celeba", "folder": str(tmp_path / "faces")}, capsys=capsys)
    assert "img_align_celeba.zip is missing, and has no address for programs. Put the file img_align_celeba.zip" in said
    assert f"into the folder {tmp_path / 'faces'}." in said


def test_one_path_cannot_have_two_checksums(tmp_path, capsys):
    folder = str(tmp_path / "same")
    names = ("mnist", "fashion_mnist")
    said = refused(tmp_path, *({"name": name, "folder": folder} for name in names), capsys=capsys)
    assert re.search(r"same/train-images-idx3-ubyte\.gz cannot have both the MD5 \w+, for mnist\(", said)
    assert "Give each of these data sets a folder of its own." in said
    both = Plan(parse(study(tmp_path, {"name": "stacked_mnist"}, {"name": "mnist"}), origin="study"))
    assert len(both.archives) == 4, "the same files of two data sets are the same archives"


def test_another_checksum_is_another_data_set(small, monkeypatch):
    (one,) = plan(small).prepare.values()
    monkeypatch.setattr(mnist, "MNIST_FILES", ((mnist.MNIST_FILES[0][0], "0" * 32), *mnist.MNIST_FILES[1:]))
    dataset_specs._describe_cached.cache_clear()
    (other,) = plan(small).prepare.values()
    assert one.digest != other.digest


def test_the_command_fetches_and_verifies(tmp_path):
    source, place = tmp_path / "source", tmp_path / "new" / "file"
    source.write_bytes(b"content")
    told = ["archive", str(place), "--url", source.as_uri(), "--checksum", made.md5(source)]
    assert CliRunner().invoke(app, told).exit_code == 0
    assert place.read_bytes() == b"content"
    wrong = CliRunner().invoke(app, [*told[:-1], "0" * 32])
    assert isinstance(wrong.exception, GanbenchError)

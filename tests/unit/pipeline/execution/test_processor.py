"""Results do not hang on the machine: on its cores and environment not at all, on its processor as little as is said.

docs/reproducibility.md promises: the same bits on one kind of processor with the same versions, whatever the number of
cores; and of the same networks scores within a tolerance on any. Jobs run here as processes whose libraries are told to
take other numbers of threads, and the kernels of other processors.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
import torch
from comparing import CLOCKS, runs_of
from needs import need
from processors import AS_IT_IS, blas_kernels
from repeated import again, begun
from stored import flat, tree_of

from ganbench.analysis.columns import ORIGINS, RUNS
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.execution import processor, provenance, result_cache
from ganbench.pipeline.tasks import PackMember
from ganbench.pipeline.typed_json import encode

# Of a score, or of the spread of features where that is larger: scores that are small are differences of large numbers.
CLOSE = {"rtol": 1e-5, "atol": 1e-4}
ON = [name for name in RUNS if name.endswith("_on")]


def result(folder: Path, pattern: str) -> list[Path]:
    found = sorted((folder / "results").rglob(pattern))
    assert found, f"no {pattern} in {folder}"
    return found


def checksums(folder: Path, stage: str) -> dict[str, str]:
    """Of the result files of a stage, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in result(folder, f"{stage}/*.h5")}


def arrays(folder: Path, stage: str) -> dict[str, np.ndarray]:
    """All arrays in the result files of a stage, and the numbers that diagnostics found."""
    found: dict[str, np.ndarray] = {}
    for path in result(folder, f"{stage}/*.h5"):
        kept = flat(tree_of(path))
        found.update((name, value) for name, value in kept.items() if isinstance(value, np.ndarray))
        for name in [name for name in kept if name.endswith("/columns")]:
            place = name.removesuffix("columns")
            numbers = zip(kept[name], found.pop(f"{place}values"), strict=True)
            found.update((f"{place}{column}", np.array(number)) for column, number in numbers)
    return found


def about(folder: Path, stage: str) -> dict[str, object]:
    """What the first result of a stage was computed with."""
    path = result(folder, f"{stage}/*.h5")[0]
    with result_files.open_file(path, stage) as file:
        if stage in ("judge", "reference"):
            return result_files.read_tree(result_files.descend(file, "about"))
        runs = result_files.descend(file, "runs")
        return result_files.read_tree(result_files.descend(runs, min(runs), "about"))


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(result(folder, f"{name}.parquet")[0])


# Threads -------------------------------------------------------------------------------------------------------------

COUNTED = """
import os, subprocess, sys
import numpy, torch
from threadpoolctl import threadpool_info
from ganbench.pipeline.execution.processor import one_thread, threads

one_thread()
import scipy.linalg, sklearn.utils  # which bring libraries of their own
for info in threadpool_info():
    assert info["num_threads"] == 1, info
assert torch.get_num_threads() == torch.get_num_interop_threads() == threads() == 1
child = "import numpy, torch, threadpoolctl as t; print({pool['num_threads'] for pool in t.threadpool_info()})"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
one_thread()
"""
SETTINGS = [
    {},
    {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1", "LC_ALL": "C"},
    {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"},
    {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "2"},
]


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS[-2:])
def test_a_process_keeps_to_one_thread_whatever_its_environment_says(setting):
    done = subprocess.run(
        [sys.executable, "-c", COUNTED], env=AS_IT_IS | setting, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{1}", "processes that it starts"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    return begun(tmp_path_factory.mktemp("prepared") / "study")


@pytest.mark.cluster
def test_the_environment_changes_no_bit_of_any_stage(prepared, tmp_path):
    stages = ("judge", "reference", "train", "evaluate", "diagnose", "collect")
    one, *others = [again(prepared, tmp_path / str(place), stages, each) for place, each in enumerate(SETTINGS)]
    assert about(one, "train")["threads"] == 1
    for other in others:
        for stage in ("judge", "reference"):
            assert checksums(one, stage) == checksums(other, stage), f"{stage} in {other}"
        for stage in ("evaluate", "diagnose"):
            made = [{path.name: runs_of(path) for path in result(folder, f"{stage}/*.h5")} for folder in (one, other)]
            assert made[0] == made[1], f"{stage} in {other}"
            assert made[0]
        (trained,), (repeated,) = (
            [path for path in result(folder, "train/*.h5") if path.name.startswith("few")] for folder in (one, other)
        )
        assert runs_of(trained) == runs_of(repeated)
        for name in ("snapshots", "curves", "references", "nulls", "measurements", "runs"):
            frames = [table(folder, name).drop(columns=list(CLOCKS), errors="ignore") for folder in (one, other)]
            pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_runs_that_are_kept_lie_in_one_order_in_their_file(tmp_path):
    kept, members = tmp_path / "kept.h5", [PackMember(0, None, 0.1, name, name * 12, "m", None, 0) for name in "bca"]
    about = {member.digest: encode(member) for member in members}
    result_cache.write(kept, "train", about, {}, [(member, {"x": np.ones(2)}) for member in members])
    digests = list(about)
    for name, order in (("one", digests), ("other", digests[::-1])):
        result_cache.write(tmp_path / f"{name}.h5", "train", about, dict.fromkeys(order, kept), [])
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "other.h5").read_bytes()
    with result_files.open_file(kept, "train") as file:
        assert all(result_cache.group_of(file, digest) is not None for digest in digests)
        with pytest.raises(GanbenchError, match=r"kept\.h5 lacks the run dddddddddddd; it was made from other sources"):
            result_cache.group_of(file, "d" * 64)


# Kernels -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory) -> Path:
    return again(prepared, tmp_path_factory.mktemp("trained") / "study", ("judge", "reference", "train"), {})


STAGES = ("evaluate", "diagnose", "collect", "judge")  # the judge last: all were scored by the one that was there


@pytest.mark.slow
def test_no_kernel_of_blas_changes_a_bit_of_what_is_made_of_networks(trained, tmp_path):
    folders = [
        again(trained, tmp_path / str(place), STAGES, environment)
        for place, environment in enumerate((blas_kernels()[0], blas_kernels()[-1]))
    ]
    for stage in ("judge", "evaluate", "diagnose"):
        known = [about(folder, stage) for folder in folders]
        assert known[0]["blas"] != known[1]["blas"]
        assert {**known[0], "blas": ""} == {**known[1], "blas": ""}
        ours, theirs = (arrays(folder, stage) for folder in folders)
        assert ours.keys() == theirs.keys()
        if stage == "evaluate" or torch.backends.mkl.is_available():  # PyTorch's is another BLAS than NumPy's
            assert [name for name in ours if ours[name].tobytes() != theirs[name].tobytes()] == []
    runs = [table(folder, "runs") for folder in folders]
    for name in ("evaluated_on", "diagnosed_on", "collected_on"):
        assert (runs[0][name].dropna() != runs[1][name].dropna()).all()
        assert runs[0][name].dropna().str.contains(", 1 thread").all()
    for name in ("snapshots", "references", "measurements", "runs"):
        frames = [table(folder, name).drop(columns=ON, errors="ignore") for folder in folders]
        pd.testing.assert_frame_equal(*frames, check_exact=True)


@pytest.mark.slow
def test_vector_instructions_change_what_is_made_of_networks_by_rounding_alone(trained, tmp_path):
    folders = [
        again(trained, tmp_path / capability, STAGES, {"ATEN_CPU_CAPABILITY": capability})
        for capability in ("default", "avx2")
    ]
    if len({str(about(folder, "evaluate")["cpu_capability"]) for folder in folders}) == 1:
        need("PyTorch has one kind of vector instructions for this machine")
    ours, theirs = (arrays(folder, "evaluate") for folder in folders)
    assert any(ours[name].tobytes() != theirs[name].tobytes() for name in ours), "nothing was shown"
    for name, values in ours.items():
        if "/metrics/mode" in name or "/metrics/dominant" in name or "/metrics/high_quality" in name:
            continue  # counts of examples, of which one may lie at a threshold
        np.testing.assert_allclose(theirs[name], values, **CLOSE, err_msg=name)
    ours, theirs = (arrays(folder, "diagnose") for folder in folders)
    for name, values in ours.items():  # eigenvalues are known to within rounding of the largest one
        scale = np.nanmax(np.abs(np.where(np.isfinite(values), values, 0)))
        np.testing.assert_allclose(theirs[name], values, rtol=1e-4, atol=1e-4 * scale, err_msg=name)
    ours, theirs = (table(folder, "references").set_index("quantity")["value"] for folder in folders)
    np.testing.assert_allclose(theirs[["fd", "kd"]], ours[["fd", "kd"]], **CLOSE)
    for folder in folders:  # of a judge that is fitted anew, nothing is promised but what it must be able to do
        with result_files.open_file(result(folder, "judge/*.h5")[0], "judge") as file:
            assert result_files.read_tree(result_files.descend(file, "state"))["accuracy"] >= 0.97


@pytest.mark.cluster
def test_a_result_says_what_it_was_computed_on():
    known = provenance.versions(torch.device("cpu"))
    assert set(ORIGINS) - {"evaluated_on", "diagnosed_on"} == set(known)
    assert known["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert (known["numpy"], known["scipy"]) == (np.__version__, scipy.__version__)
    told = provenance.computed_on({**known, "processor": "P", "cpu_capability": "AVX2", "blas": "B 1 X", "threads": 1})
    assert told == f"{known['device']}, P, PyTorch AVX2, B 1 X, 1 thread"
    assert processor.model().strip()


@pytest.mark.cluster
def test_a_result_names_the_kernel_of_blas_that_it_was_computed_with():
    for environment in blas_kernels():
        program = "from ganbench.pipeline.execution import processor; print(processor.blas())"
        done = subprocess.run(
            [sys.executable, "-c", program], env=AS_IT_IS | environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.split()[0] == "openblas"


def test_kernels_that_were_chosen_are_those_that_are_set(monkeypatch):
    for name in processor.KERNELS:
        monkeypatch.delenv(name, raising=False)
    assert processor.chosen_kernels() == {}
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "")
    assert processor.chosen_kernels() == {"OPENBLAS_CORETYPE": "Haswell"}

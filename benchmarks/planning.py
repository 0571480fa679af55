"""How long Snakemake takes to find out what a large study has to do: with nothing done yet, and with all of it done."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sheets import Sheet
from benchmarks.workers import ROOT

TARGET_SECONDS = 5.0

# 10,000 runs each at scale 1: a learning-rate sweep of one network, and a study of many methods.
SWEEP = """\
study: sweep
results: {results}
grid:
  - dataset: ring8
    architecture: mlp
    learning_rate: [{rates}]
    seed: {{count: {seeds}}}
pack: {{seeds_per_pack: 8}}
"""
MIXED = """\
study: mixed
results: {results}
grid:
  - dataset: digits
    architecture: [fc, {{name: dcgan, base_channels: 16, discriminator_norm: instance}}]
    regularizer: [none, r1]
    dynamics: [alternating, simultaneous]
    n_train: [100, 200, 400, 800, all]
    learning_rate: [1.0e-4, 1.0e-3]
    seed: {{count: {half_seeds}}}
  - dataset: ring8
    architecture: mlp
    learning_rate: [{rates}]
    seed: {{count: {half_seeds}}}
pack: {{seeds_per_pack: 8}}
"""
FULL = 400  # seeds of the sweep at full scale


def measure(seeds: int = FULL, repeats: int = 2) -> Sheet:
    """Dry runs of both studies; the best of some repeats, with the slowest."""
    sheet = Sheet(
        "Time to plan a study",
        ["study", "runs", "packs", "snakemake -n, all to do, s", "snakemake -n, up to date, s", "verdict"],
        f"Best of {repeats}, in brackets the worst, of whole `snakemake -n -q` processes. The target is "
        f"{TARGET_SECONDS:g} s for 10,000 runs.",
    )
    rates = ", ".join(f"{0.0001 * (1 + k):.4f}" for k in range(25))
    for name, text in (("sweep", SWEEP), ("mixed", MIXED)):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            file = place / f"{name}.yaml"
            # 80 points of digits and 25 of the ring: the same total as the sweep's 25 at about a quarter of the seeds.
            file.write_text(
                text.format(results=place / "results", rates=rates, seeds=seeds, half_seeds=max(1, seeds * 25 // 105))
            )
            fresh = [dry_run(file, idle=False) for _ in range(repeats)]
            runs, packs = finish(file)
            done = [dry_run(file, idle=True) for _ in range(repeats)]
        slowest = max(min(fresh), min(done))
        verdict = "ok" if slowest <= TARGET_SECONDS else f"{slowest - TARGET_SECONDS:.1f} s over the target"
        sheet.add(name, f"{runs:,}", f"{packs:,}", _times(fresh), _times(done), verdict)
    return sheet


def _times(seconds: list[float]) -> str:
    return f"{min(seconds):.1f} ({max(seconds):.1f})"


def dry_run(file: Path, *, idle: bool) -> float:
    """Seconds that a dry run takes.

    Raises:
        RuntimeError: it failed, or found nothing to do where it should have (or the other way round).
    """
    began = time.perf_counter()
    said = _snakemake(file, "-n", "-q")
    seconds = time.perf_counter() - began
    if ("Nothing to be done" in said) != idle:
        raise RuntimeError(f"the dry run should have found {'nothing' if idle else 'something'} to do:\n{said}")
    return seconds


def _snakemake(file: Path, *options: str) -> str:
    """Run Snakemake on a study, in the folder of its file; returns what it said."""
    command = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(file.parent), "--configfile", str(file)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--workflow-profile", "none", *options, *command],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"snakemake failed:\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def finish(file: Path) -> tuple[int, int]:
    """Leave a file under every name that the study's plan gives, so that all counts as done; returns runs and packs."""
    from ganbench.core import checksums, result_files
    from ganbench.pipeline.plan import Plan
    from ganbench.study.schema import load

    plan = Plan(load(file))
    tiny: dict[str, Path] = {}  # by kind, a valid result file that holds nothing
    for path in plan.files():
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".h5":
            path.touch()
            continue
        kind = path.stem if path.name in ("samples.h5", "arrays.h5") else path.parent.name
        if kind not in tiny:
            tiny[kind] = file.parent / f"{kind}.h5"
            with result_files.create_file(tiny[kind], kind):
                pass
        os.link(tiny[kind], path)
    for stage in ("tables", "figures", "report"):
        job = plan.jobs(stage)[stage]
        checksums.write_sums(job.path, {str(each.relative_to(plan.folder)): each for each in job.outputs[1:]})
    checksums.write_folder_sums(plan.collect.path.parent)
    _snakemake(file, "--touch", "--forceall", "-q", "--cores", "1000")  # as after a real run, it has its own records
    return len(plan.grid.runs), len(plan.grid.packs)

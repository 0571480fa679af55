"""A study of as many runs as wanted without training them: `python -m benchmarks.made_up RUNS FOLDER`.

A few runs are trained, and every other run of the study has the results of one of them, with its losses and scores
scaled by a number of its own. Then each stage that follows runs in a process of its own, which reports its processor
time and its peak memory: of 20,000 runs, training alone would take half an hour.
"""

from __future__ import annotations

import argparse
import copy
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.summarising import FOLLOWING, STUDY
from ganbench.core import result_files
from ganbench.core.tree import Tree
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run
from ganbench.pipeline.typed_json import encode

MADE_UP = ("train", "evaluate")
TRAINED = 25  # seeds of each setting
SETTINGS = 4


def plan_of(folder: Path, runs: int) -> Plan:
    """The plan of the study of a number of runs, at least `SETTINGS`, whose files lie in a folder."""
    import yaml

    from ganbench.study.schema import load

    folder.mkdir(parents=True, exist_ok=True)
    study = copy.deepcopy(STUDY) | {"results": str(folder / f"results-{runs}")}
    study["grid"][0]["seed"] = {"count": runs // SETTINGS}
    file = folder / f"many-{runs}.yaml"
    file.write_text(yaml.safe_dump(study))
    return Plan(load(file), file)


def make_up(folder: Path, runs: int) -> None:
    """Write the result files of a study up to evaluation, those of packs from the packs of a small study."""
    small, large = plan_of(folder, SETTINGS * TRAINED), plan_of(folder, runs)
    first = [job for job in small.all_jobs() if job.stage not in FOLLOWING]
    for job in first + [job for job in large.all_jobs() if job.stage not in (*FOLLOWING, *MADE_UP)]:
        if not job.done:
            run(job)
    generator = np.random.default_rng(0)
    for stage in MADE_UP:
        patterns: dict[str, list[Tree]] = {}
        for name, job in small.jobs(stage).items():
            patterns.setdefault(_method(name), []).extend(_results(job.path, stage))
        for name, job in large.jobs(stage).items():
            of_method = patterns[_method(name)]
            made = [(each, _varied(of_method[each.seed % len(of_method)], generator)) for each in job.task.members]
            result_cache.write(job.path, stage, {each.digest: encode(each) for each, _ in made}, {}, made)


def _method(pack: str) -> str:
    """The name of a pack without its number."""
    return re.sub(r"-\d+$", "", pack)


def _results(path: Path, stage: str) -> Iterator[Tree]:
    with result_files.open_file(path, stage) as file:
        for digest in result_cache.digests_of(file):
            yield result_files.read_tree(result_cache.group_of(file, digest))


def _varied(tree: Tree, generator: np.random.Generator) -> Tree:
    """Results with their losses and metrics scaled by a factor about 1."""
    factor = np.exp(generator.normal(0, 0.1))
    found = dict(tree)
    if "curves" in tree:
        found["curves"] = tree["curves"] | {name: tree["curves"][name] * factor for name in ("min", "mean", "max")}
    if "metrics" in tree:
        found["metrics"] = tree["metrics"] | {"fd": tree["metrics"]["fd"] * factor}
    return found


def measure(folder: Path, runs: int, stages: Sequence[str]) -> None:
    """Run stages of a study, each in a process of its own, and print the time and memory of each."""
    for stage in stages:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.made_up", str(runs), str(folder), "--stage", stage], check=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.made_up", description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=int, help="number of runs, a multiple of four")
    parser.add_argument("folder", type=Path, help="where the study and its results are written")
    parser.add_argument("--stage", choices=FOLLOWING, help="run only this stage, of files that are there")
    given = parser.parse_args()
    if given.stage is None:
        make_up(given.folder, given.runs)
        measure(given.folder, given.runs, FOLLOWING)
        return
    (job,) = plan_of(given.folder, given.runs).jobs(given.stage).values()
    began = time.process_time()
    run(job)
    taken, peak = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{given.runs:,} runs, {given.stage}: {taken:.1f} s of the processor, {peak:,.0f} MB at most", flush=True)


if __name__ == "__main__":
    main()

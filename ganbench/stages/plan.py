"""The plan of a study: what every stage computes, from what, into which files.

Every file of a stage carries a digest in its name, over the slice of the configuration and the sources that can change
what is in it. A file that exists under its name is up to date, whatever its time stamps; a change anywhere gives new
names to exactly the files it can change, and the stage takes what has not changed from the files under older names.
A job's whole slice enters its name, so Snakemake's own record of parameters never disagrees with what exists. What
people open (tables, figures, the report) has plain names; a stamp named after its digest stands for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.core.fields import Choice
from ganbench.core.grid import CHOICES, Pack, Run, expand, packs, slug
from ganbench.core.registry import PACKAGE
from ganbench.core.sources import digest, engine_digest, file_digest, sources_digest
from ganbench.core.study import Study
from ganbench.report.outputs import figure_files, table_files
from ganbench.stages import STAGES, STAMPS

# A slice travels to its job as one command-line argument, which Linux limits to 128 KiB.
LARGEST_SLICE = 120_000
WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"  # as pytorch-fid's releases name it


@dataclass(frozen=True)
class Job:
    """One piece of work.

    `slice` is all it may know of the configuration; `inputs` are the files it reads, `outputs` those it leaves. The
    first output is the one whose name carries the digest.
    """

    stage: str
    name: str
    digest: str
    slice: dict[str, Any]
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]

    @property
    def path(self) -> Path:
        return self.outputs[0]

    @property
    def done(self) -> bool:
        return all(path.exists() for path in self.outputs)

    @cached_property
    def argument(self) -> str:
        """The slice as one JSON string with sorted keys."""
        return json.dumps(self.slice, sort_keys=True, separators=(",", ":"))


class Plan:
    """A study, worked out: its runs, packs, jobs and files."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = study.results / study.study
        self.runs = expand(study)
        self.packs = {pack.name: pack for pack in packs(study, self.runs)}
        self.contenders = tuple(dict.fromkeys(run.contender for run in self.runs))
        choices = dict.fromkeys(choice for run in self.runs for choice in run.choices)
        self._datasets = {slug(choice.label): choice for choice in choices if choice.family == "dataset"}

    def jobs(self, stage: str) -> dict[str, Job]:
        """The jobs of a stage by name: of a data set, of a pack, or of the stage itself."""
        jobs = getattr(self, stage)
        return jobs if isinstance(jobs, dict) else {stage: jobs}

    def files(self) -> list[Path]:
        """Every file the study's jobs leave."""
        return [path for stage in STAGES for job in self.jobs(stage).values() for path in job.outputs]

    # Before the grid: once a study, once a data set -----------------------------------------------------------------

    @cached_property
    def weights(self) -> Path | None:
        """The Inception weights the study needs on this machine, if it needs them; laid out as torch.hub expects."""
        wanted = any(metric.member.name == "fid" for metric in self.study.evaluate.metrics)
        return self.study.evaluate.inception.folder / "hub" / "checkpoints" / WEIGHTS if wanted else None

    @cached_property
    def _weights(self) -> dict[str, str] | None:
        inception = self.study.evaluate.inception
        return {"path": str(self.weights), "sha256": inception.sha256} if self.weights else None

    @cached_property
    def prepare(self) -> dict[str, Job]:
        """By data set: its examples."""
        jobs = {}
        for name, choice in self._datasets.items():
            slice = {
                "dataset": _named(choice),
                "files": [file_digest(Path(path)) for path in choice.build().spec.files],
                "sources": sources_digest(choice.member.path),
            }
            jobs[name] = self._job("prepare", name, slice, ())
        return jobs

    @cached_property
    def judge(self) -> dict[str, Job]:
        """By data set: the judge that tells its modes apart."""
        jobs = {}
        for name, choice in self._datasets.items():
            judge, prepared = registry.find("judge", choice.build().judge), self.prepare[name].path
            slice = {
                "judge": {"name": judge.name, "options": judge.complete({})},
                "prepared": str(prepared),
                "sources": sources_digest(judge.path),
            }
            jobs[name] = self._job("judge", name, slice, (prepared,))
        return jobs

    # Over the grid: once a pack -------------------------------------------------------------------------------------

    @cached_property
    def train_digests(self) -> dict[str, str]:
        """By run: over its configuration and every source that can change its training."""
        return {
            run.id: digest([run.config, self.prepare[_dataset(run)].digest, self._train_sources(run)])
            for run in self.runs
        }

    def _train_sources(self, run: Run) -> str:
        return engine_digest("train", [choice.member for choice in (*run.choices, run.train.update)])

    @cached_property
    def evaluate_digests(self) -> dict[str, str]:
        """By run: over its training, the judge, and the metrics with their settings."""
        sha256 = self._weights and self._weights["sha256"]
        return {
            run.id: digest([self._measured, sha256, self.train_digests[run.id], self.judge[_dataset(run)].digest])
            for run in self.runs
        }

    @cached_property
    def train(self) -> dict[str, Job]:
        """By pack: its runs, trained."""
        machine = self.study.machine.model_dump(mode="json")
        return {name: self._train(pack, machine) for name, pack in self.packs.items()}

    def _train(self, pack: Pack, machine: dict[str, Any]) -> Job:
        run, prepared = pack.runs[0], self.prepare[_dataset(pack.runs[0])].path
        train = run.train.model_dump(mode="json")
        slice = {
            "parts": _parts(run),
            "train": {**train, "update": _named(run.train.update)},
            "fuse": self.study.pack.fuse,
            "machine": machine,
            "prepared": str(prepared),
            "sources": self._train_sources(run),
        }
        return self._pack_job("train", pack, self.train_digests, slice, (prepared,))

    @cached_property
    def evaluate(self) -> dict[str, Job]:
        """By pack: metrics and samples at every snapshot of its runs."""
        machine = self.study.machine.model_dump(mode="json")
        return {name: self._evaluate(pack, machine) for name, pack in self.packs.items()}

    def _evaluate(self, pack: Pack, machine: dict[str, Any]) -> Job:
        dataset = _dataset(pack.runs[0])
        trained, prepared, judge = self.train[pack.name].path, self.prepare[dataset].path, self.judge[dataset].path
        slice = {
            **self._measured,
            "parts": _parts(pack.runs[0]),
            "machine": machine,
            "trained": str(trained),
            "prepared": str(prepared),
            "judge": str(judge),
            "train_digests": [self.train_digests[run.id] for run in pack.runs],
            "weights": self._weights,
        }
        inputs = (trained, prepared, judge, *([self.weights] if self.weights else []))
        return self._pack_job("evaluate", pack, self.evaluate_digests, slice, inputs)

    @cached_property
    def _measured(self) -> dict[str, Any]:
        evaluate = self.study.evaluate
        return {
            "metrics": [_named(metric) for metric in evaluate.metrics],
            "samples": evaluate.samples,
            "shown": evaluate.shown,
            "sources": engine_digest("evaluate", [metric.member for metric in evaluate.metrics]),
        }

    # After the grid: once a study -----------------------------------------------------------------------------------

    @cached_property
    def collect(self) -> Job:
        """All results of the study in a few tables. Its slice is what the grid is made from, not the grid: that may
        have a million points."""
        study = self.study.model_dump(mode="json", exclude={"title", "description", "track"})
        files = [job.path for stage in ("prepare", "judge", "train", "evaluate") for job in self.jobs(stage).values()]
        value = digest([study, [path.name for path in files], sources_digest(_stage("collect"))])
        folder = self.folder / "collect" / value[:12]
        tables = ("runs.parquet", "snapshots.parquet", "curves.parquet", "references.parquet")
        outputs = tuple(folder / name for name in (*tables, "metrics.json", "samples.h5"))
        return _fitting(Job("collect", "collect", value, {"study": study}, tuple(files), outputs))

    @cached_property
    def track(self) -> Job:
        """The MLflow view."""
        return self._summary("track", {"uri": self.study.track.uri, "study": self.study.study}, [])

    @cached_property
    def tables(self) -> Job:
        """Tables for people and their programs."""
        return self._summary("tables", {"folder": str(self.folder / "tables")}, table_files())

    @cached_property
    def figures(self) -> Job:
        """Figures, as SVG and PNG."""
        return self._summary("figures", {"folder": str(self.folder / "figures")}, figure_files(self.contenders))

    @cached_property
    def report(self) -> Job:
        """The HTML report."""
        pages = [path for path in sorted((PACKAGE / "report").iterdir()) if path.suffix in (".j2", ".css")]
        slice = {
            "study": self.study.resolved(),
            "figures": str(self.folder / "figures"),
            "folder": str(self.folder),
        }
        return self._summary("report", slice, ["report.html"], needs=(self.figures,), pages=tuple(pages))

    def _summary(
        self,
        stage: str,
        slice: dict[str, Any],
        files: list[str],
        needs: tuple[Job, ...] = (),
        pages: tuple[Path, ...] = (),
    ) -> Job:
        needed = [self.collect.digest, *(job.digest for job in needs)]
        value = digest([slice, needed, sources_digest(_stage(stage), *pages)])
        stamp = self.folder / STAMPS / f"{stage}-{value[:12]}"
        inputs = (*self.collect.outputs, *(job.path for job in needs))
        outputs = (stamp, *(Path(slice["folder"]) / name for name in files))
        return Job(stage, stage, value, {**slice, "collected": str(self.collect.path.parent)}, inputs, outputs)

    def _job(self, stage: str, name: str, slice: dict[str, Any], inputs: tuple[Path, ...]) -> Job:
        value = digest(slice)
        return Job(stage, name, value, slice, inputs, (self.folder / stage / f"{name}-{value[:12]}.h5",))

    def _pack_job(
        self, stage: str, pack: Pack, digests: dict[str, str], slice: dict[str, Any], inputs: tuple[Path, ...]
    ) -> Job:
        members = [
            {"id": run.id, "digest": digests[run.id], "contender": run.contender, **run.axes} for run in pack.runs
        ]
        return _fitting(self._job(stage, pack.name, {**slice, "pack": pack.name, "members": members}, inputs))


def _fitting(job: Job) -> Job:
    if len(job.argument) > LARGEST_SLICE:
        raise GanbenchError(
            f"{job.stage} {job.name} would have to be told {len(job.argument):,} characters of configuration, more "
            f"than the {LARGEST_SLICE:,} a job can be; lower pack.seeds_per_pack, take an axis out of pack.axes, or "
            "make two studies."
        )
    return job


def _parts(run: Run) -> dict[str, Any]:
    return {family: _named(choice) for family, choice in zip(CHOICES, run.choices, strict=True)}


def _dataset(run: Run) -> str:
    return slug(run.choice("dataset").label)


def _named(choice: Choice) -> dict[str, Any]:
    return {"name": choice.name, "options": choice.options}


def _stage(stage: str) -> Path:
    return PACKAGE / "stages" / f"{stage}.py"

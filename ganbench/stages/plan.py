"""The plan of a study: what every stage computes, from what, into which files.

Every file of a stage carries a digest in its name, over the slice of the configuration and the sources that can change
what is in it. A file that exists under its name is up to date, whatever its time stamps; a change anywhere gives new
names to exactly the files it can change, and the stage takes what has not changed from the files under older names.
A job's whole slice enters its name, so Snakemake's own record of parameters never disagrees with what exists. What
people open (tables, figures, the report) has plain names; a stamp named after its digest stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench.core import registry
from ganbench.core.consistency import refuse_idle
from ganbench.core.fields import Choice
from ganbench.core.grid import Pack, Run, expand, packs, slug
from ganbench.core.registry import PACKAGE
from ganbench.core.selectors import matches
from ganbench.core.sources import digest, engine_digest, file_digest, sources_digest
from ganbench.core.study import Experiment, Study
from ganbench.report.outputs import figure_files, figures, table_files
from ganbench.stages import STAGES, STAMPS
from ganbench.stages.jobs import Job, fitting

WHERE = {"machine"}  # parts of a study that change no number and no page: no file is named after them
WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"  # as pytorch-fid's releases name it


class Plan:
    """A study, worked out: its runs, packs, jobs and files."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = study.results / study.study
        self.runs = expand(study)
        self.packs = {pack.name: pack for pack in packs(study, self.runs)}
        choices = dict.fromkeys(choice for run in self.runs for choice in run.choices)
        self._datasets = {slug(choice.label): choice for choice in choices if choice.family == "dataset"}
        self.experiments = {experiment.name: experiment for experiment in study.diagnose}
        numbers = {name for run in self.runs for name in run.options} if study.claims else set()
        refuse_idle(study.diagnose, study.claims, [run.point for run in self.runs], numbers)
        self._sources: dict[tuple[Choice, ...], str] = {}

    def jobs(self, stage: str) -> dict[str, Job]:
        """The jobs of a stage by name: of a data set, of a pack, or of the stage itself."""
        jobs = getattr(self, stage)
        return jobs if isinstance(jobs, dict) else {stage: jobs}

    @cached_property
    def contenders(self) -> tuple[str, ...]:
        """What is compared, in the order of the grid."""
        return tuple(dict.fromkeys(run.contender for run in self.runs))

    @cached_property
    def gans(self) -> tuple[str, ...]:
        """The contenders that train networks on data."""
        return tuple(dict.fromkeys(run.contender for run in self.runs if run.choice("architecture")))

    @cached_property
    def site(self) -> dict[str, Any]:
        """Where the study's jobs work, see `Site`; no file is named after it."""
        uri, machine = self.study.track.uri, self.study.machine
        return {
            "folder": str(self.folder),
            "study": self.study.study,
            "device": machine.device,
            "checkpoint_seconds": machine.checkpoint_seconds,
            "server": uri if uri.startswith("http") else None,
        }

    def files(self) -> list[Path]:
        """Every file the study's jobs leave."""
        return [path for stage in STAGES for job in self.jobs(stage).values() for path in job.outputs]

    def needed(self, targets: Iterable[Job]) -> list[Job]:
        """The jobs to do so that these are done, in an order in which each finds its inputs."""
        makers = {path: job for stage in STAGES for job in self.jobs(stage).values() for path in job.outputs}
        found: dict[Path, Job] = {}
        waiting = [job for job in targets if not job.done]
        while waiting:
            job = waiting.pop()
            found[job.path] = job
            inputs = (makers[path] for path in job.inputs if path in makers)
            waiting += [maker for maker in inputs if not maker.done and maker.path not in found]
        return sorted(found.values(), key=lambda job: STAGES.index(job.stage))

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
            run.id: digest([run.config, self._examples(run) and self._examples(run).digest, self._train_sources(run)])
            for run in self.runs
        }

    def _examples(self, run: Run) -> Job | None:
        """The job that prepares a run's data set; None for a game without one."""
        return self.prepare[_dataset(run)] if run.choice("dataset") else None

    def _train_sources(self, run: Run) -> str:
        """Over the sources that can change the run's training; looked up once for all runs of the same parts."""
        if run.choices not in self._sources:
            self._sources[run.choices] = engine_digest("train", [choice.member for choice in run.choices])
        return self._sources[run.choices]

    @cached_property
    def evaluate_digests(self) -> dict[str, str]:
        """By run: over its training, the judge, and the metrics with their settings."""
        sha256 = self._weights and self._weights["sha256"]
        return {
            run.id: digest([self._measured, sha256, self.train_digests[run.id], self.judge[_dataset(run)].digest])
            for run in self.runs
            if run.choice("architecture")
        }

    @cached_property
    def train(self) -> dict[str, Job]:
        """By pack: its runs, trained."""
        return {name: self._train(pack) for name, pack in self.packs.items()}

    def _train(self, pack: Pack) -> Job:
        prepared = self._examples(pack.runs[0])
        slice = {
            "teams": [{"parts": parts_of(team[0]), "sources": self._train_sources(team[0])} for team in pack.teams],
            "train": pack.runs[0].train.model_dump(mode="json"),
            "fuse": self.study.pack.fuse,
            "prepared": prepared and str(prepared.path),
        }
        return self._pack_job("train", pack, self.train_digests, slice, (prepared.path,) if prepared else ())

    @cached_property
    def evaluate(self) -> dict[str, Job]:
        """By pack: metrics and samples at every snapshot of its runs."""
        packs = {name: pack for name, pack in self.packs.items() if pack.runs[0].choice("architecture")}
        return {name: self._evaluate(pack) for name, pack in packs.items()}

    def _evaluate(self, pack: Pack) -> Job:
        dataset = _dataset(pack.runs[0])
        trained, prepared, judge = self.train[pack.name].path, self.prepare[dataset].path, self.judge[dataset].path
        slice = {
            **self._measured,
            "parts": parts_of(pack.runs[0]),
            "trained": str(trained),
            "prepared": str(prepared),
            "judge": str(judge),
            "train_digests": [member["digest"] for member in self.train[pack.name].slice["members"]],
            "teams": self.train[pack.name].slice["teams"],
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

    @cached_property
    def diagnose(self) -> dict[str, Job]:
        """By pack: what the instruments show of its runs; and `study`, what they show of none."""
        jobs = {}
        alone = [each for each in self.study.diagnose if each.diagnostic.member.constants.get("of") == "study"]
        others = [each for each in self.study.diagnose if each not in alone]
        if alone:
            slice = {"pack": "study", "trained": None, "experiments": self._instruments(alone)}
            jobs["study"] = fitting(self._job("diagnose", "study", slice, ()))
        for name, pack in self.packs.items():
            points = {run.id: run.point for run in pack.runs}
            train, looks = self.train[name], {}
            for experiment in others:
                places = [
                    place
                    for place, member in enumerate(train.slice["members"])
                    if matches(experiment.of, points[member["id"]])
                ]
                if places:
                    looks[experiment.name] = places
            if looks:
                slice = {key: train.slice[key] for key in ("teams", "train", "prepared", "members", "pack")}
                experiments = self._instruments(each for each in others if each.name in looks)
                slice |= {"trained": str(train.path), "experiments": experiments, "looks": looks}
                jobs[name] = fitting(self._job("diagnose", name, slice, (train.path, *train.inputs)))
        return jobs

    def _instruments(self, experiments: Iterable[Experiment]) -> dict[str, dict[str, Any]]:
        """By experiment: its instrument, and the digest of the sources that can change what it shows."""
        return {
            each.name: {
                **_named(each.diagnostic),
                "sources": engine_digest("diagnose", [each.diagnostic.member]),
            }
            for each in experiments
        }

    # After the grid: once a study -----------------------------------------------------------------------------------

    @cached_property
    def collect(self) -> Job:
        """All results of the study in a few tables. Its slice is what the grid is made from, not the grid: that may
        have a million points."""
        study = self.study.model_dump(mode="json", exclude={"title", "description", "track", "claims", *WHERE})
        stages = ("prepare", "judge", "train", "evaluate", "diagnose")
        files = [job.path for stage in stages for job in self.jobs(stage).values()]
        value = digest([study, [path.name for path in files], sources_digest(_stage("collect"))])
        folder = self.folder / "collect" / value[:12]
        tables = ("runs.parquet", "snapshots.parquet", "curves.parquet", "references.parquet", "measurements.parquet")
        others = ("metrics.json", "instruments.json", "samples.h5", "arrays.h5")
        outputs = tuple(folder / name for name in (*tables, *others))
        return fitting(Job("collect", "collect", value, {"study": study}, tuple(files), outputs))

    @cached_property
    def track(self) -> Job:
        """The MLflow view."""
        return self._summary("track", {"uri": self.study.track.uri, "study": self.study.study}, [])

    @cached_property
    def tables(self) -> Job:
        """Tables for people and their programs."""
        slice = {"folder": str(self.folder / "tables"), "claims": self._claims}
        return self._summary("tables", slice, table_files())

    @cached_property
    def _claims(self) -> list[dict[str, Any]]:
        return [claim.model_dump(mode="json", exclude_none=True) for claim in self.study.claims]

    @cached_property
    def figures(self) -> Job:
        """Figures, as SVG and PNG."""
        slice = {"folder": str(self.folder / "figures"), "shown": [list(each) for each in self.shown]}
        return self._summary("figures", slice, figure_files(self.shown))

    @cached_property
    def shown(self) -> list[tuple[str, str | None]]:
        """Every figure of the study: its kind, and its contender or experiment where it is of one."""
        instruments = {name: each.diagnostic.member.name for name, each in self.experiments.items()}
        return figures(self.gans, instruments)

    @cached_property
    def report(self) -> Job:
        """The HTML report."""
        pages = [path for path in sorted((PACKAGE / "report").iterdir()) if path.suffix in (".j2", ".css")]
        slice = {
            "study": self.study.model_dump(mode="json", exclude=WHERE),
            "figures": str(self.folder / "figures"),
            "shown": [list(each) for each in self.shown],
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
            {"id": run.id, "digest": digests[run.id], "contender": run.contender, "team": team, **_numbers(run)}
            for team, runs in enumerate(pack.teams)
            for run in runs
        ]
        return fitting(self._job(stage, pack.name, {**slice, "pack": pack.name, "members": members}, inputs))


def parts_of(run: Run) -> dict[str, Any]:
    """What a run is made of, as slices tell of it."""
    return {choice.family: _named(choice) for choice in run.choices}


def _numbers(run: Run) -> dict[str, Any]:
    return {"seed": run.seed, "n_train": run.n_train, "learning_rate": run.learning_rate}


def _dataset(run: Run) -> str:
    return slug(run.choice("dataset").label)


def _named(choice: Choice) -> dict[str, Any]:
    return {"name": choice.name, "options": choice.options}


def _stage(stage: str) -> Path:
    return PACKAGE / "stages" / f"{stage}.py"

"""The plan of a study: what every stage computes, from what, into which files.

Every file of a stage carries a digest in its name, over the slice of the configuration and the sources that can change
what is in it. A file that exists under its name is up to date, whatever its time stamps; a change anywhere gives new
names to exactly the files it can change, and the stage takes what has not changed from the files under older names.
The digest is of what a job computes and not of where anything lies: results may be moved, and users' own files. What
people open (tables, figures, the report) has plain names; a stamp named after its digest stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench.core import checksums, registry
from ganbench.core.dataset_specs import describe_dataset
from ganbench.core.registry import PACKAGE
from ganbench.core.source_digests import digest, engine_digest, file_digest, sources_digest
from ganbench.pipeline.jobs import Job, fitting, placeless
from ganbench.pipeline.stages import STAGES, STAMPS
from ganbench.report.file_names import figure_files, figures, table_files
from ganbench.study.choices import Choice
from ganbench.study.experiments import Experiment
from ganbench.study.grid import Run, expand, slug
from ganbench.study.packs import Pack, packs
from ganbench.study.schema import Study
from ganbench.study.selectors import matches
from ganbench.study.validation import validate_targets

# Parts of a study that change no number and no page: no file is named after them.
WHERE = {"machine": True, "results": True, "track": True, "evaluate": {"inception": {"folder"}}}
COLLECTED = (
    *("runs.parquet", "snapshots.parquet", "curves.parquet", "references.parquet", "measurements.parquet"),
    *("metrics.json", "instruments.json", "samples.h5", "arrays.h5", checksums.FILE_NAME),
)
WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"  # as pytorch-fid's releases name it


class Plan:
    """A study, worked out: its runs, packs, jobs and files."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = study.results / study.study
        self.runs = expand(study)
        self.packs = {pack.name: pack for pack in packs(study, self.runs)}
        choices = dict.fromkeys(choice for run in self.runs for choice in run.choices)
        self._datasets = {slug(choice.signature): choice for choice in choices if choice.family == "dataset"}
        self.experiments = {experiment.name: experiment for experiment in study.diagnose}
        variables = [run.variables for run in self.runs] if study.claims else []
        validate_targets(study.diagnose, study.claims, [run.point for run in self.runs], variables)
        self._sources: dict[tuple[Choice, ...], str] = {}

    def jobs(self, stage: str) -> dict[str, Job]:
        """The jobs of a stage by name: of a data set, of a pack, or of the stage itself."""
        jobs = getattr(self, stage)
        return jobs if isinstance(jobs, dict) else {stage: jobs}

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """What is compared, in the order of the grid."""
        return tuple(dict.fromkeys(run.method for run in self.runs))

    @cached_property
    def gans(self) -> tuple[str, ...]:
        """The methods that train networks on data."""
        return tuple(dict.fromkeys(run.method for run in self.runs if run.choice("architecture")))

    @cached_property
    def site(self) -> dict[str, Any]:
        """Where the study's jobs work, see `Site`; no file is named after it."""
        uri, machine = self.study.tracking_uri, self.study.machine
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
    def prepare(self) -> dict[str, Job]:
        """By data set: its examples."""
        jobs = {}
        for name, choice in self._datasets.items():
            slice = {
                "dataset": _named(choice),
                "files": [file_digest(Path(path)) for path in describe_dataset(choice).files],
                "sources": sources_digest(choice.member.path),
            }
            jobs[name] = self._job("prepare", name, slice)
        return jobs

    @cached_property
    def judge(self) -> dict[str, Job]:
        """By data set: the judge that tells its modes apart."""
        jobs = {}
        for name, choice in self._datasets.items():
            judge = registry.find("judge", describe_dataset(choice).judge)
            slice = {
                "judge": {"name": judge.name, "options": judge.complete({})},
                "sources": sources_digest(judge.path),
            }
            jobs[name] = self._job("judge", name, slice, {"prepared": self.prepare[name]})
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
        sha256 = self.weights and self.study.evaluate.inception.sha256
        measured = placeless(self._measured)
        return {
            run.id: digest([measured, sha256, self.train_digests[run.id], self.judge[_dataset(run)].digest])
            for run in self.runs
            if run.choice("architecture")
        }

    @cached_property
    def train(self) -> dict[str, Job]:
        """By pack: its runs, trained."""
        return {name: self._train(pack) for name, pack in self.packs.items()}

    def _train(self, pack: Pack) -> Job:
        slice = {
            "teams": [
                {"parts": parts_of(team[0]), "sources": self._train_sources(team[0])} for team in pack.fusable_groups
            ],
            "train": pack.runs[0].train.model_dump(mode="json"),
            "fuse": self.study.pack.fuse,
        }
        return self._pack_job("train", pack, self.train_digests, slice, {"prepared": self._examples(pack.runs[0])})

    @cached_property
    def evaluate(self) -> dict[str, Job]:
        """By pack: metrics and samples at every snapshot of its runs."""
        packs = {name: pack for name, pack in self.packs.items() if pack.runs[0].choice("architecture")}
        return {name: self._evaluate(pack) for name, pack in packs.items()}

    def _evaluate(self, pack: Pack) -> Job:
        dataset, train = _dataset(pack.runs[0]), self.train[pack.name]
        slice = {
            **self._measured,
            "parts": parts_of(pack.runs[0]),
            "train_digests": [member["digest"] for member in train.slice["members"]],
            "teams": train.slice["teams"],
            "weights": self.weights and self.study.evaluate.inception.sha256,
        }
        needs = {"trained": train, "prepared": self.prepare[dataset], "judge": self.judge[dataset]}
        return self._pack_job("evaluate", pack, self.evaluate_digests, slice, needs, self.weights)

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
            slice = {"pack": "study", "experiments": self._instruments(alone)}
            jobs["study"] = fitting(self._job("diagnose", "study", slice, {"trained": None}))
        for name, pack in self.packs.items():
            points = {run.id: run.point for run in pack.runs}
            train, looks = self.train[name], {}
            for experiment in others:
                places = [
                    place
                    for place, member in enumerate(train.slice["members"])
                    if matches(experiment.where, points[member["id"]])
                ]
                if places:
                    looks[experiment.name] = places
            if looks:
                slice = {key: train.slice[key] for key in ("teams", "train", "members", "pack")}
                experiments = self._instruments(each for each in others if each.name in looks)
                slice |= {"experiments": experiments, "looks": looks}
                needs = {"trained": train, "prepared": self._examples(pack.runs[0])}
                jobs[name] = fitting(self._job("diagnose", name, slice, needs))
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
        study = self.study.model_dump(mode="json", exclude={"title", "description", "machine", "track", "claims"})
        stages = ("prepare", "judge", "train", "evaluate", "diagnose")
        needs = [job for stage in stages for job in self.jobs(stage).values()]
        asked = self.study.evaluate.model_dump(mode="json", include={"metrics"}), self.study.outcome.model_dump()
        value = digest([placeless(asked), [job.digest for job in needs], sources_digest(_stage("collect"))])
        folder = self.folder / "collect" / value[:12]
        outputs = tuple(folder / name for name in COLLECTED)
        return fitting(Job("collect", "collect", value, {"study": study}, tuple(job.path for job in needs), outputs))

    @cached_property
    def track(self) -> Job:
        """The MLflow view. Where that lies is what the job is told to bring about."""
        slice = {"uri": self.study.track.uri, "study": self.study.study}
        return self._summary("track", slice, [], {"uri": self.study.tracking_uri})

    @cached_property
    def tables(self) -> Job:
        """Tables for people and their programs."""
        return self._summary("tables", {"claims": self._claims}, table_files(), {"folder": self.folder / "tables"})

    @cached_property
    def _claims(self) -> list[dict[str, Any]]:
        return [claim.model_dump(mode="json", exclude_none=True) for claim in self.study.claims]

    @cached_property
    def figures(self) -> Job:
        """Figures, as SVG and PNG."""
        slice = {"shown": [list(each) for each in self.shown]}
        return self._summary("figures", slice, figure_files(self.shown), {"folder": self.folder / "figures"})

    @cached_property
    def shown(self) -> list[tuple[str, str | None]]:
        """Every figure of the study: its kind, and its method or experiment where it is of one."""
        instruments = {name: each.diagnostic.member.name for name, each in self.experiments.items()}
        return figures(self.gans, instruments)

    @cached_property
    def report(self) -> Job:
        """The HTML report."""
        pages = [path for path in sorted((PACKAGE / "report").iterdir()) if path.suffix in (".j2", ".css")]
        slice = {
            "study": self.study.model_dump(mode="json", exclude=WHERE),
            "shown": [list(each) for each in self.shown],
        }
        places = {"folder": self.folder, "figures": self.folder / "figures"}
        return self._summary("report", slice, ["report.html"], places, needs=(self.figures,), pages=tuple(pages))

    def _summary(
        self,
        stage: str,
        slice: dict[str, Any],
        files: list[str],
        places: dict[str, Path | str] | None = None,
        needs: tuple[Job, ...] = (),
        pages: tuple[Path, ...] = (),
    ) -> Job:
        """A job that leaves a stamp, and files with plain names in the first of its places."""
        places = places or {}
        needed = [self.collect.digest, *(job.digest for job in needs)]
        value = digest([placeless(slice), needed, sources_digest(_stage(stage), *pages)])
        stamp = self.folder / STAMPS / f"{stage}-{value[:12]}"
        inputs = (*self.collect.outputs, *(job.path for job in needs))
        outputs = (stamp, *(places["folder"] / name for name in files))
        where = {"collected": self.collect.path.parent, **places}
        return Job(stage, stage, value, slice | {key: str(path) for key, path in where.items()}, inputs, outputs)

    def _job(
        self,
        stage: str,
        name: str,
        slice: dict[str, Any],
        needs: dict[str, Job | None] | None = None,
        weights: Path | None = None,
    ) -> Job:
        """A job that leaves one file.

        Args:
            stage, name: of the job.
            slice: what it is told, but for where things lie.
            needs: the jobs whose files it reads, by the word for them in its slice; None for one that there is not.
            weights: a file that it reads and no job makes; the slice has its checksum.
        """
        needs = needs or {}
        value = digest([placeless(slice), {word: job and job.digest for word, job in needs.items()}])
        where = {word: job and str(job.path) for word, job in needs.items()}
        if weights:
            where["weights"] = {"path": str(weights), "sha256": slice["weights"]}
        inputs = tuple(job.path for job in needs.values() if job) + ((weights,) if weights else ())
        output = self.folder / stage / f"{name}-{value[:12]}.h5"
        return Job(stage, name, value, {**slice, **where}, inputs, (output,))

    def _pack_job(
        self,
        stage: str,
        pack: Pack,
        digests: dict[str, str],
        slice: dict[str, Any],
        needs: dict[str, Job | None],
        weights: Path | None = None,
    ) -> Job:
        members = [
            {"id": run.id, "digest": digests[run.id], "method": run.method, "team": team, **_numbers(run)}
            for team, runs in enumerate(pack.fusable_groups)
            for run in runs
        ]
        return fitting(self._job(stage, pack.name, {**slice, "pack": pack.name, "members": members}, needs, weights))


def parts_of(run: Run) -> dict[str, Any]:
    """What a run is made of, as slices tell of it."""
    return {choice.family: _named(choice) for choice in run.choices}


def _numbers(run: Run) -> dict[str, Any]:
    return {"seed": run.seed, "n_train": run.n_train, "learning_rate": run.learning_rate}


def _dataset(run: Run) -> str:
    return slug(run.choice("dataset").signature)


def _named(choice: Choice) -> dict[str, Any]:
    return {"name": choice.name, "options": choice.options}


def _stage(stage: str) -> Path:
    return PACKAGE / "pipeline" / "stages" / f"{stage}.py"

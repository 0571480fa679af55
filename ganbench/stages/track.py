"""Stage `track`: shows a study's collected results in MLflow, one experiment per study and one MLflow run per run.

The files are the truth and MLflow is a view of them, so this stage may run at any time and any number of times. Every
MLflow run carries a fingerprint of what was written to it (`ganbench.content`, which covers the run's digest) and, last
of all, the tag `ganbench.complete`. A run that is there and complete is left alone; one cut short is deleted and
written anew; one whose numbers changed gets a new MLflow run, and the old one is tagged `ganbench.superseded`.

Numbers are shown as they are. MLflow stores NaN, but its SQL stores turn an infinity into the largest float: infinite
values are left out and counted in the tag `ganbench.infinite_left_out`. An empty cell of the snapshots table is a
metric that does not exist for that run, and logs nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, RUNS
from ganbench.core.errors import GanbenchError
from ganbench.stages import stamp
from ganbench.stages.progress import progress

if TYPE_CHECKING:  # importing MLflow takes seconds: only a process that tracks pays for it
    from mlflow.entities import Run

POINTS_PER_BATCH = 1000  # the most metrics MLflow takes in one call
PARAMS = (*AXES, "steps", "discriminator_parameters", "generator_parameters")
TAGS = tuple(name for name in RUNS if name not in (*PARAMS, "run", "trained_at", "train_seconds"))
EXTREMES = ("discriminator_loss", "generator_loss")  # a bin's mean hides the spikes of these, and spikes matter

# No usage reports to third parties, no advertisements on standard output.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
# MLflow's own defaults keep a caller of a dead server waiting for many minutes. What the user has set stays.
FIRST_CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
AFTERWARDS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}


@dataclass(frozen=True)
class Tracked:
    """What one call of `track` did."""

    created: int  # MLflow runs written
    present: int  # MLflow runs that were already there, complete and up to date
    superseded: int  # older MLflow runs of the same points of the grid, newly tagged as such
    metrics: int  # metric points logged
    artifacts: int  # pictures logged


@dataclass(frozen=True)
class Record:
    """One run, as MLflow is to show it."""

    run: str
    status: str
    start_ms: int
    end_ms: int
    params: dict[str, str]
    tags: dict[str, str]
    points: list[tuple[str, float, int, int]]  # series, value, timestamp in ms, step
    sample_steps: np.ndarray  # (S,)
    samples: np.ndarray  # (S, n, *shape)

    @property
    def axes(self) -> tuple[str | None, ...]:
        """The run's point of the grid: what stays the same when its digest changes."""
        return tuple(self.params.get(axis) for axis in AXES)

    @cached_property
    def content(self) -> str:
        """SHA-256 over everything that is shown: new numbers under an old digest must show too."""
        told = repr((self.run, self.status, self.start_ms, self.end_ms, self.params, self.tags, self.points))
        sums = hashlib.sha256(told.encode())
        sums.update(repr((self.sample_steps.tolist(), self.samples.shape)).encode())
        sums.update(np.ascontiguousarray(self.samples).tobytes())
        return sums.hexdigest()


def track(collected: Collected, *, study: str, uri: str, report: Callable[[int, int], None] | None = None) -> Tracked:
    """Brings MLflow up to date with a study's collected results.

    Args:
        collected: the study's collected results.
        study: name of the study, and of the MLflow experiment.
        uri: `sqlite:///path/to/file.db` (pictures go to `path/to/file-artifacts`), or the http(s) address of a server.
        report: called as `report(done, total)` after every run.

    Raises:
        GanbenchError: the store cannot be reached or written; the message names it and the remedy.
    """
    database = _database(uri)
    # One writer at a time: processes that open a new SQLite store at once break it, and two that meet at a server
    # would both find a run missing and write it twice.
    beside = database if database is not None else collected.folder.resolve()
    with _exclusively(beside.with_name(f".{beside.name}.track.lock")), _environment(QUIET), _silence():
        store = _Store(uri, study, database)
        complete = store.complete_runs(writing=set(collected.runs["run"]))
        frames: dict[str, PointFrame] = {}  # by data set
        created = metrics = artifacts = 0
        shown: dict[str, tuple] = {}  # by content: the point of the grid it is about
        for done, record in enumerate(records(collected), start=1):
            shown[record.content] = record.axes
            if record.content not in complete:
                dataset = record.params["dataset"]
                if record.samples.ndim == 3 and dataset not in frames:
                    frames[dataset] = PointFrame(collected.real(dataset))
                artifacts += store.write(record, frames.get(dataset))
                metrics += len(record.points)
                created += 1
            if report is not None:
                report(done, len(collected.runs))
        superseded = store.mark_superseded(complete, shown)
    return Tracked(created, len(shown) - created, superseded, metrics, artifacts)


def records(collected: Collected) -> Iterator[Record]:
    """Yields every run of the study as MLflow is to show it."""
    curves = dict(iter(collected.curves.groupby("run", sort=False)))
    snapshots = dict(iter(collected.snapshots.groupby("run", sort=False)))
    for row in collected.runs.to_dict("records"):
        run = row["run"]
        kept = snapshots.get(run, collected.snapshots.iloc[:0]).sort_values("step")
        points = [*_curve_points(curves.get(run, collected.curves.iloc[:0])), *_metric_points(collected, row, kept)]
        finite = [point for point in points if not math.isinf(point[1])]
        end = pd.Timestamp(row["trained_at"])
        end_ms = round((end.tz_localize("UTC") if end.tzinfo is None else end).timestamp() * 1000)
        start_ms = round(end_ms - 1000 * row["train_seconds"])
        # Only the total time is recorded, so every step is taken to last equally long.
        step_ms = (end_ms - start_ms) / max(row["steps_done"], 1)
        tags = {"ganbench.run": run} | _texts(row, TAGS)
        if len(finite) < len(points):
            tags["ganbench.infinite_left_out"] = str(len(points) - len(finite))
        steps, samples = collected.samples(run) if len(kept) else (np.empty(0, int), np.empty(0))
        yield Record(
            run=run,
            status="FAILED" if row["outcome"] == "diverged" else "FINISHED",
            start_ms=start_ms,
            end_ms=end_ms,
            params=_texts(row, PARAMS),
            tags=tags,
            points=[
                (name, float(value), min(round(start_ms + step_ms * step), end_ms), int(step))
                for name, value, step in finite
            ],
            sample_steps=steps,
            samples=samples,
        )


def _texts(row: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The named cells as MLflow keeps them, without the empty ones."""
    return {name: str(row[name]) for name in names if not pd.isna(row[name]) and row[name] != ""}


def _curve_points(curves: pd.DataFrame) -> Iterator[tuple[str, float, int]]:
    """Every bin's mean at its last step and, where a bin of a loss spans several steps, its extremes."""
    for series, bins in curves.groupby("series", sort=False):
        wide = bins[bins["first_step"] < bins["last_step"]] if series in EXTREMES else bins.iloc[:0]
        for key, column, rows in (("", "mean", bins), (".min", "min", wide), (".max", "max", wide)):
            for value, step in zip(rows[column], rows["last_step"], strict=True):
                yield f"{series}{key}", value, step


def _metric_points(collected: Collected, row: dict[str, Any], kept: pd.DataFrame) -> Iterator[tuple[str, float, int]]:
    """Every metric at the run's snapshots, and its final value at the last of them."""
    for name in collected.metrics:
        values = kept[name].dropna() if name in kept else pd.Series(dtype=float)
        for index, value in values.items():
            yield name, value, kept.at[index, "step"]
        if len(kept) and not pd.isna(row.get(f"{name}_final", math.nan)):
            yield f"{name}_final", row[f"{name}_final"], kept["step"].iloc[-1]


class _Store:
    """One experiment of one MLflow store. Every method raises GanbenchError when the store fails."""

    def __init__(self, uri: str, experiment: str, database: Path | None):
        from mlflow import MlflowClient

        self._uri = uri
        # The folder of a local experiment is given: MLflow's default depends on the working directory.
        place = None if database is None else database.with_name(f"{database.stem}-artifacts").resolve() / experiment
        with self._one_error("be opened", patience=FIRST_CONTACT):
            self._client = MlflowClient(tracking_uri=uri)
            found = self._client.get_experiment_by_name(experiment)
            if found is None:
                self._experiment = self._client.create_experiment(experiment, place and place.as_uri())
                return
            self._experiment = found.experiment_id
            if found.lifecycle_stage == "deleted":
                self._client.restore_experiment(found.experiment_id)

    def complete_runs(self, writing: set[str]) -> dict[str, Run]:
        """The complete runs by their content. Deletes what an interrupted or a simultaneous writer left over.

        Args:
            writing: the names of the runs about to be written; only halves of these are deleted.
        """
        complete: dict[str, Run] = {}
        with self._one_error("be read"):
            page = self._client.search_runs([self._experiment], max_results=POINTS_PER_BATCH)
            runs = list(page)
            while page.token:
                page = self._client.search_runs([self._experiment], max_results=POINTS_PER_BATCH, page_token=page.token)
                runs += page
            for run in runs:
                content = run.data.tags.get("ganbench.content")
                if run.data.tags.get("ganbench.complete") == "true" and content not in complete:
                    complete[content] = run
                elif content is not None and run.data.tags["ganbench.run"] in writing:
                    self._client.delete_run(run.info.run_id)
        return complete

    def write(self, record: Record, frame: PointFrame | None) -> int:
        """Writes one run, its completeness last, and returns how many pictures were logged."""
        from mlflow.entities import Metric, Param

        with self._one_error("be written"), tempfile.TemporaryDirectory() as folder:
            tags = {**record.tags, "ganbench.content": record.content}
            run = self._client.create_run(self._experiment, record.start_ms, tags, record.run).info.run_id
            self._client.log_batch(run, params=[Param(name, text) for name, text in record.params.items()])
            for first in range(0, len(record.points), POINTS_PER_BATCH):
                batch = record.points[first : first + POINTS_PER_BATCH]
                self._client.log_batch(run, metrics=[Metric(*point) for point in batch])
            drawn = draw_samples(record, frame, Path(folder))
            if drawn:
                self._client.log_artifacts(run, folder, "samples")
            self._client.set_terminated(run, record.status, record.end_ms)
            self._client.set_tag(run, "ganbench.complete", "true")
        return drawn

    def mark_superseded(self, complete: dict[str, Run], shown: dict[str, tuple]) -> int:
        """Tags the runs whose point of the grid is now shown with other numbers; returns how many are new to the tag.

        Args:
            complete: the runs that were complete before this call of the stage, by content.
            shown: the points of the grid that the study has now, by content.
        """
        newly = 0
        points = set(shown.values())
        with self._one_error("be written"):
            for content, run in complete.items():
                tagged = "ganbench.superseded" in run.data.tags
                stale = content not in shown and tuple(run.data.params.get(axis) for axis in AXES) in points
                if stale and not tagged:
                    self._client.set_tag(run.info.run_id, "ganbench.superseded", "true")
                    newly += 1
                elif tagged and content in shown:  # the study went back to what it was
                    self._client.delete_tag(run.info.run_id, "ganbench.superseded")
        return newly

    @contextmanager
    def _one_error(self, what: str, patience: dict[str, str] = AFTERWARDS) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            with _environment(patience, keep=True):
                yield
        except (MlflowException, OSError) as error:
            remedy = (
                "Move the file away to have it rebuilt from the results"
                if self._uri.startswith("sqlite:")
                else "Check the address, and start the server with `mlflow server --host HOST --port PORT`"
            )
            cause = " ".join(str(error).replace(self._uri.rstrip("/"), _public(self._uri)).split())[:400]
            raise GanbenchError(
                f"the MLflow store {_public(self._uri)} could not {what}. {remedy}; nothing is lost: tracking again "
                f"adds what is missing. The cause: {cause}"
            ) from error


def draw_samples(record: Record, frame: PointFrame | None, folder: Path) -> int:
    """Draws one picture per snapshot: images in a square, or points of the plane in `frame`; returns how many."""
    for step, examples in zip(record.sample_steps, record.samples, strict=True):
        path = folder / f"step_{step:08d}.png"
        if examples.ndim == 4:
            _draw_images(examples, path)
        else:
            frame.draw(examples, int(step), path)
    return len(record.sample_steps)


def _draw_images(images: np.ndarray, path: Path) -> None:
    """Lays images of shape (n, channels, height, width) in [-1, 1] out in a square, row by row."""
    from PIL import Image

    n, _, height, width = images.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    pixels = np.moveaxis(images.astype(np.float64), 1, -1)  # (n, height, width, channels)
    pixels = np.broadcast_to(pixels, (n, height, width, 3)) if pixels.shape[-1] == 1 else pixels
    # What is not a number must not pass for a picture: it is drawn magenta.
    bad = ~np.isfinite(pixels).all(axis=-1, keepdims=True)
    shades = np.where(bad, (255.0, 0.0, 255.0), (np.clip(pixels, -1, 1) + 1) * 127.5).round().astype(np.uint8)
    page = np.full((rows * columns, height, width, 3), 255, np.uint8)
    page[:n] = shades
    page = page.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    zoom = max(1, round(64 / max(height, width)))
    Image.fromarray(page.repeat(zoom, axis=0).repeat(zoom, axis=1)).save(path)


class PointFrame:
    """A plot of a data set's real points (n, 2): generated ones are scattered over it, always in the same limits."""

    def __init__(self, real: np.ndarray):
        from matplotlib.figure import Figure

        low, high = real.min(axis=0), real.max(axis=0)
        margin = 0.5 * max((high - low).max(), 1e-3)
        self._low, self._high = low - margin, high + margin
        # Built once for all runs and snapshots of the data set: that takes five times as long as drawing it.
        self._figure = Figure(figsize=(4, 4), dpi=100)
        self._axes = self._figure.add_subplot(aspect="equal")
        self._axes.scatter(*real.T, s=4, color="0.75", label="real")
        self._dots = self._axes.scatter([], [], s=6, color="C0", label="generated")
        self._axes.set(xlim=(self._low[0], self._high[0]), ylim=(self._low[1], self._high[1]))
        self._axes.legend(loc="upper right", fontsize=8)

    def draw(self, points: np.ndarray, step: int, path: Path) -> None:
        """Draws the points of one snapshot, shape (n, 2), and says how many of them cannot be seen."""
        outside = int((~((points >= self._low) & (points <= self._high)).all(axis=1)).sum())
        self._dots.set_offsets(points)
        self._axes.set_title(f"step {step}: {len(points)} generated, {outside} outside the frame", fontsize=9)
        self._figure.savefig(path)


def _database(uri: str) -> Path | None:
    """The file of an SQLite store that can be written, or None for a server's address."""
    shown = f"track.uri {_public(uri)!r}"
    if urlsplit(uri).scheme in ("http", "https") and urlsplit(uri).hostname:
        return None
    name = uri.removeprefix("sqlite:///").partition("?")[0]
    if not uri.startswith("sqlite:///") or name in ("", ":memory:"):
        raise GanbenchError(
            f"{shown} is neither sqlite:///path/to/file.db nor the address of a server, http(s)://host."
        )
    path = Path(name)
    if not path.parent.is_dir():
        raise GanbenchError(f"{shown}: there is no folder {path.parent}. Create it (mkdir -p {path.parent}).")
    if not os.access(path.parent, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
        raise GanbenchError(f"{shown} cannot be written: give yourself the rights to {path.parent} and the file in it.")
    # SQLAlchemy would try again for minutes to open what is not a database.
    if path.is_dir() or (path.exists() and _start(path) not in (b"", b"SQLite format 3\0")):
        raise GanbenchError(f"{shown}: {path} exists and is not an SQLite database. Name another file.")
    return path


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _public(uri: str) -> str:
    """The URI without a user name and password: messages end up in logs."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri


@contextmanager
def _exclusively(lock: Path) -> Iterator[None]:
    """Waits for the lock file and holds it. The file stays: removing it would let two writers in."""
    try:
        file = lock.open("a")
    except OSError as error:
        raise GanbenchError(
            f"tracking needs the lock file {lock}, which cannot be opened: {error.strerror}."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go of by closing the file, also when the process is killed
        yield


@contextmanager
def _environment(settings: dict[str, str], *, keep: bool = False) -> Iterator[None]:
    """Sets environment variables, MLflow's only way in, and puts them back; `keep` leaves those the user has set."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: value for name, value in settings.items() if not keep or before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps MLflow's logs off the terminal: what matters in them reaches the user as one error."""
    import mlflow  # noqa: F401 - its first import sets the levels below, so it has to come before them

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3.connectionpool")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def run(slice: dict[str, Any], path: Path) -> None:
    """Run the stage's job: track what is collected, then leave its stamp."""
    collected = Collected.read(Path(slice["collected"]))
    with progress(f"track {slice['study']}", len(collected.runs), "runs") as report:
        track(collected, study=slice["study"], uri=slice["uri"], report=lambda done, _: report(done))
    stamp(path)

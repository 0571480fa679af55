"""Files in a study's results that its plan does not name: leftovers of earlier versions of the study or the sources."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.pipeline import job_files
from ganbench.pipeline.execution import continuing, journal
from ganbench.pipeline.jobs import DIGEST, Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stage_names import OF_DATASETS, OF_PACKS, STAGES, STAMPS

RESUME = ".resume"  # folder of a stage with the checkpoints of interrupted jobs


@dataclass(frozen=True)
class Superseded:
    """A file or folder that no job of the plan names or reads."""

    kind: str  # in words, such as "results" or "logs"
    path: Path

    @property
    def size(self) -> int:
        """The size in bytes."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.lstat().st_size for file in files if not file.is_dir())

    def remove(self) -> None:
        """Remove the file or folder."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


def find(plan: Plan) -> list[Superseded]:
    """All superseded files and folders of a study.

    A result file under an old digest is not superseded while a job that is not done will take runs from it.
    """
    current = set(plan.files())
    found = [each for stage in STAGES for each in _of_stage(plan, stage, current)]
    stamps = sorted((plan.folder / STAMPS).glob("*"))
    found += [Superseded("stamps", path) for path in stamps if path not in current]
    folders = {path.parent for path in plan.collect.outputs}
    gathered = sorted((plan.folder / "collect").glob("*"))
    return found + [Superseded("collected tables", path) for path in gathered if path not in folders]


def refuse_running(plan: Plan) -> None:
    """Refuse to remove anything while a job of the study runs, which may outlive its workflow.

    Raises:
        GanbenchError: the journal of a job says that it is running.
    """
    for path in sorted((plan.folder / journal.FOLDER).glob("*/*.json")):
        entry = journal.read(path)
        if entry is not None and entry.running and not entry.silent:
            raise GanbenchError(
                f"{path.parent.name} {path.stem} is running (process {entry.pid} on {entry.host}); wait for its end."
            )


def _of_stage(plan: Plan, stage: str, current: set[Path]) -> Iterator[Superseded]:
    jobs = list(plan.jobs(stage).values())
    folder = plan.folder / stage
    if any(job.path.suffix == ".h5" for job in jobs) or stage in (*OF_DATASETS, *OF_PACKS):
        needed = current | _taken(folder, stage, [job for job in jobs if not job.done])
        yield from (Superseded("results", path) for path in sorted(folder.glob("*.h5")) if path not in needed)
        waiting = {job.path.stem[:-DIGEST] for job in jobs if not job.done}
        left = sorted((folder / RESUME).glob("*"))
        yield from (Superseded("interrupted work", path) for path in left if path.name not in waiting)
    stems = {journal.path_of(plan.folder, stage, job.path).stem for job in jobs}
    stems |= {job.path.stem[:-DIGEST] for job in jobs}  # of the locks of packs
    for kind, folder in (
        ("logs", plan.folder / "logs" / stage),
        ("benchmarks", plan.folder / "benchmarks" / stage),
        ("journal", plan.folder / journal.FOLDER / stage),
        ("jobs' files", plan.folder / job_files.FOLDER / stage),
    ):
        files = (path for path in sorted(folder.glob("*")) if path.stem not in stems)
        yield from (Superseded(kind, path) for path in files if path.name != ".lock")


def _taken(folder: Path, stage: str, waiting: list[Job]) -> set[Path]:
    """Result files that waiting jobs will take runs from, or go on from."""
    wanted = {item.digest for job in waiting for item in job.items}
    found = set(result_files.find_runs(folder, stage, wanted).values())
    if stage == "train":  # longer runs go on from finished ones
        shorter = continuing.shorter_runs(folder, [job.task for job in waiting])
        found |= {each.path for each in shorter.values() if each.fault is None}
    return found

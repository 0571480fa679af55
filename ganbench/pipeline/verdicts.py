"""Verdicts of finished studies: their records, the pages made from these, and studies run one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import failed
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import format_duration, plural
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stage_times import WORKFLOW_SECONDS, compared
from ganbench.pipeline.resources.work_times import CLOCKS, work_times
from ganbench.pipeline.status import DONE, Known, read_status
from ganbench.report import published_page, verdict_page
from ganbench.report.verdict_records import CLAIMS, PUBLISHED, Record, StudyRun, read_records, write_record
from ganbench.study.claim_list import LIST, load_list
from ganbench.study.schema import Study, load
from ganbench.study.study_files import path_from_root

Say = Callable[[str], None]
STUDIES = Path("config/studies")
SAY_SECONDS = 60.0  # time between two sentences about a study that runs
VERSIONS = ("python", "torch", "numpy", "scipy", "commit")
MACHINE = ("device", "processor", "cpu_capability", "blas")


# Records and pages ----------------------------------------------------------------------------------------------------


def record(study: Path) -> list[Path]:
    """Write the records of a finished study.

    Args:
        study: the study's file.

    Returns:
        The folders of the records: that of verdicts if the study has claims, that of published numbers if it names any.

    Raises:
        GanbenchError: the study's tables are missing, or are older than its runs or claims; or a claim has the
            identifier of a listed one and another statement.
    """
    plan = Plan(load(study))
    if not plan.tables.done:
        raise GanbenchError(
            f"{study}: its tables are not there, or not of the present study; run it first: snakemake "
            f"--cores all --configfile {study}"
        )
    load_list(LIST).refuse_other_statements(plan.study.claims)
    run = _study_run(plan, study)
    folders = {"claims": CLAIMS} if plan.study.claims else {}
    folders |= {"published": PUBLISHED} if plan.study.published else {}
    for name, folder in folders.items():
        write_record(folder, run, (plan.folder / "tables" / f"{name}.csv").read_bytes())
    return list(folders.values())


def _study_run(plan: Plan, file: Path) -> StudyRun:
    runs = Collected.read(plan.tables.task.collected).runs
    times = compared(plan, plan.folder)
    worked, packs = work_times(plan), Counter()
    for (_, name), seconds in worked.items():
        packs[name] += seconds
    others = sum(each.actual for each in times[:-1] if each.stage not in CLOCKS)
    return StudyRun(
        study=plan.study.study,
        title=plan.study.title,
        file=path_from_root(file),
        date=str(runs["trained_at"].max())[:10],
        machine="; ".join(_distinct(runs[list(MACHINE)].astype(str).agg(", ".join, axis=1))),
        versions={name: "; ".join(_distinct(runs[name])) for name in VERSIONS},
        runs=len(runs),
        failed=int(failed(runs).sum()),
        core_seconds=round(others + sum(worked.values()), 1),
        elapsed_seconds=round(times[-1].actual, 1) if times else 0.0,
        pack_seconds={name: round(seconds, 1) for name, seconds in packs.items()},
        protocol=plan.study.protocol,
    )


def _distinct(values: pd.Series) -> list[str]:
    return sorted(set(values.dropna().astype(str)))


def write_pages() -> list[Path]:
    """Write the pages of verdicts and of published numbers from the records, with the notes of the studies' files.

    Returns:
        The paths of the pages.
    """
    verdicts, published = read_records(CLAIMS), read_records(PUBLISHED)
    studies = studies_of([*verdicts, *published])
    claims = {file: study.claims for file, study in studies.items()}
    pages = {
        CLAIMS.with_suffix(".md"): verdict_page.page(verdicts, load_list(LIST), claims),
        PUBLISHED.with_suffix(".md"): published_page.page(published, studies),
    }
    for path, text in pages.items():
        with atomic_write(path) as new:
            new.write_text(text, encoding="utf-8")
    return list(pages)


def studies_of(records: Sequence[Record]) -> dict[str, Study]:
    """The studies of records, and all studies in `STUDIES`, by the paths of their files.

    A file that is gone, or is no valid study, is left out: what is wrong with it, `ganbench check` says.
    """
    found: dict[str, Study] = {}
    for file in {*(record.run.file for record in records), *map(str, STUDIES.rglob("*.yaml"))}:
        with suppress(GanbenchError):
            found[file] = load(Path(file))
    return found


# Studies one after the other ------------------------------------------------------------------------------------------


@dataclass
class _Progress:
    """How long the studies that are done have taken, against their estimates."""

    estimated: float = 0.0
    actual: float = 0.0

    def corrected(self, seconds: float) -> float:
        """An estimate, corrected by the ratio that was measured so far."""
        return seconds * (self.actual / self.estimated if self.estimated and self.actual else 1.0)


def run_all(studies: Sequence[Path], profile: Path, say: Say) -> None:
    """Run studies one after the other through Snakemake, and write records and pages after each.

    A study that is done already costs nothing, and one that was interrupted goes on where it was. The others go on when
    one fails.

    Args:
        studies: the studies' files.
        profile: the profile of the workflow.
        say: called with each sentence about the progress.

    Raises:
        GanbenchError: a study failed; the message names it, with all others that did.
    """
    faults: dict[Path, str] = {}
    left: dict[Path, float] = {}
    for study in studies:
        try:
            left[study] = _seconds_left(study)
        except GanbenchError as error:
            faults[study] = str(error)
            say(f"{study}: its check failed, and it is left out: {error}")
    progress, done = _Progress(), 0
    say(f"{len(left)} studies, about {format_duration(sum(left.values()))} in all")
    for study in list(left):
        estimated = left.pop(study)
        say(f"{study}: begins, {done} of {len(studies)} done, about {format_duration(estimated)} for this one")
        before = _actual(study)
        others = progress.corrected(sum(left.values()))
        try:
            _snakemake(study, profile, others, say)
            record(study)
            write_pages()
        except GanbenchError as error:
            faults[study] = str(error)
            say(f"{study}: failed, and the others go on: {error}")
        else:
            done += 1
            progress.estimated += estimated
            progress.actual += max(0.0, _actual(study) - before)
        remaining = progress.corrected(sum(left.values()))
        say(f"{done} of {len(studies)} done, about {format_duration(remaining)} left in all")
    if faults:
        raise GanbenchError("\n".join(f"{study}: {fault}" for study, fault in faults.items()))


def _seconds_left(study: Path) -> float:
    """Check a study, and estimate the seconds until it is done; 0 if it is."""
    from ganbench.pipeline.preflight.check import check

    plan = Plan(load(study))
    results_folder.prepare(plan)
    if read_status(plan).done:
        return 0.0
    check(plan, remeasure=False)
    return read_status(plan).seconds_left + WORKFLOW_SECONDS


def _actual(study: Path) -> float:
    """The seconds in which jobs of a study have worked so far."""
    plan = Plan(load(study))
    times = compared(plan, plan.folder)
    return times[-1].actual if times else 0.0


def _snakemake(study: Path, profile: Path, others: float, say: Say) -> None:
    """Run a study's workflow to its end, and say every `SAY_SECONDS` how much is done and how long the rest will take.

    Args:
        study: the study's file.
        profile: the profile of the workflow.
        others: the seconds that the studies after it will take.
        say: called with each sentence.

    Raises:
        GanbenchError: the workflow ended with an error, which it has printed.
    """
    plan, known = Plan(load(study)), Known()
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(profile), "--configfile", str(study)]
    process = subprocess.Popen(command, process_group=0)
    try:
        while (code := _wait(process)) is None:
            now = read_status(plan, known)
            if now.seconds_left is not None:
                this, whole = map(format_duration, (now.seconds_left, now.seconds_left + others))
                done = f"{len(now.of(DONE)):,} of {plural(len(now.jobs), 'job')} done"
                say(f"{study}: {done}, about {this} left, {whole} in all")
    except BaseException:
        # As Ctrl-C in a terminal: jobs, which are in the group, write checkpoints. At SIGTERM Snakemake would let its
        # jobs finish first.
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        raise
    if code:
        raise GanbenchError(
            f"its workflow ended with exit status {code}; `ganbench status {study}` says which job failed"
        )


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    """Wait `SAY_SECONDS` for a process to end; returns its exit status, or None if it runs on."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(SAY_SECONDS)
    return None

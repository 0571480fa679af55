"""A soak test: a study of many packs is disturbed at random, again and again, and must end as if nothing had happened.

    python tests/helpers/soak.py --minutes 30 [--seed 0] [--packs 12]

Processes are killed, frozen and told to stop, the disk fills up, files are cut short, the tracking server goes down.
After every fault the workflow is simply started again, as a person would start it; where it says that a file must be
removed, that is done. At the end the results are compared with those of a quiet run, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from comparing import differences, differing_tables, runs_of
from rich.console import Console
from rich.table import Table
from tiny_studies import STUDY
from tracking_server import MlflowServer
from workflow_project import Project

DISK_MB = 160  # of the file system that fills up
STAGES = ("train", "evaluate", "diagnose")
Study = dict[str, Any]


def study(packs: int, steps: int, uri: str) -> Study:
    """Packs of small networks and of games of two numbers, with checkpoints at every chance."""
    networks = {"dataset": "ring8", "architecture": "mlp", "learning_rate": [1.0e-3, 5.0e-3]}
    games = {"game": "bilinear", "dynamics": "alternating", "optimizer": "sgd", "learning_rate": [0.1, 0.5]}
    half = max(1, packs // 2)
    return STUDY | {
        "grid": [networks | {"seed": {"count": half}}, games | {"seed": {"count": packs - half}}],
        "train": {"steps": steps, "batch_size": 16, "precision": "float64", "snapshots": {"count": 3}},
        "pack": {"seeds_per_pack": 1},
        "diagnose": ["path"],
        "machine": {"checkpoint_seconds": 0, "device": "cpu"},
        "track": {"uri": uri},
    }


@dataclass
class Tally:
    """What was done to the study, and what became of it."""

    injected: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    studies: int = 0
    lost: list[str] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)  # projects in which something was lost

    def show(self, console: Console) -> None:
        table = Table("fault", "injected", title="soak", title_justify="left")
        for fault, count in sorted(self.injected.items()):
            table.add_row(fault, str(count))
        console.print(table)
        total = sum(self.injected.values())
        console.print(f"{total} faults, {self.starts} starts of the workflow, {self.studies} studies finished.")
        console.print(f"survived: {total if not self.lost else 'NOT ALL'}; results lost or changed: {len(self.lost)}")
        for line in self.lost:
            console.print(f"  {line}")
        for place in self.kept:
            console.print(f"what was left of the study, and what each start said: {place}")


class Soak:
    """One study under fire.

    Args:
        project: a fresh project with the study.
        dice: what happens when.
        server: the tracking server.
        tally: to write into.
        disk: that of its results, to be filled; None where it cannot have one of its own.
    """

    def __init__(
        self, project: Project, dice: random.Random, tally: Tally, server: MlflowServer, disk: Disk | None
    ) -> None:
        self.project, self.dice, self.tally, self.server, self.disk = project, dice, tally, server, disk
        self.faults: list[Callable[[subprocess.Popen[str]], bool]] = [
            self.job_killed,
            self.job_told_to_stop,
            self.job_frozen,
            self.workflow_killed,
            self.everything_killed,
            self.result_cut_short,
            self.checkpoint_cut_short,
            self.server_down,
            *([self.disk_full] if disk else []),
        ]
        self._deck: list[Callable[[subprocess.Popen[str]], bool]] = []

    def run(self, until: float, pause: tuple[float, float], most: int = 10**9) -> None:
        """Run the study to its end, under faults until the given time or number of them, then in peace."""
        left = most
        for _ in range(1000):
            self.tally.starts += 1
            with self.project.running("--keep-going") as process:
                drain = _Drain(process)
                while process.poll() is None and time.monotonic() < until and left > 0:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(self.dice.uniform(*pause))
                        break
                    fault = self._drawn()
                    with suppress(OSError, psutil.Error):  # who was to be disturbed has just ended
                        if fault(process):
                            self.tally.injected[fault.__name__.replace("_", " ")] += 1
                            left -= 1
                status, output = process.wait(), drain.text()
            (self.project.folder / f"start-{self.tally.starts}.log").write_text(output)
            if status == 0:
                self.tally.studies += 1
                return
            self._as_told(output)
        raise AssertionError(f"the study does not end; the last start said:\n{output}")

    def _drawn(self) -> Callable[[subprocess.Popen[str]], bool]:
        """The next fault: all kinds in any order, then all of them again."""
        if not self._deck:
            self._deck = self.dice.sample(self.faults, len(self.faults))
        return self._deck.pop()

    def _as_told(self, output: str) -> None:
        """Do what an error message asks for: remove damaged files."""
        for path in re.findall(r"(\S+\.h5) is (?:truncated|not an HDF5 file)", output):
            (self.project.folder / path).unlink(missing_ok=True)

    # Faults: each says whether there was something to disturb --------------------------------------------------------

    def _jobs(self) -> list[psutil.Process]:
        mine = str(self.project.folder)
        return [p for p in psutil.process_iter(["cmdline", "cwd"]) if _is_job(p) and p.info["cwd"] == mine]

    def _signal(self, *numbers: int, between: float = 0) -> bool:
        jobs = self._jobs()
        if not jobs:
            return False
        job = self.dice.choice(jobs)
        for number in numbers:
            job.send_signal(number)
            time.sleep(between)
        return True

    def job_killed(self, process: subprocess.Popen[str]) -> bool:
        return self._signal(signal.SIGKILL)

    def job_told_to_stop(self, process: subprocess.Popen[str]) -> bool:
        return self._signal(signal.SIGTERM)

    def job_frozen(self, process: subprocess.Popen[str]) -> bool:
        return self._signal(signal.SIGSTOP, signal.SIGCONT, between=1.0)

    def workflow_killed(self, process: subprocess.Popen[str]) -> bool:
        process.kill()  # alone: its jobs go on
        return True

    def everything_killed(self, process: subprocess.Popen[str]) -> bool:
        os.killpg(process.pid, signal.SIGKILL)
        return True

    def _cut(self, pattern: str) -> bool:
        found = [path for path in self.project.results.glob(pattern) if path.stat().st_size > 100]
        if not found:
            return False
        path = self.dice.choice(sorted(found))
        os.truncate(path, self.dice.randrange(path.stat().st_size))
        return True

    def result_cut_short(self, process: subprocess.Popen[str]) -> bool:
        # A file is found damaged when the workflow starts; cut while jobs read it, it fails these.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return self._cut("[tped][rvia]*/*.h5")

    def checkpoint_cut_short(self, process: subprocess.Popen[str]) -> bool:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return self._cut("*/.resume/**/*.h5")  # snapshots too

    def disk_full(self, process: subprocess.Popen[str]) -> bool:
        with self.disk.full():
            time.sleep(self.dice.uniform(2, 5))
        return True

    def server_down(self, process: subprocess.Popen[str]) -> bool:
        self.server.end(signal.SIGKILL)
        time.sleep(self.dice.uniform(1, 4))
        self.server.start()
        return True


class Disk:
    """A small file system of its own for the results, where one may be mounted."""

    def __init__(self, place: Path) -> None:
        self.place = place

    @classmethod
    @contextmanager
    def mounted(cls, place: Path) -> Iterator[Disk | None]:
        place.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "ganbench-soak", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield cls(place)
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)

    @contextmanager
    def full(self) -> Iterator[None]:
        ballast = self.place / "ballast"
        try:
            with suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(bytes(2**16))
                    file.flush()
            yield
        finally:
            ballast.unlink(missing_ok=True)


class _Drain:
    """What a process prints, taken off its pipe while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._parts: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._thread.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            self._parts.append(line)

    def text(self) -> str:
        self._thread.join(5)  # jobs that outlive a killed workflow keep the pipe open
        return "".join(self._parts)


def _is_job(process: psutil.Process) -> bool:
    words = process.info["cmdline"] or []
    return "job" in words and any(word.endswith("ganbench") for word in words[:3])


def compare(one: Project, other: Project) -> list[str]:
    """What a project lacks, or holds otherwise than a quiet one of the same study, clocks aside.

    Args:
        one: the quiet project, up to its collected tables.
        other: the one that was disturbed, with a report.
    """
    found = []
    for stage in STAGES:
        ones, others = (_runs(project, stage) for project in (one, other))
        found += [f"{stage}: run {digest[:12]} is in one only" for digest in ones.keys() ^ others.keys()]
        for digest in ones.keys() & others.keys():
            if differences(ones[digest], others[digest]):
                found.append(f"{stage}: run {digest[:12]} differs")
    found += [f"collect: {name} differs" for name in differing_tables(one, other)]
    return found if (other.results / "report.html").exists() else [*found, "there is no report"]


def _runs(project: Project, stage: str) -> dict[str, dict[str, Any]]:
    return {k: run for path in (project.results / stage).glob("*.h5") for k, run in runs_of(path).items()}


def soak(
    folder: Path, *, seed: int, seconds: float, packs: int, steps: int, pause: tuple[float, float], most: int = 10**9
) -> Tally:
    """Disturb studies for a while.

    Args:
        folder: where to work.
        seed: of what happens when.
        seconds: for how long to disturb; studies are run again from nothing until then.
        packs: of the study.
        steps: of its training.
        pause: shortest and longest time between two faults, in seconds.
        most: faults in all.
    """
    dice, tally = random.Random(seed), Tally()
    quiet = Project.create(folder / "quiet", study(packs, steps, "sqlite:///results/mlflow.db"))
    quiet.snakemake("--until", "collect").succeeded()
    place = folder / "server"
    place.mkdir()
    server = MlflowServer(place, f"sqlite:///{place}/mlflow.db")
    until = time.monotonic() + seconds
    try:
        while tally.studies == 0 or (time.monotonic() < until and sum(tally.injected.values()) < most):
            place = folder / f"disturbed-{tally.studies}"
            project = Project.create(place, study(packs, steps, server.uri))
            with Disk.mounted(place / "results") as disk:
                left = most - sum(tally.injected.values())
                Soak(project, dice, tally, server, disk).run(until, pause, left)
                if lost := compare(quiet, project):
                    kept = Path(tempfile.mkdtemp(prefix="ganbench-soak-"))
                    tally.kept.append(shutil.copytree(place, kept, dirs_exist_ok=True, symlinks=True))
                tally.lost += lost
            shutil.rmtree(place)
    finally:
        server.end()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--packs", type=int, default=12)
    given = parser.parse_args()
    console = Console()
    console.print(f"disturbing a study of {given.packs} packs for {given.minutes:g} minutes, seed {given.seed} ...")
    with tempfile.TemporaryDirectory() as folder:
        tally = soak(
            Path(folder), seed=given.seed, seconds=60 * given.minutes, packs=given.packs, steps=2000, pause=(2.0, 15.0)
        )
    tally.show(console)
    return int(bool(tally.lost))


if __name__ == "__main__":
    raise SystemExit(main())

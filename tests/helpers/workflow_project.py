"""A copy of the project with a tiny study in it, to run the real workflow on: Snakemake, its jobs and their files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from repository import ROOT

PROJECT_FILES = ("Snakefile", "workflow", "profiles", "ganbench", "config", "environment.yml", "pyproject.toml")
CONFIG = Path("config/config.yaml")
RESULTS = Path("results/tiny")

# What the results folder holds of how and where jobs run, and no result.
NOT_RESULTS = {"logs", ".jobs", ".plan", ".estimates.json", ".timings.json", ".held.json", ".passed", ".lock"}

EACH_JOB = "--quiet=host"  # the profile that Snakemake takes by itself says only how many jobs are done
CORES = ("--cores", "2", EACH_JOB)
LIMIT_SECONDS = 900  # for any one command or event; reached only when something hangs
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Done:
    """A Snakemake command that has ended."""

    status: int
    output: str  # everything it printed

    @property
    def jobs(self) -> set[str]:
        """The jobs it ran, or would have run: `train digits-fc`, `judge ring8`, `report` ..."""
        told = re.findall(r"^Job \d+: (\w+)(?: (\S+))?$", self.output, flags=re.MULTILINE)
        return {f"{rule} {_method(name)}" if name else rule for rule, name in told}

    def succeeded(self) -> Done:
        assert self.status == 0, f"Snakemake ended with status {self.status} and said:\n{self.output}"
        return self


def _method(name: str) -> str:
    """The name of a pack without the digest of its settings and the number of its block of seeds."""
    return re.sub(r"-[0-9a-f]{12}-\d+$", "", name)


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own; what is edited in it is what runs."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)  # that Snakemake has, beside the one of the tests
    program: tuple[str, ...] = (sys.executable, "-m", "snakemake")

    @classmethod
    def create(cls, folder: Path, study: dict[str, Any]) -> Project:
        """The sources as they are now, with a study in place of the default one, and no results."""
        folder.mkdir(parents=True)
        for name in PROJECT_FILES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name)  # with the bytecode, so that no job compiles it
            else:
                shutil.copy(ROOT / name, folder / name)
        project = cls(folder)
        project.configure(study)
        return project

    def clone(self, folder: Path, *, ignore: tuple[str, ...] = ()) -> Project:
        """All of it, results and Snakemake's own records included, elsewhere."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(*ignore))
        return Project(folder)

    def untrained(self, folder: Path) -> Project:
        """A copy in which nothing was trained; its data sets are there."""
        return self.clone(folder, ignore=("train", "evaluate", "collect"))

    # Editing ---------------------------------------------------------------------------------------------------------

    def configure(self, study: dict[str, Any]) -> None:
        apart = json.loads(json.dumps(study))  # of what stands in it twice YAML would make aliases
        (self.folder / CONFIG).write_text(yaml.safe_dump(apart, sort_keys=False))

    def append(self, path: str, text: str) -> None:
        with (self.folder / path).open("a") as file:
            file.write(text)

    # Running ---------------------------------------------------------------------------------------------------------

    def snakemake(self, *arguments: str) -> Done:
        """Run `snakemake` with these arguments to its end."""
        with self.running(*arguments) as process:
            return self.end(process)

    def dry_run(self, *arguments: str) -> Done:
        """What `snakemake` would do."""
        return self.snakemake("--dry-run", EACH_JOB, *arguments)

    def check(self) -> str:
        """What `ganbench check` says of the study, which passes."""
        program = [sys.executable, "-m", "ganbench", "check"]
        return subprocess.run(
            program, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=True
        ).stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start `snakemake` in a process group of its own, which is gone when the block ends."""
        process = subprocess.Popen(
            [*self.program, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    self.kill(process)

    @staticmethod
    def end(process: subprocess.Popen[str]) -> Done:
        """Wait for a process to end by itself."""
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
        return Done(process.returncode, output)

    @staticmethod
    def kill(process: subprocess.Popen[str]) -> None:
        """SIGKILL for Snakemake and all its jobs; returns when the last of them is gone."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=LIMIT_SECONDS)  # ends when nobody holds the other end of the pipe any more

    @property
    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE_")}
        inherited |= self.environment
        path = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        # Jobs inherit it too: both Snakemake and they import the copied package.
        return inherited | {"PATH": path, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}

    # Looking ---------------------------------------------------------------------------------------------------------

    @property
    def results(self) -> Path:
        return self.folder / RESULTS

    def file(self, stage: str, name: str) -> Path:
        """The only result file of a method or a data set."""
        found = [path for path in (self.results / stage).glob(f"{name}-*.h5")]
        assert len(found) == 1, f"{stage} of {name} should have left one file, but there are {found}"
        return found[0]

    def collected(self) -> Path:
        """The only folder of collected tables."""
        found = list((self.results / "collect").iterdir())
        assert len(found) == 1, f"there should be one folder of tables, but there are {found}"
        return found[0]

    def log(self, stage: str, name: str) -> str:
        """What the jobs of a stage wrote about a method or a data set."""
        return "".join(path.read_text() for path in sorted((self.results / "logs" / stage).glob(f"{name}-*.log")))

    def state(self) -> dict[str, str]:
        """Checksums of everything under `results` but what is said of jobs, and the lock, by path."""
        results = self.folder / "results"
        return {
            str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(results.rglob("*"))
            if path.is_file() and not NOT_RESULTS & set(path.parts)
        }


def wait_for(event: Callable[[], bool], what: str, process: subprocess.Popen[str], every: float = POLL_SECONDS) -> None:
    """Wait until something has happened that a running process is to bring about; look for it every so many seconds."""
    end = time.monotonic() + LIMIT_SECONDS
    while not event():
        if process.poll() is not None:
            raise AssertionError(f"the workflow ended before there was {what}; it said:\n{process.communicate()[0]}")
        assert time.monotonic() < end, f"after {LIMIT_SECONDS} s there is still no {what}"
        time.sleep(every)

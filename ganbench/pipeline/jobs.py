"""Jobs: pieces of work, each told all it may know of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import digest

# A slice travels to its job as one command-line argument, which Linux limits to 128 KiB.
LARGEST_SLICE = 120_000


@dataclass(frozen=True)
class Job:
    """One piece of work.

    `slice` is all it may know of the configuration; `inputs` are the files it reads, `outputs` those it leaves. The
    first output is the one whose name carries the digest, which is of what the job computes: its settings and sources
    and the digests of the jobs whose files it reads, but not of where any of these lie.
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

    @property
    def log(self) -> str:
        """Where in the study's results the workflow keeps its log: one of its own, where its stage has several jobs."""
        return f"logs/{self.stage}/{self.path.stem}.log" if self.path.suffix == ".h5" else f"logs/{self.stage}.log"

    @cached_property
    def argument(self) -> Argument:
        """The slice as one JSON string with sorted keys."""
        return Argument(strict_json.dumps(self.slice, sort_keys=True, separators=(",", ":")), self.digest)


class Argument(str):
    """A slice as it travels to its job. Its `repr` is the job's digest: that is what Snakemake remembers of a job's
    parameters, and files that have moved are no reason to repeat the job."""

    def __new__(cls, text: str, digest: str) -> Argument:
        new = super().__new__(cls, text)
        new._digest = digest
        return new

    def __getnewargs__(self) -> tuple[str, str]:
        return str(self), self._digest  # to be copied and pickled

    def __repr__(self) -> str:
        return f"Argument({self._digest})"


def placeless(content: Any) -> Any:
    """A part of a slice, or of a study, without where users' own files lie: members named by a file's path go by the
    file's name alone, since its content has a digest of its own."""
    if isinstance(content, dict):
        own = {"name": Path(content["name"]).stem} if str(content.get("name")).endswith(".py") else {}
        return {key: placeless(value) for key, value in content.items()} | own
    return [placeless(each) for each in content] if isinstance(content, list | tuple) else content


def fitting(job: Job) -> Job:
    """The job, if it can be told its slice.

    Raises:
        GanbenchError: the slice is too long.
    """
    if len(job.argument) > LARGEST_SLICE:
        raise GanbenchError(
            f"{job.stage} {job.name} would have to be told {len(job.argument):,} characters of configuration, more "
            f"than the {LARGEST_SLICE:,} a job can be; lower pack.seeds_per_pack, take an axis out of pack.axes, or "
            "make two studies."
        )
    return job


def looks(slice: dict[str, Any]) -> list[dict[str, Any]]:
    """What a job of `diagnose` looks at: an experiment each and, unless it is of the study, a run. A look's digest is
    over the instrument and the run's training."""
    found = []
    for experiment, named in slice["experiments"].items():
        places = slice["looks"][experiment] if slice["trained"] else [None]
        for place in places:
            member = {} if place is None else slice["members"][place]
            run, trained = member.get("id", ""), member.get("digest")
            value = digest([placeless(named), trained])
            look = {"id": f"{experiment}:{run}", "experiment": experiment, "run": run, "trained": trained}
            found.append({**member, **look, "digest": value})
    return found

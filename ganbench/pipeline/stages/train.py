"""train: a pack's runs. Members that a file of the study holds already are kept; the others train.

A job that is told to end leaves a checkpoint beside the results in `.resume/`, from which its next attempt goes on; it
goes when the pack is done. A pack that is not fused trains its members one after the other; each finished one is kept
there as well.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganbench.core.formatting import plural
from ganbench.engine import fusing
from ganbench.engine.train import Training, snapshot_steps
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.checkpoints import Checkpoint, CheckpointSchedule
from ganbench.pipeline.execution.devices import device
from ganbench.pipeline.execution.instantiation import CPU, build_game, images_of, make, verify
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.execution.pack_trainer import Team, say
from ganbench.pipeline.execution.provenance import versions
from ganbench.tracking.live import live


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    for team in slice["teams"]:
        verify(team["sources"], team["parts"].items(), "train")
    members = [member | {"config": _config(slice, member)} for member in slice["members"]]
    result_cache.finish(path, "train", members, partial(train_new, slice, work=work), work)
    shutil.rmtree(path.parent / ".resume" / slice["pack"], ignore_errors=True)


def _config(slice: dict[str, Any], member: result_cache.Member) -> dict[str, Any]:
    """What a run is made of and how it trains, for those who open its file and nothing else."""
    parts = slice["teams"][member["team"]]["parts"]
    return {family: {"name": part["name"], **part["options"]} for family, part in parts.items()} | {
        "train": slice["train"]
    }


def training_of(train: dict[str, Any], parts: dict[str, Any]) -> Training:
    """How runs of these parts train."""
    return Training(
        dynamics=make("dynamics", parts["dynamics"]),
        optimizer=make("optimizer", parts["optimizer"]),
        steps=train["steps"],
        dtype=getattr(torch, train["dtype"]),
        snapshots=snapshot_steps(train["steps"], **train["snapshots"]),
        curve_bins=train["curve_bins"],
    )


def train_new(
    slice: dict[str, Any], new: list[result_cache.Member], resume: Path, work: Work
) -> list[result_cache.Made]:
    """Train the members that no file holds, team by team: all of a team together where it fuses, one by one where it
    does not."""
    images, made, steps = images_of(slice["prepared"]), [], slice["train"]["steps"]
    with device(work.site.device) as place, live(work.site.server, work.site.study) as stream:
        plans = [
            _Planned.of(slice, team, mine, images, place)
            for number, team in enumerate(slice["teams"])
            if (mine := [member for member in new if member["team"] == number])
        ]
        stands: dict[str, int] = {}  # the step of every member, by its digest
        for wave in [wave for planned in plans for wave in planned.waves]:
            stands |= Checkpoint(resume, wave, place).reached(steps)
        pace = CheckpointSchedule(work.site.checkpoint_seconds)
        what, total = f"train {slice['pack']}", len(new) * steps
        with work.progress(what, total, "run-steps", done=sum(stands.values())) as report:

            def reached(members: Sequence[result_cache.Member], step: int) -> None:
                if any(stands[member["digest"]] != step for member in members):
                    stands.update((member["digest"], step) for member in members)
                    report(sum(stands.values()))

            for planned in plans:
                game = build_game(planned.parts, slice["train"], images, place)
                training, axes = training_of(slice["train"], planned.parts), partial(_axes, planned.parts)
                team = Team(game, training, place, resume, work, pace, reached, stream, axes)
                about = {"pack": slice["pack"], "fused": planned.fused, "fused_why": planned.why, **versions(place)}
                how = "fused" if planned.fused else "one by one"
                say(f"{plural(planned.count, 'run')}, {how}: {planned.why}; on {place}")
                for wave in planned.waves:
                    for member, tree in team.train(wave):
                        made.append((member, {**tree, "about": {**about, **tree["about"]}}))
    return made


@dataclass(frozen=True)
class _Planned:
    """A team to train: what it is made of, and who trains together."""

    parts: dict[str, Any]
    waves: list[list[result_cache.Member]]
    fused: bool
    why: str

    @classmethod
    def of(
        cls,
        slice: dict[str, Any],
        team: dict[str, Any],
        members: list[result_cache.Member],
        images: np.ndarray | None,
        place: torch.device,
    ) -> _Planned:
        game = build_game(team["parts"], slice["train"], images, CPU)  # the device holds one team's examples at a time
        fused, why = fusing.decide(slice["fuse"], game, len(members), place)
        return cls(team["parts"], [members] if fused else [[member] for member in members], fused, why)

    @property
    def count(self) -> int:
        return sum(len(wave) for wave in self.waves)


def _axes(parts: dict[str, Any], member: result_cache.Member) -> dict[str, Any]:
    """A run's values of the grid's axes, as the tables show them."""
    from ganbench.study.choices import Choice

    labels = {family: Choice(family=family, **named).signature for family, named in parts.items()}
    return labels | {axis: member[axis] for axis in ("n_train", "learning_rate", "seed")}

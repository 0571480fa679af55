"""train: a pack's runs. Members that a file of the study holds already are kept; the others train.

An interrupted job goes on from its last checkpoint, which lies beside the results in `.resume/` and goes when the pack
is done. A pack that is not fused trains its members one after the other; each finished one is kept there as well.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ganbench.analysis.words import plural
from ganbench.core import store
from ganbench.core.sources import digest
from ganbench.core.tree import Tree
from ganbench.engine import fusing
from ganbench.engine.train import Training, snapshot_steps, train
from ganbench.games import Member, Rules
from ganbench.stages import one_thread, packs
from ganbench.stages.device import device
from ganbench.stages.parts import images_of, make, rules_of, verify
from ganbench.stages.progress import Report
from ganbench.stages.provenance import now, versions
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    one_thread()
    for team in slice["teams"]:
        verify(team["sources"], team["parts"].items(), "train")
    members = slice["members"]
    kept = packs.there(path, "train", members)
    new = [member for member in members if member["digest"] not in kept]
    resume = path.parent / ".resume" / slice["pack"]
    made = train_new(slice, new, resume, work) if new else []
    packs.write(path, "train", members, kept, made)
    shutil.rmtree(resume, ignore_errors=True)


def training_of(train: dict[str, Any], parts: dict[str, Any]) -> Training:
    """How runs of these parts train."""
    return Training(
        dynamics=make("dynamics", parts["dynamics"]),
        update=make("update", parts["update"]),
        steps=train["steps"],
        dtype=getattr(torch, train["dtype"]),
        snapshots=snapshot_steps(train["steps"], **train["snapshots"]),
        curve_bins=train["curve_bins"],
    )


def train_new(
    slice: dict[str, Any], new: list[packs.Member], resume: Path, work: Work
) -> list[tuple[packs.Member, Tree]]:
    """Train the members that no file holds, team by team, in waves: all of a team at once where it fuses, one by one
    where it does not."""
    images, made = images_of(slice["prepared"]), []
    with (
        device(work.site.device) as place,
        work.progress(f"train {slice['pack']}", len(new) * slice["train"]["steps"], "run-steps") as report,
    ):
        for number, team in enumerate(slice["teams"]):
            mine = [member for member in new if member["team"] == number]
            if not mine:
                continue
            rules = rules_of(team["parts"], slice["train"], images, place)
            fused, why = fusing.decide(slice["fuse"], rules, len(mine), place)
            how = "fused" if fused else "one by one"
            print(f"{plural(len(mine), 'run')}, {how}: {why}; on {place}", file=sys.stderr, flush=True)
            about = {"pack": slice["pack"], "fused": fused, "fused_why": why, **versions(place)}
            for wave in [mine] if fused else [[member] for member in mine]:
                training, checkpoint = training_of(slice["train"], team["parts"]), _checkpoint(resume, wave, place)
                after = _after(report, len(made) * training.steps, len(wave))
                for member, tree in zip(
                    wave, _wave(rules, training, wave, place, checkpoint, work, after), strict=True
                ):
                    made.append((member, {**tree, "about": {**about, **tree["about"]}}))
    return made


def _checkpoint(resume: Path, wave: list[packs.Member], place: torch.device) -> Path:
    """Where a wave's checkpoint lies: named after what it holds, since another start may find other members to train,
    another device, or other reasons to fuse."""
    return resume / f"{digest([place.type, *(member['digest'] for member in wave)])[:12]}.h5"


def _after(report: Report, done: float, members: int) -> Callable[[int], None]:
    return lambda step: report(done + members * step)


def _wave(
    rules: Rules,
    training: Training,
    wave: list[packs.Member],
    place: torch.device,
    checkpoint: Path,
    work: Work,
    report: Callable[[int], None],
) -> list[Tree]:
    """Train one wave, from its checkpoint if it has one; leaves its results in the checkpoint."""
    state, seconds = None, 0.0
    if checkpoint.exists():
        with store.reading(checkpoint, "resume") as file:
            saved = store.load(file["saved"])
        if "done" in saved:
            return [saved["done"][str(k)] for k in range(len(wave))]
        state, seconds = saved["state"], saved["seconds"]

    began = saved_at = time.monotonic()

    def at_chunk(step: int, alive: int, state_of: Callable[[], Tree]) -> None:
        nonlocal saved_at
        report(step)
        if time.monotonic() - saved_at >= work.site.checkpoint_seconds:
            _save(checkpoint, {"state": state_of(), "seconds": seconds + time.monotonic() - began})
            saved_at = time.monotonic()

    members = [Member(member["seed"], member["n_train"], member["learning_rate"]) for member in wave]
    trees = train(rules, training, members, device=place, resume=state, at_chunk=at_chunk)
    share = (seconds + time.monotonic() - began) / len(wave)
    sizes = [int(trees[0]["snapshots"][player].shape[1]) for player in rules.players]
    about = {"trained_at": now(), "train_seconds": share, "steps": training.steps, "parameters": sizes}
    trees = [{**tree, "about": about} for tree in trees]
    _save(checkpoint, {"done": {str(k): tree for k, tree in enumerate(trees)}})
    return trees


def _save(path: Path, tree: Tree) -> None:
    with store.writing(path, "resume") as file:
        store.save(file.create_group("saved"), tree)

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

import numpy as np
import torch

from ganbench.core import store
from ganbench.core.sources import digest
from ganbench.core.tree import Tree
from ganbench.engine import fusing
from ganbench.engine.train import Member, Training, snapshot_steps, train
from ganbench.stages import one_thread, packs
from ganbench.stages.device import device
from ganbench.stages.parts import examples, make, verify
from ganbench.stages.progress import Report, progress
from ganbench.stages.provenance import now, versions


def run(slice: dict[str, Any], path: Path) -> None:
    one_thread()
    named = [*slice["parts"].items(), ("update", slice["train"]["update"])]
    verify(slice["sources"], named, "train")
    members = slice["members"]
    kept = packs.there(path, "train", members)
    new = [member for member in members if member["digest"] not in kept]
    resume = path.parent / ".resume" / slice["pack"]
    made = train_new(slice, new, resume) if new else []
    packs.write(path, "train", members, kept, zip(new, made, strict=True))
    shutil.rmtree(resume, ignore_errors=True)


def training_of(slice: dict[str, Any]) -> Training:
    """The part of a slice that all members share, as the engine wants it."""
    train, parts = slice["train"], {family: make(family, named) for family, named in slice["parts"].items()}
    return Training(
        data=parts["dataset"].spec,
        **{family: parts[family] for family in ("architecture", "objective", "regularizer", "dynamics")},
        update=make("update", train["update"]),
        steps=train["steps"],
        batch_size=train["batch_size"],
        dtype=getattr(torch, train["dtype"]),
        snapshots=snapshot_steps(train["steps"], **train["snapshots"]),
        curve_bins=train["curve_bins"],
    )


def train_new(slice: dict[str, Any], new: list[packs.Member], resume: Path) -> list[Tree]:
    """Train the members that no file holds, in waves: all at once where they fuse, one by one where they do not."""
    training = training_of(slice)
    images = examples(Path(slice["prepared"])).train
    with device(slice["machine"]["device"]) as place:
        fused, why = fusing.decide(slice["fuse"], training, len(new), place)
        waves = [new] if fused else [[member] for member in new]
        total, done, made = len(new) * training.steps, 0, []
        print(f"{len(new)} runs, {'fused' if fused else 'one by one'}: {why}; on {place}", file=sys.stderr, flush=True)
        with progress(f"train {slice['pack']}", total, "run-steps") as report:
            for wave in waves:
                made += _wave(
                    training,
                    wave,
                    images,
                    place,
                    _checkpoint(resume, wave, place),
                    slice,
                    _after(report, done, len(wave)),
                )
                done += len(wave) * training.steps
    about = {"pack": slice["pack"], "fused": fused, "fused_why": why, **versions(place)}
    return [{**tree, "about": {**about, **tree["about"]}} for tree in made]


def _checkpoint(resume: Path, wave: list[packs.Member], place: torch.device) -> Path:
    """Where a wave's checkpoint lies: named after what it holds, since another start may find other members to train,
    another device, or other reasons to fuse."""
    return resume / f"{digest([place.type, *(member['digest'] for member in wave)])[:12]}.h5"


def _after(report: Report, done: float, members: int) -> Callable[[int], None]:
    return lambda step: report(done + members * step)


def _wave(
    training: Training,
    wave: list[packs.Member],
    images: np.ndarray,
    place: torch.device,
    checkpoint: Path,
    slice: dict[str, Any],
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
        if time.monotonic() - saved_at >= slice["machine"]["checkpoint_seconds"]:
            _save(checkpoint, {"state": state_of(), "seconds": seconds + time.monotonic() - began})
            saved_at = time.monotonic()

    members = [Member(member["seed"], member["n_train"], member["learning_rate"]) for member in wave]
    trees = train(training, members, images, device=place, resume=state, at_chunk=at_chunk)
    share = (seconds + time.monotonic() - began) / len(wave)
    sizes = {f"{p}_parameters": int(trees[0]["snapshots"][p].shape[1]) for p in ("discriminator", "generator")}
    about = {"trained_at": now(), "train_seconds": share, "steps": training.steps, **sizes}
    trees = [{**tree, "about": about} for tree in trees]
    _save(checkpoint, {"done": {str(k): tree for k, tree in enumerate(trees)}})
    return trees


def _save(path: Path, tree: Tree) -> None:
    with store.writing(path, "resume") as file:
        store.save(file.create_group("saved"), tree)

"""Trained networks as plain PyTorch modules: in a notebook, and in a folder that needs no study and no results.

    from ganbench import export
    generator = export.generator("my-study.yaml", "digits-dcgan-n100-lr0.0002-s0")  # nn.Module, in evaluation mode
    folder = export.write("my-study.yaml", "digits-dcgan-n100-lr0.0002-s0", step=2500)
    generator = export.load(folder)  # the same module

What the stage `track` uses too is in the pipeline, whose stages import nothing above it: `ganbench.pipeline.snapshots`
finds networks in the results of a study, and `ganbench.pipeline.network_folder` writes and reads their folders.

Mistakes raise `ganbench.core.errors.GanbenchError`, which names the cause, the value received and what would be valid.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.pipeline.network_folder import MODEL, load, write_snapshot
from ganbench.pipeline.snapshots import find

__all__ = ["discriminator", "generator", "load", "write"]


def generator(study: Path | str, run: str, step: int | None = None, *, averaged: bool = False) -> nn.Module:
    """The generator of a trained run, from latent points (batch, latent_size) to examples (batch, *example).

    Args:
        study: path of the study's file.
        run: the run's id, as in the tables.
        step: the snapshot; the last one by default.
        averaged: whether to take the moving average of the parameters (`ema_decay`) in their place.

    Returns:
        The module, in single precision and in evaluation mode.

    Raises:
        GanbenchError: an unknown run, one without networks, one that is not trained, the last snapshot of one that has
            diverged or was stopped early, a step without a snapshot, or a run without averages.
    """
    return find(Path(study), run, step, averaged).module("generator")


def discriminator(study: Path | str, run: str, step: int | None = None, *, averaged: bool = False) -> nn.Module:
    """The discriminator of a trained run, from examples (batch, *example) to logits (batch,); see `generator`."""
    return find(Path(study), run, step, averaged).module("discriminator")


def write(
    study: Path | str,
    run: str,
    *,
    step: int | None = None,
    averaged: bool = False,
    folder: Path | str | None = None,
    force: bool = False,
) -> Path:
    """Write the networks of a trained run.

    Args:
        study: path of the study's file.
        run: the run's id, as in the tables.
        step: the snapshot; the last one by default.
        averaged: whether to take the moving average of the parameters (`ema_decay`) in their place.
        folder: the folder to write; by default `export/<run>-step<step>` in the study's results, and
            `export/<run>-step<step>-averaged` for averages.
        force: whether to replace an earlier export.

    Returns:
        The folder.

    Raises:
        GanbenchError: see `generator`; or the folder has an export already, or cannot be written.
    """
    snapshot = find(Path(study), run, step, averaged)
    name = f"{run}-step{snapshot.step}{'-averaged' if averaged else ''}"
    path = Path(folder or snapshot.plan.folder / "export" / name)
    if (path / MODEL).exists() and not force:
        raise GanbenchError(f"{path} has an export already; --force replaces it.")
    write_snapshot(snapshot, path)
    return path

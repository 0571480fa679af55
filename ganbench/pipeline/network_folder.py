"""A folder with a run's trained networks, which needs no study and no results.

generator.safetensors, discriminator.safetensors    parameters and buffers, by their names in the modules
model.json       what the networks are, where they come from, and their metrics
<name>.py        the architecture's file, where it is a user's own
generator.pt2    the generator as a program of `torch.export`, for PyTorch without ganbench
sample.py        draws examples
"""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from ganbench import __version__
from ganbench.architectures import initial_module, trial_inputs
from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.random_streams import stream_seed
from ganbench.data import DataSpec
from ganbench.engine.components import build_component
from ganbench.engine.modules import resize_buffers
from ganbench.games.gan import GAN
from ganbench.pipeline.snapshots import Snapshot

MODEL, SAMPLE, PROGRAM = "model.json", "sample.py", "generator.pt2"
EXAMPLES = 4  # in the batch that the program is traced with; its batches may have any size

SCRIPT = '''\
"""Draw examples of the generator: images into samples.png, points into samples.csv. It needs ganbench; with PyTorch
alone, the generator is torch.export.load("generator.pt2").module()."""

import json
from pathlib import Path

import numpy as np
import torch
from torchvision.utils import save_image

from ganbench.export import load
from ganbench.nn.evaluation_inputs import balanced_labels

folder = Path(__file__).parent
model, generator = json.loads((folder / "model.json").read_text()), load(folder)
inputs = [torch.randn(64, model["latent_size"], generator=torch.Generator().manual_seed(model["latent_seed"]))]
if "generator" in model["conditional"]:
    inputs.append(balanced_labels(64, model["data"]["modes"]))
with torch.no_grad():  # in batches of training's size, by which a layer may normalise
    parts = zip(*(x.split(model["batch_size"]) for x in inputs))
    examples = torch.cat([generator(*part) for part in parts])
if examples.ndim == 4:
    mean, std = model["data"]["mean"], model["data"]["std"]  # black and white are -mean / std and (1 - mean) / std
    save_image(examples, folder / "samples.png", normalize=True, value_range=(-mean / std, (1 - mean) / std))
else:
    np.savetxt(folder / "samples.csv", examples, delimiter=",")
'''


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write the networks of a snapshot into a folder, which is created; an export that is there is replaced.

    Raises:
        GanbenchError: the folder cannot be written.
    """
    architecture = snapshot.run.choice("architecture")
    modules = {player: snapshot.module(player) for player in GAN.players}
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / MODEL).unlink(missing_ok=True)  # written last: an export that has it is complete
        for player, module in modules.items():
            save_model(module, str(path / f"{player}.safetensors"))
        if not architecture.component.shipped:
            shutil.copy(architecture.component.path, path)
        inputs = trial_inputs(architecture.build(), "generator", snapshot.data, EXAMPLES)
        program = _program(modules["generator"], inputs, path / PROGRAM)
        (path / SAMPLE).write_text(SCRIPT)
        for player in modules:  # safetensors writes files that nobody else may read
            shutil.copymode(path / SAMPLE, path / f"{player}.safetensors")
        (path / MODEL).write_text(strict_json.dumps(_model(snapshot, program), indent=1) + "\n")
    except OSError as error:
        raise GanbenchError(f"cannot write {path}: {error.strerror or error}.") from None


def load(folder: Path | str, player: str = "generator") -> nn.Module:
    """A network of an exported folder, in evaluation mode. It runs the folder's own architecture file, if it has one.

    Args:
        folder: the folder.
        player: "generator" or "discriminator".

    Raises:
        GanbenchError: the folder holds no export, or the architecture is no longer the one of the export.
    """
    path = Path(folder)
    try:
        model = json.loads((path / MODEL).read_text())
        given, data = model["architecture"], {**model["data"], "shape": tuple(model["data"]["shape"])}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GanbenchError(f"{path} holds no export of this version: {MODEL}: {error!r}.") from None
    name = given["name"]
    architecture = build_component(
        "architecture", str(path / Path(name).name) if name.endswith(".py") else name, given["options"]
    )
    module = initial_module(architecture, player, DataSpec(**data), seed=0)
    file = path / f"{player}.safetensors"
    try:
        if player == "generator" and architecture.passed_to_generator:
            with safe_open(file, "pt") as stored:
                passed = architecture.passed_to_generator
                resize_buffers(module, {name: tuple(stored.get_slice(name).get_shape()) for name in passed})
        load_model(module, file)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise GanbenchError(f"{file} does not fit architecture {name!r}: {error}.") from None
    return module.eval()


def _model(snapshot: Snapshot, program: str) -> dict[str, Any]:
    """What the networks are, and where they come from, as JSON."""
    run, architecture, spec = snapshot.run, snapshot.run.choice("architecture"), asdict(snapshot.data)
    return {
        "ganbench": __version__,
        "study": snapshot.plan.study.study,
        "run": run.id,
        "step": snapshot.step,
        "seed": run.seed,
        "averaged": snapshot.averaged,
        "metrics": snapshot.metrics,  # those of the averages too, under their names in the tables
        "architecture": {
            "name": architecture.name if architecture.component.shipped else architecture.component.path.name,
            "options": architecture.options,
        },
        "data": {name: value for name, value in spec.items() if name not in ("files", "archives")},
        "latent_size": architecture.build().latent_size,
        "conditional": list(architecture.build().conditional),
        "latent_seed": stream_seed(run.seed, "evaluation"),  # of the samples in the study's report
        "batch_size": run.train.batch_size // run.train.accumulation_steps,  # of what passes a network together
        "program": program,
        "config": run.config,
    }


def _program(module: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> str:
    """Write the generator as a program of `torch.export`.

    Returns:
        The name of the file; a sentence with the reason where PyTorch cannot make a program of the module.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
            torch.export.save(torch.export.export(module, inputs, dynamic_shapes=batch), path)
    except Exception as error:  # whatever the tracer meets in a module
        path.unlink(missing_ok=True)
        return f"none, since PyTorch's tracer says: {str(error).strip().partition(chr(10))[0]}"
    return path.name

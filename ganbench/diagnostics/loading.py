"""Loaders of weights, and files that do not fit the network: which are refused, and which are used in silence."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn

from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game

INPUTS, HIDDEN, OUTPUTS = 6, 4, 3
BATCH = 5
Weights = dict[str, np.ndarray]  # matrices (outputs, inputs) of the layers "hidden" and "output"
Network = Callable[[np.ndarray], np.ndarray]  # of inputs (6, batch)


@dataclass(frozen=True)
class Loading(Diagnostic):
    """A network with 6 inputs, 4 hidden units, 3 outputs, sigmoids and no biases, of the kind that "Make Your Own
    Neural Network" (Rashid 2016) makes of two NumPy matrices, loads files with weights of other shapes: of networks
    with another number of inputs, of hidden units or of outputs, with both matrices transposed, exchanged or as one row
    of all numbers, and with one row, one column or one number in place of each.

    - `assigned`: the arrays of npy files become the weights, as by `self.weights = numpy.load(...)`.
    - `copied`: the arrays of npy files are copied into the weights, where NumPy broadcasts them.
    - `torch`: `torch.nn.Module.load_state_dict`, strict as by default; `not_strict`: with `strict=False`.
    - `safetensors`: `safetensors.torch.load_model`, by which ganbench loads the networks that it exported.

    A file is refused if loading it raises an error, and used in silence if it loads and the network then gives numbers
    for its inputs. A file of neither kind raises its error later, in use.
    """

    of: ClassVar[Literal["runs", "study"]] = "study"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        columns = {"files": MetricInfo("Wrong files", "Number of files that do not fit the network.", "none", 1, None)}
        for name in LOADERS:
            words = name.replace("_", " ")
            columns |= {
                f"{name}_right": MetricInfo(
                    f"Right file, {words}", "1 if a file of the right shapes makes the network that was saved, else 0.",
                    "high", 0, 1
                ),
                f"{name}_refused": MetricInfo(
                    f"Refused, {words}", f"Share of the wrong files that the loader {words} refuses.", "high", 0, 1
                ),
                f"{name}_silent": MetricInfo(
                    f"Used in silence, {words}", f"Share of the wrong files that are used in silence, by {words}.",
                    "low", 0, 1
                ),
            }  # fmt: skip
        return columns

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        right, files = weights_of(INPUTS, HIDDEN, OUTPUTS), wrong_files()
        inputs = stream(0, "diagnostic-inputs").standard_normal((INPUTS, BATCH), dtype=np.float32)
        values = {"files": float(len(files))}
        with tempfile.TemporaryDirectory(prefix="ganbench-") as temporary:
            folder = Path(temporary)
            for name, load in LOADERS.items():
                found = load(folder, right)(inputs)
                outcomes = [outcome(load, folder, weights, inputs) for weights in files.values()]
                values[f"{name}_right"] = float(np.allclose(found, query(right, inputs), atol=1e-6))
                values |= {f"{name}_{each}": outcomes.count(each) / len(files) for each in ("refused", "silent")}
        return DiagnosticResult({name: np.asarray(value, dtype=np.float64) for name, value in values.items()})


def weights_of(inputs: int, hidden: int, outputs: int) -> Weights:
    """The weights of a network, drawn from a standard normal distribution."""
    random = stream(0, "diagnostic-weights")
    shapes = {"hidden": (hidden, inputs), "output": (outputs, hidden)}
    return {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def wrong_files() -> dict[str, Weights]:
    """Weights that do not fit the network, by what is wrong with them."""
    right = weights_of(INPUTS, HIDDEN, OUTPUTS)

    def each(change: Callable[[np.ndarray], np.ndarray]) -> Weights:
        return {name: np.ascontiguousarray(change(values)) for name, values in right.items()}

    return {
        "inputs": weights_of(INPUTS + 1, HIDDEN, OUTPUTS),
        "hidden units": weights_of(INPUTS, HIDDEN + 1, OUTPUTS),
        "outputs": weights_of(INPUTS, HIDDEN, OUTPUTS + 1),
        "transposed": each(np.transpose),
        "exchanged": {"hidden": right["output"], "output": right["hidden"]},
        "numbers in a row": each(np.ravel),
        "one row": each(lambda values: values[:1]),
        "one column": each(lambda values: values[:, :1]),
        "one number": each(lambda values: values[:1, :1]),
    }


def outcome(load: Callable[[Path, Weights], Network], folder: Path, weights: Weights, inputs: np.ndarray) -> str:
    """What becomes of a file with these weights: "refused", "silent", or "fails" in use."""
    try:
        network = load(folder, weights)
    except (ValueError, RuntimeError):
        return "refused"
    try:
        network(inputs)
    except (ValueError, RuntimeError):
        return "fails"
    return "silent"


def query(weights: Weights, inputs: np.ndarray) -> np.ndarray:
    """The outputs of the network, (outputs, batch), by NumPy."""
    hidden = 1 / (1 + np.exp(-(weights["hidden"] @ inputs)))
    return 1 / (1 + np.exp(-(weights["output"] @ hidden)))


def _npy_files(folder: Path, weights: Weights) -> Weights:
    """The weights, saved and loaded as an npy file each."""
    for name, values in weights.items():
        np.save(folder / f"{name}.npy", values)
    return {name: np.load(folder / f"{name}.npy") for name in weights}


def _assigned(folder: Path, weights: Weights) -> Network:
    return partial(query, _npy_files(folder, weights))


def _copied(folder: Path, weights: Weights) -> Network:
    own = {name: np.zeros_like(values) for name, values in weights_of(INPUTS, HIDDEN, OUTPUTS).items()}
    for name, values in _npy_files(folder, weights).items():
        own[name][...] = values
    return partial(query, own)


def _module() -> nn.Module:
    layers = {"hidden": (INPUTS, HIDDEN), "output": (HIDDEN, OUTPUTS)}
    return nn.ModuleDict({name: nn.utils.skip_init(nn.Linear, *sizes, bias=False) for name, sizes in layers.items()})


def _network(module: nn.Module) -> Network:
    def network(inputs: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            hidden = module["hidden"](torch.from_numpy(inputs).T).sigmoid()
            return module["output"](hidden).sigmoid().T.numpy()

    return network


def _safetensors_file(folder: Path, weights: Weights) -> Path:
    from safetensors.numpy import save_file

    path = folder / "weights.safetensors"
    save_file({f"{name}.weight": values for name, values in weights.items()}, path)
    return path


def _torch(folder: Path, weights: Weights, *, strict: bool) -> Network:
    from safetensors.torch import load_file

    module = _module()
    module.load_state_dict(load_file(_safetensors_file(folder, weights)), strict=strict)
    return _network(module)


def _safetensors(folder: Path, weights: Weights) -> Network:
    from safetensors.torch import load_model

    module = _module()
    load_model(module, _safetensors_file(folder, weights))
    return _network(module)


LOADERS: dict[str, Callable[[Path, Weights], Network]] = {
    "assigned": _assigned,
    "copied": _copied,
    "torch": partial(_torch, strict=True),
    "not_strict": partial(_torch, strict=False),
    "safetensors": _safetensors,
}
"""By name, the functions that save weights into a folder and make a network of what they load from there."""

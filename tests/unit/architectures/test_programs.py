"""Generators as programs of `torch.export`, for batches of any size, as `ganbench export` writes them."""

from __future__ import annotations

import warnings

import pytest
import torch
from building import part

from ganbench.architectures import initial_module, trial_inputs
from ganbench.data import DataSpec
from ganbench.pipeline.network_folder import _program

DATA = DataSpec((1, 8, 8), True, 64, 3)
NETWORKS = {
    "sngan": {
        "base_channels": 2,
        "conditioning": "projection",
        "attention_resolution": 8,
        "discriminator_attention_resolution": 4,
    },
    "r3gan": {"base_channels": 4, "max_channels": 8, "group_width": 4, "conditioning": "projection"},
    "stylegan2": {"base_channels": 4, "max_channels": 8, "noise": False},
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "r3gan" else pytest.mark.slow) for name in NETWORKS]
)
def test_a_generator_is_a_program_for_batches_of_any_size(name, tmp_path):
    architecture = part("architecture", name, **NETWORKS[name])
    module = initial_module(architecture, "generator", DATA, 0).eval()
    path = tmp_path / "generator.pt2"
    assert _program(module, trial_inputs(architecture, "generator", DATA, 4), path) == path.name
    inputs = trial_inputs(architecture, "generator", DATA, 7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(path).module()
    torch.testing.assert_close(program(*inputs), module(*inputs))

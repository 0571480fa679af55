"""Loaders of weights, by what becomes of each file that does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from playing import part

from ganbench.diagnostics import loading

SILENT = {
    "assigned": {"hidden units", "outputs"},  # products of matrices with other sizes in the middle and at the end
    "copied": {"one row", "one column", "one number"},  # which broadcasting repeats
    "torch": set(),
    "not_strict": set(),
    "safetensors": set(),
}
REFUSED_IN_USE = {"assigned": {*loading.wrong_files()} - SILENT["assigned"]}


@pytest.mark.parametrize("name", loading.LOADERS)
def test_what_becomes_of_every_wrong_file(tmp_path, name):
    inputs = np.ones((loading.INPUTS, 2), np.float32)
    found = {
        what: loading.outcome(loading.LOADERS[name], tmp_path, weights, inputs)
        for what, weights in loading.wrong_files().items()
    }
    assert {what for what, outcome in found.items() if outcome == "silent"} == SILENT[name]
    assert {what for what, outcome in found.items() if outcome == "fails"} == REFUSED_IN_USE.get(name, set())


def test_shares_are_of_these_files():
    diagnostic = part("diagnostic", "loading")
    values = {name: float(value) for name, value in diagnostic.measure(None).values.items()}
    assert values.keys() == diagnostic.columns(None).keys()
    assert values["files"] == 9
    assert (values["assigned_refused"], values["assigned_silent"]) == (0, pytest.approx(2 / 9))
    assert (values["copied_refused"], values["copied_silent"]) == (pytest.approx(6 / 9), pytest.approx(3 / 9))
    for name in loading.LOADERS:
        assert values[f"{name}_right"] == 1
    for name in ("torch", "not_strict", "safetensors"):
        assert (values[f"{name}_refused"], values[f"{name}_silent"]) == (1, 0)


def test_outputs_are_those_of_a_network_by_hand():
    weights = {"hidden": np.array([[0.0, np.log(3)]]), "output": np.array([[4.0]])}
    # sigmoid(ln 3) = 3/4, and sigmoid(3) = 1 / (1 + e^-3)
    assert loading.query(weights, np.array([[5.0], [1.0]]))[0, 0] == pytest.approx(1 / (1 + np.exp(-3)))

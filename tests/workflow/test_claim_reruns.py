"""Records of claims against reruns of what single claims need."""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from claim_reruns import faults, needed, rerun, seconds
from needs import need
from repository import ROOT

from ganbench.cli import _stage
from ganbench.pipeline.execution import provenance
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.verdicts import record
from ganbench.report.verdict_records import CLAIMS, read_records
from ganbench.study.claim_list import LIST
from ganbench.study.schema import load

pytestmark = pytest.mark.cluster

DRAWN, CHEAP = 3, 120.0  # claims drawn, and the most seconds that one may have taken
STUDY = """\
study: tiny
grid:
  - {game: bilinear, dynamics: [simultaneous, alternating], optimizer: sgd, learning_rate: 0.1, seed: {count: 12}}
train: {steps: 40, precision: float64, snapshots: {count: 41}, curve_bins: 4}
pack: {axes: [seed]}
diagnose: [path, {name: logits, diagnostic: logit_gradients}]
claims:
  - id: A1
    statement: It grows.
    tests:
      - closed_form: {where: {dynamics: simultaneous}, quantity: path.step_ratio, equals: sqrt(1.01), atol: 1e-12}
  - id: A4
    statement: It does not.
    tests:
      - proportion: {where: {dynamics: alternating}, quantity: path.growth, above: 2, at_most: 0.4}
      - difference:
          {where: {dynamics: alternating}, baseline: {dynamics: simultaneous}, quantity: path.growth, below: 0}
  - id: A5
    statement: The optimum of a discriminator is one half.
    tests:
      - closed_form: {where: study, quantity: logits.optimal_output, equals: 0.5, atol: 1e-6}
"""


def test_a_rerun_of_a_claim_agrees_with_its_record_and_a_doctored_record_does_not(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    study = Path("tiny.yaml")
    study.write_text(STUDY)
    LIST.parent.mkdir()
    LIST.write_text("groups: {A: First}\nclaims:\n  - {id: A1, source: a blog, statement: It grows.}\n")
    _stage("tables", study, None)
    record(study)
    (made,) = read_records(CLAIMS)
    plan = Plan(load(study))
    assert [len(needed(plan, claim)) for claim in ("A1", "A4", "A5")] == [1, 2, 2]
    assert needed(plan, "A5")[1] == "study"
    assert 0 < seconds(plan, made, "A5") < np.inf
    assert 0 < seconds(plan, made, "A1") < seconds(plan, made, "A4")
    options = {re.sub("[0-9a-f]{12}", "0" * 12, name): taken for name, taken in made.run.pack_seconds.items()}
    renamed = replace(made, run=replace(made.run, pack_seconds=options))  # as when a component has an option more
    assert seconds(plan, renamed, "A4") == seconds(plan, made, "A4")
    again = tmp_path / "again"
    again.mkdir()
    tables = rerun(study, "A1", again)
    assert faults(made, "A1", tables) == []
    assert faults(made, "A4", tables), "its other runs are missing here"
    table = made.table.copy()
    table["value"] = np.nextafter(table["value"], np.inf)  # by its last bit
    assert "value is" in faults(replace(made, table=table), "A1", tables)[0]
    other = replace(made, table=made.table.assign(test_verdict="refuted"))
    assert any("confirmed, and refuted in the record" in each for each in faults(other, "A1", tables))
    alone = tmp_path / "alone"
    alone.mkdir()
    assert faults(made, "A5", rerun(study, "A5", alone)) == []


def test_claims_drawn_at_random_are_decided_as_their_records_say(tmp_path, monkeypatch):
    """The commit draws them, so that a failure can be repeated, and each commit tests others."""
    monkeypatch.chdir(ROOT)
    files = {load(path).study: path for path in sorted((ROOT / "config/studies").rglob("*.yaml"))}
    cheap = []
    for made in read_records(CLAIMS):
        if files[made.run.study].parent.name == "real":  # its data are in no clone
            continue
        plan = Plan(load(files[made.run.study]))
        claims = [claim.id for claim in plan.study.claims if seconds(plan, made, claim.id) <= CHEAP]
        cheap += [(made, files[made.run.study], claim) for claim in claims]
    if not cheap:
        need("docs/claims/ has no record of a claim that is decided within minutes; `make claims` writes them")
    seed = os.environ.get("GANBENCH_DRAW") or provenance.commit().rstrip("+")
    print(f"seed of the draw: {seed}; GANBENCH_DRAW={seed} repeats it")
    found = {}
    for index, (made, study, claim) in enumerate(random.Random(seed).sample(cheap, min(DRAWN, len(cheap)))):
        folder = tmp_path / str(index)
        folder.mkdir()
        found[made.run.study, claim] = faults(made, claim, rerun(study, claim, folder))
    assert not any(found.values()), f"seed {seed}: {found}"

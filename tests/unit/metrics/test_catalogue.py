"""All metrics together: what moves which of them, and what they make of degenerate samples."""

from __future__ import annotations

import re

import numpy as np
import pytest
from building import names, part
from documentation import PAGES

from ganbench.core.metric_info import values_fault
from ganbench.core.result_files import create_file, open_file, read_tree, write_tree
from ganbench.data import DataSpec, Examples
from ganbench.data.digits import Digits
from ganbench.engine.evaluate import Scorer
from ganbench.judges import JudgedExamples
from ganbench.judges.classifier import ClassifierJudge

METRICS = [name for name in names("metric") if name != "fid"]  # tests/unit/metrics/test_fid.py has its weights
IMAGES = DataSpec((1, 16, 16), True, 60, 6)
OF_IMAGES = [name for name in METRICS if part("metric", name).unsupported(IMAGES) is None]


def test_the_page_of_metrics_names_every_metric_with_its_columns():
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", PAGES["docs/metrics.md"], re.MULTILINE)
    assert {name: re.findall(r"`(\w+)`", columns) for name, columns in rows} == {
        name: list(part("metric", name).columns) for name in names("metric")
    }


@pytest.mark.parametrize("name", names("metric"))
def test_a_metric_says_what_it_costs_and_where_it_comes_from(name):
    metric = part("metric", name)
    assert len(metric.cost) > 5
    assert any(info.source for info in metric.columns.values())


# Degenerate samples ---------------------------------------------------------------------------------------------------


def judged(features: np.ndarray, modes: np.ndarray, of: int) -> JudgedExamples:
    """Images of 16 x 16 pixels with these features (n, F) as their first pixels, and these modes (n,)."""
    stored = np.zeros((len(features), 1, 16, 16), np.float32)
    stored.reshape(len(features), -1)[:, : features.shape[1]] = np.clip(features, -1, 1)
    return JudgedExamples(stored, features.astype(np.float64), modes, modes >= 0, of)


def samples() -> dict[str, JudgedExamples]:
    random = np.random.default_rng(0)
    features, modes = random.normal(0, 0.3, size=(60, 40)), np.arange(60) % 6
    return {
        "real": judged(features, modes, 6),
        "one example": judged(np.repeat(features[:1], 60, axis=0), np.zeros(60, int), 6),
        "constant at 0": judged(np.zeros((60, 40)), np.zeros(60, int), 6),
        "two values": judged(np.repeat(features[:2], 30, axis=0), np.repeat([0, 1], 30), 6),
        "fewer than features": judged(random.normal(0, 0.3, size=(20, 40)), np.arange(20) % 6, 6),
        "a mode of one example": judged(random.normal(0, 0.3, size=(60, 40)), np.r_[np.zeros(59, int), 5], 6),
        "huge": judged(1e30 * random.normal(size=(60, 40)), modes, 6),
        "tiny": judged(1e-30 * random.normal(size=(60, 40)), modes, 6),
    }


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("known", ["real", "constant at 0", "fewer than features", "a mode of one example"])
def test_degenerate_samples_have_defined_scores(name, known):
    """Warnings are errors in tests: a wrong number comes without one, or not at all."""
    metric, every = part("metric", name), samples()
    reference = metric.reference(every[known], every["real"])
    for what, generated in every.items():
        fault = values_fault(metric.columns, found := metric.score(generated, reference))
        assert fault is None, f"{what} against {known}: {fault}: {found}"


@pytest.mark.parametrize("name", OF_IMAGES)
def test_the_fewest_examples_are_enough(name):
    metric = part("metric", name)
    features = np.random.default_rng(1).normal(0, 0.3, size=(metric.fewest, 40))
    few = judged(features, np.arange(metric.fewest) % 2, 2)
    assert values_fault(metric.columns, metric.score(few, metric.reference(few, few))) is None


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_reference_is_the_same_from_a_file(name, tmp_path):
    metric, every = part("metric", name), samples()
    reference = metric.reference(every["real"], every["fewer than features"])
    with create_file(tmp_path / "r.h5", "reference") as file:
        write_tree(file, reference)
    with open_file(tmp_path / "r.h5", "reference") as file:
        stored = read_tree(file)
    generated = every["a mode of one example"]
    assert metric.score(generated, stored) == metric.score(generated, reference)


def test_too_few_examples_have_no_score_and_stop_nothing():
    examples = Digits().load()
    judge = ClassifierJudge(max_steps=1, min_accuracy=0.0)
    metrics = [part("metric", "fd"), part("metric", "prdc", k=7)]
    scorer = Scorer.of(judge, judge.untrained(examples), metrics, Digits().spec, examples)
    found = scorer.score(examples.heldout[:7])
    assert found["fd"] > 0
    assert np.isnan([found[column] for column in ("precision", "recall", "density", "coverage")]).all()


# What moves what ------------------------------------------------------------------------------------------------------

# By change of real digits: the columns that it must move for the worse, and those that it must leave alone.
MOVES = {
    "five classes removed": (
        {"fd", "kd", "recall", "coverage", "prd_f8"} | {"modes", "modes_covered", "mode_reverse_kl", "mode_forward_kl"},
        {"precision", "high_quality", "prd_f1_8", "memorization_ratio", "authenticity"},
    ),
    "ten examples again and again": (
        {"fd", "kd", "recall", "coverage", "prd_f8", "support_size"},
        {"precision", "high_quality"},
    ),
    "noise": (
        {"fd", "kd", "precision", "density", "high_quality", "prd_f1_8"},
        {"modes", "support_size"},
    ),
    "copies of training examples": (
        {"memorization_ratio", "authenticity"},
        {
            "fd",
            "kd",
            "recall",
            "coverage",
            "prd_f8",
            "prd_f1_8",
            "modes",
            "mode_reverse_kl",
            "high_quality",
            "support_size",
        }
        | {"checkerboard_excess"},
    ),
    "a checkerboard": (
        {"checkerboard_excess"},
        {"modes", "support_size"},
    ),
}


@pytest.fixture(scope="module")
def scored() -> tuple[dict[str, list[float]], dict[str, dict[str, float]]]:
    """By column, what several samples of real digits score; and by change, what changed digits do."""
    every = Digits().load()
    order = np.random.default_rng(0).permutation(len(every.train) + len(every.heldout))
    images = np.concatenate([every.train, every.heldout])[order]
    modes = np.concatenate([every.train_modes, every.heldout_modes])[order]
    examples = Examples(images[:700], modes[:700], images[700:1000], modes[700:1000])
    fresh, fresh_modes = images[1000:], modes[1000:]
    judge = ClassifierJudge(max_steps=400, min_accuracy=0.9)
    options = {"prd": {"clusterings": 2}}
    metrics = [part("metric", name, **options.get(name, {})) for name in METRICS if name != "fd_infinity"]
    scorer = Scorer.of(judge, judge.fit(examples), metrics, Digits().spec, examples)
    random, count = np.random.default_rng(1), 300
    nulls = [scorer.score(fresh[random.choice(len(fresh), count, replace=False)]) for _ in range(8)]
    checkerboard = np.zeros((8, 8), np.float32)
    checkerboard[::2, ::2] = 0.3
    some, ten = fresh[:count], [int(np.argmax(fresh_modes == mode)) for mode in range(10)]
    changed = {
        "five classes removed": fresh[fresh_modes < 5][:count],
        "ten examples again and again": np.resize(fresh[ten], some.shape),
        "noise": (some + random.normal(0, 0.7, size=some.shape)).astype(np.float32),
        "copies of training examples": examples.train[:count],
        "a checkerboard": some + checkerboard,
    }
    return (
        {column: [null[column] for null in nulls] for column in nulls[0]},
        {what: scorer.score(each) for what, each in changed.items()},
    )


@pytest.mark.parametrize("change", MOVES)
def test_changes_of_real_digits_move_what_they_must_and_only_that(change, scored):
    """Beyond four standard deviations of what real examples score, or three for what must stay."""
    nulls, changed = scored
    moved, kept = MOVES[change]
    columns = {column: info for name in METRICS for column, info in part("metric", name).columns.items()}
    for column in moved | kept:
        null, value = np.array(nulls[column]), changed[change][column]
        if column == "support_size":  # of a few pairs of many: its relative errors are of one size
            null, value = np.log(null), np.log(value)
        deviation = max(null.std(ddof=1), 0.01 * max(abs(null.mean()), 0.1))
        away = (value - null.mean()) / deviation
        worse = away if columns[column].best == "low" else -away
        if column in moved:
            assert worse > 4, f"{column}: {value:g} against {null}"
        else:
            assert worse < 3, f"{column}: {value:g} against {null}"

"""Examples as diagnostics see them: the very ones of the evaluation, of the snapshot's buffers, and the run's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from conditional_networks import Conditional

from ganbench.core.dotted_names import under
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec, Examples
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.sampler import Sampler
from ganbench.engine.train import train
from ganbench.games import Member
from ganbench.nn.evaluation_inputs import balanced_labels, latent_points
from ganbench.numerics.run_examples import RunExamples

POINTS = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
LABELS = np.arange(60) % 3
SPEC = DataSpec(shape=(2,), bounded=False, train=60, modes=3)
REAL = Examples(POINTS, LABELS, POINTS[:20] + 5, LABELS[:20])
BATCH = 8
ARCHITECTURES = {
    "plain": part("architecture", "mlp", width=6, latent_size=3),
    "conditional": Conditional(latent_size=3, width=6, norms=True),
}
IMAGES = np.random.default_rng(0).uniform(-1, 1, (24, 1, 8, 8)).astype(np.float32)
IMAGE_SPEC = DataSpec(shape=(1, 8, 8), bounded=True, train=24, modes=0)


def seen(game, members, *, steps: int = 12, real: Examples = REAL, judging=None) -> tuple[RunExamples, list]:
    """The examples of newly trained runs, and the results of training."""
    how = training(steps, dtype=torch.float32)
    trees = train(game, how, members, device=CPU)
    kept = [tree["snapshots"] | {"buffers": tree["buffers"]} for tree in trees]
    where = {"device": CPU, "dtype": torch.float32, "real": real, "judging": judging}
    made = trajectories_of(game, how.dynamics, how.optimizer, members, kept, how.snapshots, **where)
    return made.samples, trees


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_examples_of_the_evaluation_s_latent_points_are_those_of_the_evaluation(name):
    game = gan(POINTS, data=SPEC, architecture=ARCHITECTURES[name], labels=LABELS, dtype=torch.float32)
    members = [Member(3, 40, 1e-2), Member(5, 60, 1e-2)]
    samples, trees = seen(game, members)
    sampler = Sampler(game.architecture, SPEC, BATCH, CPU)
    for k, (member, tree) in enumerate(zip(members, trees, strict=True)):
        points = samples.latent_points(k, 30)
        assert np.array_equal(points, latent_points(member.seed, 30, 3).numpy())
        for snapshot in (0, 1, -1):
            buffers = {key: kept[snapshot] for key, kept in under("generator", tree["buffers"]).items()}
            expected = sampler.examples(tree["snapshots"]["generator"][snapshot], buffers, member.seed, 30)
            assert np.array_equal(samples.generated(k, snapshot, points), expected)
    assert not np.array_equal(samples.generated(1, -1, points), samples.generated(0, -1, points))


def test_labels_of_a_conditional_generator_can_be_given():
    game = gan(POINTS, data=SPEC, architecture=ARCHITECTURES["conditional"], labels=LABELS, dtype=torch.float32)
    samples, _ = seen(game, [Member(3, 40, 1e-2)])
    points = samples.latent_points(0, 6)
    balanced, of_one = samples.generated(0, -1, points), samples.generated(0, -1, points, np.full(6, 1))
    ones = balanced_labels(6, SPEC.modes) == 1
    assert ones.sum() == 2
    assert np.array_equal(balanced[ones], of_one[ones])
    assert not np.allclose(balanced[0], of_one[0])


def test_a_generator_that_normalises_by_the_batch_gets_whole_batches():
    """Points of the batch before are no neighbours, and a short last batch is filled up with the first points."""
    architecture = part("architecture", "dcgan", base_channels=2, latent_size=3, generator_norm="batch")
    game = gan(IMAGES, data=IMAGE_SPEC, architecture=architecture, dtype=torch.float32)
    real = Examples(IMAGES, None, IMAGES, None)
    samples, _ = seen(game, [Member(0, 24, 1e-3)], steps=4, real=real)
    points = samples.latent_points(0, 2 * BATCH)
    whole, short = samples.generated(0, -1, points), samples.generated(0, -1, points[: BATCH + 3])
    refilled = samples.generated(0, -1, np.concatenate([points[: BATCH + 3], points[: BATCH - 3]]))
    assert np.array_equal(whole[:BATCH], short[:BATCH])
    assert np.array_equal(short, refilled[: BATCH + 3])
    neighbours = np.concatenate([points[:1], points[BATCH : 2 * BATCH - 1]])
    assert not np.allclose(samples.generated(0, -1, neighbours)[0], whole[0]), "else nothing was tested"


@pytest.mark.parametrize("subset_seed", [None, 7])
def test_a_run_saw_exactly_what_its_batches_hold(subset_seed):
    changes = {"subset_seed": subset_seed}
    game = gan(POINTS, data=SPEC, architecture=ARCHITECTURES["plain"], dtype=torch.float32, **changes)
    members = [Member(3, 20, 1e-2), Member(5, 60, 1e-2)]
    samples, _ = seen(game, members)
    for k, member in enumerate(members):
        drawn = torch.cat([game.draw(member, chunk, 8, torch.float32)["order"].flatten() for chunk in range(3)])
        assert sorted(samples.seen(k)) == sorted(set(drawn.tolist()))
        assert len(samples.seen(k)) == member.n_train


def test_examples_of_a_run_that_ended_are_nan_and_no_judge_is_at_hand_unasked():
    game = gan(POINTS, data=SPEC, architecture=ARCHITECTURES["plain"], dtype=torch.float32)
    samples, _ = seen(game, [Member(0, 20, 1e30)])
    assert np.isnan(samples.generated(0, -1, samples.latent_points(0, 4))).all()
    with pytest.raises(GanbenchError, match=r"needs_judge: ClassVar\[bool\] = True"):
        samples.judged(POINTS)

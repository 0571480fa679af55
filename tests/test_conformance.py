"""Every member of every family keeps its family's contract. Members are found by file name: a new file is tested too.

The messages are written for the author of a member: they say what to change.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganbench.core import registry
from ganbench.core.metric import MetricInfo
from ganbench.data import DataSpec
from ganbench.engine.evaluate import Panel
from ganbench.engine.train import Member, Training, snapshot_steps, train
from ganbench.games.gan import Gan, initial_module
from ganbench.judges import Look
from ganbench.nn.network import Network
from ganbench.stages.check import architecture_fault
from ganbench.stages.prepare import fault_of

CPU = torch.device("cpu")
SHAPES = [
    DataSpec(shape=(2,), bounded=False, train=64, modes=8),
    DataSpec(shape=(1, 8, 8), bounded=True, train=64, modes=10),
    DataSpec(shape=(3, 16, 16), bounded=True, train=64, modes=10),
    DataSpec(shape=(1, 28, 28), bounded=True, train=64, modes=10),
]


def part(family: str, name: str, **options):
    member = registry.find(family, name)
    return member.build(member.complete(options))


def names(family: str) -> list[str]:
    return sorted(registry.members(family))


@pytest.mark.parametrize(("family", "name"), [(f, n) for f in registry.FAMILIES for n in names(f)])
def test_a_member_says_what_it_is_and_builds(family, name):
    member = registry.find(family, name)
    assert member.summary.endswith("."), (
        f"{member.path}: begin the file with a docstring whose first line is a sentence"
    )
    assert member.path.stem == name
    part(family, name)


# Architectures -------------------------------------------------------------------------------------------------------


def supported(name: str) -> list[DataSpec]:
    return [spec for spec in SHAPES if part("architecture", name).supports(spec) is None]


@pytest.mark.parametrize("name", names("architecture"))
def test_an_architecture_supports_something_and_refuses_in_words(name):
    architecture = part("architecture", name)
    assert supported(name), f"{name}: supports() refuses all of {[spec.shape for spec in SHAPES]}"
    for spec in SHAPES:
        reason = architecture.supports(spec)
        assert reason is None or len(reason) > 10, f"{name}: supports() must return None or a sentence, not {reason!r}"


CASES = [
    pytest.param(n, s, id=f"{n}-{'x'.join(map(str, s.shape))}") for n in names("architecture") for s in supported(n)
]


@pytest.mark.parametrize(("name", "spec"), CASES)
def test_networks_have_the_right_shapes_and_keep_no_state(name, spec):
    fault = architecture_fault(part("architecture", name), spec)
    assert fault is None, f"{name}: {fault}"


@pytest.mark.parametrize(("name", "spec"), CASES)
def test_every_parameter_gets_a_finite_gradient(name, spec):
    architecture = part("architecture", name)
    generator, discriminator = (initial_module(architecture, p, spec, 0) for p in ("generator", "discriminator"))
    torch.manual_seed(0)
    fake = generator(torch.randn(8, architecture.latent_size))
    discriminator(fake).square().sum().backward()
    for player, module in (("generator", generator), ("discriminator", discriminator)):
        for parameter, value in module.named_parameters():
            assert value.grad is not None, f"{name}: the {player}'s {parameter} is not used"
            assert torch.isfinite(value.grad).all(), (
                f"{name}: the {player}'s {parameter} has a gradient that is not finite"
            )
    if spec.bounded:
        assert fake.abs().max() <= 1, f"{name}: the generator leaves [-1, 1] on bounded data; end it in tanh"


@pytest.mark.parametrize(("name", "spec"), CASES)
def test_initial_networks_follow_from_the_seed(name, spec):
    architecture = part("architecture", name)
    for player in Gan.players:
        first, again, other = (Network.vector(initial_module(architecture, player, spec, s)) for s in (0, 0, 1))
        assert torch.equal(first, again), f"{name}: two {player}s of one seed differ"
        assert not torch.equal(first, other), (
            f"{name}: {player}s of different seeds are equal; draw parameters from torch"
        )


@pytest.mark.parametrize(("name", "spec"), CASES)
def test_fused_networks_equal_solo_ones(name, spec):
    """Outputs and gradients of three members at once equal those of each alone, second derivatives included."""
    architecture = part("architecture", name)
    network = Network(initial_module(architecture, "discriminator", spec, 0)).to(CPU, torch.float64)
    vectors = [Network.vector(initial_module(architecture, "discriminator", spec, s)) for s in range(3)]
    theta = torch.stack(vectors).double().requires_grad_()
    x = torch.randn(3, 6, *spec.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def penalty(theta, x):
        (slope,) = torch.autograd.grad(network(theta, x).sum(), x, create_graph=True)
        return slope.square().sum() + network(theta, x).square().sum()

    (fused,) = torch.autograd.grad(penalty(theta, x), theta)
    for k in range(3):
        alone = theta[k : k + 1].detach().requires_grad_()
        (solo,) = torch.autograd.grad(penalty(alone, x[k : k + 1].detach().requires_grad_()), alone)
        torch.testing.assert_close(fused[k : k + 1], solo, rtol=1e-9, atol=1e-9, msg=lambda m: f"{name}: {m}")


# Parts of the game ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("objective"))
def test_an_objective_keeps_members_apart_and_pulls_the_right_way(name):
    objective = part("objective", name)
    real, fake = torch.randn(2, 3, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fake.requires_grad_()
    loss = objective.discriminator(real, fake)
    assert loss.shape == (3,), f"{name}: losses are means over the last axis only"
    torch.testing.assert_close(loss[1:2], objective.discriminator(real[1:2], fake[1:2]))
    (down,) = torch.autograd.grad(objective.discriminator(real, fake).sum(), fake)
    (up,) = torch.autograd.grad(objective.generator(fake).sum(), fake)
    assert (down >= 0).all(), f"{name}: the discriminator must want logits of generated examples lower"
    assert (up <= 0).all(), f"{name}: the generator must want logits of generated examples higher"
    assert objective.output(real).shape == real.shape


@pytest.mark.parametrize("name", names("regularizer"))
def test_a_regularizer_gives_one_penalty_a_member(name):
    weight = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    real, fake = torch.randn(2, 3, 20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    penalty = part("regularizer", name).penalty(lambda x: (x * weight[:, None]).sum(-1).tanh(), real, fake)
    if penalty is not None:
        assert penalty.shape == (3,)
        assert (penalty >= 0).all()
        (slope,) = torch.autograd.grad(penalty[0], weight)
        assert slope[0].abs().sum() > 0, f"{name}: the penalty must depend on the discriminator's parameters"
        assert (slope[1:] == 0).all(), f"{name}: members must not mix"


@pytest.mark.parametrize("name", names("update"))
def test_an_update_is_pure_and_descends(name):
    update, rate = part("update", name), torch.tensor([[1e-2], [1e-3]], dtype=torch.float64)
    theta = torch.ones(2, 5, dtype=torch.float64)
    memory = update.init(theta)
    assert all(value.shape[0] == 2 for value in memory.values()), f"{name}: a memory's first axis is the member's"
    kept = {key: value.clone() for key, value in memory.items()}
    moved, remembered = update.step(theta, theta, memory, rate)
    assert (theta == 1).all(), f"{name}: step() must not change the parameters in place"
    assert all(torch.equal(memory[key], kept[key]) for key in kept), (
        f"{name}: step() must not change its memory in place"
    )
    assert set(remembered) == set(memory)
    assert (moved < theta).all(), f"{name}: a step against the gradient must descend"
    assert (theta - moved)[0].norm() > (theta - moved)[1].norm(), f"{name}: every member has its own learning rate"


def _training(**parts) -> Training:
    base = {
        "objective": part("objective", "non_saturating"),
        "regularizer": part("regularizer", "none"),
        "dynamics": part("dynamics", "alternating"),
        "update": part("update", "adam"),
    }
    return Training(
        data=DataSpec((2,), False, 64, 8),
        architecture=part("architecture", "mlp", width=8),
        **(base | parts),
        steps=60,
        batch_size=8,
        dtype=torch.float64,
        snapshots=snapshot_steps(60, 2, "even"),
        curve_bins=10,
    )


@pytest.mark.parametrize(
    ("family", "name"), [(f, n) for f in ("objective", "regularizer", "dynamics", "update") for n in names(f)]
)
def test_a_part_trains_fused_as_solo(family, name):
    """Every part, put into a small GAN: finite, repeatable, and the same for a pack of three as for packs of one."""
    shared = _training(**{family: part(family, name)})
    examples = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    members = [Member(seed, 20 + seed, 1e-3) for seed in range(3)]
    together = train(shared, members, examples, device=CPU)
    for member, result in zip(members, together, strict=True):
        alone = train(shared, [member], examples, device=CPU)[0]
        assert result["diverged"] is None
        for player in Gan.players:
            np.testing.assert_allclose(
                result["snapshots"][player],
                alone["snapshots"][player],
                rtol=1e-9,
                atol=1e-9,
                err_msg=f"{family} {name}",
            )
        assert not np.allclose(alone["snapshots"]["generator"][0], alone["snapshots"]["generator"][-1]), "nothing moved"


# Data, judges, metrics ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged():
    """By data set: its spec, its examples, its judge and what that remembers."""
    found = {}
    for name in names("dataset"):
        dataset = part("dataset", name)
        examples, judge = dataset.load(), part("judge", dataset.judge)
        found[name] = (dataset.spec, examples, judge, judge.fit(examples))
    return found


@pytest.mark.parametrize("name", names("dataset"))
def test_a_data_set_is_what_its_spec_says_and_repeats_itself(name):
    dataset = part("dataset", name)
    examples = dataset.load()
    assert fault_of(dataset.spec, examples) is None
    assert np.array_equal(examples.train, part("dataset", name).load().train), f"{name}: load() must repeat itself"
    assert set(np.unique(examples.train_modes)) == set(range(dataset.spec.modes)), f"{name}: a mode has no example"
    assert dataset.judge in registry.members("judge")
    both = np.concatenate([examples.train, examples.heldout]).reshape(dataset.spec.train + len(examples.heldout), -1)
    twice = len(both) - len(np.unique(both, axis=0))
    assert twice <= 0.01 * len(both), (
        f"{name}: {twice} examples stand in it twice; held-out ones must not be trained on"
    )


@pytest.mark.parametrize("name", names("dataset"))
def test_the_judge_of_a_data_set_knows_its_modes(name, judged):
    spec, examples, judge, memory = judged[name]
    seen = judge.look(memory, examples.heldout)
    assert isinstance(seen, Look)
    assert seen.modes == spec.modes
    assert seen.features.shape[0] == len(examples.heldout)
    assert seen.features.dtype == np.float64
    right = float(np.mean(seen.mode == examples.heldout_modes))
    assert right == pytest.approx(memory["accuracy"])
    assert right >= 0.97, f"{name}: its judge is right on {right:.1%} only"
    parts = [judge.look(memory, half).features for half in np.array_split(examples.heldout, 2)]
    np.testing.assert_allclose(np.concatenate(parts), seen.features, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in names("metric") if n != "fid"])  # tests/test_fid.py has its weights
@pytest.mark.parametrize("dataset", names("dataset"))
def test_a_metric_ranks_real_above_collapsed_above_noise(name, dataset, judged):
    spec, examples, judge, memory = judged[dataset]
    metric = part("metric", name)
    if metric.supports(spec) is not None:
        return
    panel = Panel.of(judge, memory, [metric], spec, examples.train)
    count = len(examples.heldout)
    one_mode = examples.train[examples.train_modes == 0]
    collapsed = np.resize(one_mode, (count, *spec.shape))
    scores = {"real": panel.score(examples.heldout), "collapsed": panel.score(collapsed)}
    for column, info in metric.columns.items():
        assert isinstance(info, MetricInfo)
        real, worse = (scores[kind][column] for kind in ("real", "collapsed"))
        assert info.lower is None or real >= info.lower
        assert info.upper is None or real <= info.upper
        if column == "high_quality":
            continue  # a collapsed generator may draw beautifully
        better = {"low": real < worse, "high": real > worse, "none": True}[info.best]
        assert better, (
            f"{name}: {column} is {real:g} for real and {worse:g} for collapsed examples, but best is {info.best}"
        )


def test_scores_of_numbers_that_are_none_are_nan(judged):
    spec, examples, judge, memory = judged["ring8"]
    panel = Panel.of(judge, memory, [part("metric", "fcd"), part("metric", "mode_coverage")], spec, examples.train)
    broken = examples.heldout.copy()
    broken[3] = np.inf
    assert all(np.isnan(value) for value in panel.score(broken).values())

"""Changes of images against closed forms; augmentation, adaptive augmentation and consistency made of them."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import pytest
import torch
from building import CPU, gan, part, toy, training
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.engine.train import train
from ganbench.games import CHUNK, Match, Member
from ganbench.nn.sample import Outputs, Sample
from ganbench.regularizers import _images as change

DOUBLE = torch.float64


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def same(value: float) -> torch.Tensor:
    return torch.full((1, 1), value, dtype=DOUBLE)


# Changes --------------------------------------------------------------------------------------------------------------


@given(down=st.integers(-4, 4), across=st.integers(-5, 5))
@settings(max_examples=20)
def test_an_image_is_moved_by_whole_pixels(down, across):
    image = normal(1, 1, 3, 4, 5)
    expected = torch.zeros_like(image)
    for i in range(4):
        for j in range(5):
            if 0 <= i - down < 4 and 0 <= j - across < 5:
                expected[..., i, j] = image[..., i - down, j - across]
    assert torch.equal(change.shifted(image, same(down), same(across)), expected)


def test_values_between_pixels_are_linear_and_mirror_images_continue_an_image():
    assert change.reflected(torch.tensor([-3.0, -1.0, 0.0, 2.5, 3.0, 4.0, 7.0]), 4).tolist() == [3, 1, 0, 2.5, 3, 2, 1]
    assert change.reflected(torch.tensor([-3.0, 0.5]), 1).tolist() == [0, 0]
    image = torch.arange(4, dtype=DOUBLE).square().view(1, 1, 1, 1, 4)
    columns = torch.tensor([0.25, 1.5, 3.0, 3.5], dtype=DOUBLE).view(1, 1, 4)
    found = change.resampled(image, torch.zeros(1, 1, 1, dtype=DOUBLE), columns).flatten()
    torch.testing.assert_close(found, torch.tensor([0.25, 2.5, 9.0, 4.5], dtype=DOUBLE))  # and half of 0 outside


def test_whole_numbers_are_uniform():
    uniform = torch.arange(7000, dtype=torch.float32) / 7000
    values, counts = change.integers(uniform, 3).unique(return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert (counts - 1000).abs().max() <= 1
    assert change.integers(torch.tensor([1 - 2**-24]), 3).item() == 3
    assert change.integers(uniform, 0).unique().tolist() == [0]


@pytest.mark.parametrize(("size", "ratio", "side"), [(8, 0.5, 4), (8, 0.4, 3), (7, 0.5, 4), (5, 0.0, 0), (4, 1.0, 4)])
def test_a_rectangle_is_cut_out_around_every_place(size, ratio, side):
    """Its rows are those within half its side of a centre that is anywhere in the image."""
    image = torch.ones(1, 1, 1, size, 1, dtype=DOUBLE)
    places = size + 1 - side % 2
    for place in range(places):
        uniform = same((place + 0.5) / places)
        found = change.cut_out(image, uniform, same(0.0), ratio).flatten()
        first = place - side // 2
        expected = [0.0 if first <= i < first + side else 1.0 for i in range(size)]
        columns = int(ratio + 0.5)  # of an image of one column
        assert found.tolist() == (expected if columns else [1.0] * size)


def test_colours_are_changed_as_by_hand():
    image = normal(2, 3, 3, 4, 5)
    shift = normal(2, 3, seed=1)
    torch.testing.assert_close(change.brightened(image, shift)[1, 2], image[1, 2] + shift[1, 2])
    grey = image.mean(2, keepdim=True)
    saturated = change.saturated(image, shift)
    torch.testing.assert_close(saturated.mean(2, keepdim=True), grey)
    torch.testing.assert_close((saturated - grey)[1, 2], shift[1, 2] * (image - grey)[1, 2])
    one = image[:, :, :1]
    torch.testing.assert_close(change.saturated(one, shift), one)
    torch.testing.assert_close(change.contrasted(image, shift, 0.0)[0, 1], shift[0, 1] * image[0, 1])


@pytest.mark.parametrize("angle", [0.0, 0.7, 2 * pi / 3, pi])
def test_a_rotation_of_hues_turns_colours_around_grey(angle):
    """Rodrigues' formula with the axis (1, 1, 1) / sqrt(3); a third of a turn exchanges red, green and blue."""
    image, axis = normal(1, 1, 3, 2, 2), np.ones(3) / 3**0.5
    found = change.hue_rotated(image, same(angle)).numpy()
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    np.testing.assert_allclose(found, np.einsum("cd,kndij->kncij", rotation, image.numpy()), atol=1e-12)
    if angle == 2 * pi / 3:
        np.testing.assert_allclose(found, image.roll(1, dims=2).numpy(), atol=1e-12)


# Differentiable augmentation ------------------------------------------------------------------------------------------


def drawn(regularizer, members: int = 2, n: int = 5, shape=(3, 8, 8), **state: float):
    each = [
        regularizer.draw(torch.Generator().manual_seed(k), 1, (n, *shape), torch.empty(0, dtype=DOUBLE))
        for k in range(members)
    ]
    noise = {name: torch.cat([noise[name] for noise in each]) for name in each[0]}
    return noise | {name: torch.full((members,), value, dtype=DOUBLE) for name, value in state.items()}


def test_the_whole_policy_is_its_steps_in_order():
    augmentation, images = part("regularizer", "differentiable_augmentation"), normal(2, 5, 3, 8, 8)
    noise = drawn(augmentation)
    u = noise["real"][1, 3].tolist()
    x = images[1, 3] + u[0] - 0.5
    x = x.mean(0) + 2 * u[1] * (x - x.mean(0))
    x = x.mean() + (u[2] + 0.5) * (x - x.mean())
    down, across = (int(3 * value) - 1 for value in u[3:5])  # an eighth of 8 pixels, either way
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
    x = padded[:, 1 - down : 9 - down, 1 - across : 9 - across].clone()
    top, left = (int(9 * value) - 2 for value in u[5:7])
    x[:, max(top, 0) : top + 4, max(left, 0) : left + 4] = 0
    torch.testing.assert_close(augmentation.perturb(images, "real", noise)[1, 3], x)
    torch.testing.assert_close(
        part("regularizer", "differentiable_augmentation", policy=["cutout", "color", "translation"]).perturb(
            images, "real", noise
        ),
        augmentation.perturb(images, "real", noise),
    )


@pytest.mark.parametrize("policy", [["color"], ["translation"], ["cutout"], ["color", "translation", "cutout"]])
@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_is_differentiable_and_each_image_s_own(policy, channels):
    augmentation, images = (
        part("regularizer", "differentiable_augmentation", policy=policy),
        normal(2, 5, channels, 8, 8),
    )
    noise, given = drawn(augmentation, shape=(channels, 8, 8)), images.clone().requires_grad_()
    found = augmentation.perturb(given, "real", noise)
    assert not torch.equal(found, augmentation.perturb(images, "fake", noise))
    (gradient,) = torch.autograd.grad(found[0, 2].square().sum(), given)
    assert gradient[0, 2].abs().max() > 0
    gradient[0, 2] = 0
    assert gradient.abs().max() == 0, "an image's change must not depend on the others"
    alone = augmentation.perturb(images[1:], "real", {name: values[1:] for name, values in noise.items()})
    torch.testing.assert_close(found[1:], alone, rtol=1e-12, atol=1e-12)
    few = {name: values[:1, :1, ...] for name, values in noise.items()}
    assert torch.autograd.gradgradcheck(
        lambda x: augmentation.perturb(x, "real", few).square(), (given[:1, :1, :, :3, :3].detach().requires_grad_(),)
    )


@pytest.mark.parametrize("name", ["differentiable_augmentation", "adaptive_augmentation", "consistency"])
def test_points_are_refused_in_one_sentence(name):
    why = r"regularizer \w+: it is for images, but examples have the shape \(1,\)\.$"
    with pytest.raises(GanbenchError, match=why):
        toy("dirac", regularizer=part("regularizer", name))
    with pytest.raises(GanbenchError, match=r"'policy' must have at least one of .*, but is \[\]"):
        part("regularizer", "differentiable_augmentation", policy=[])


@pytest.mark.parametrize("name", ["differentiable_augmentation", "adaptive_augmentation", "consistency", "combined"])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.5, 1.0), (0.4, 0.5)])
def test_images_of_another_range_are_refused_in_one_sentence(name, mean, std):
    """Their constants are of [-1, 1]: 0 for what is cut out, a brightness of half a unit."""
    options = {"regularizers": ["r1", "differentiable_augmentation"]} if name == "combined" else {}
    regularizer = part("regularizer", name, **options)
    why = rf"images in \[-1, 1\], of a data set with mean=0\.5 .*, but this one has mean={mean} and std={std}\.$"
    with pytest.raises(GanbenchError, match=why):
        networks(regularizer, data=replace(DATA, mean=mean, std=std))
    networks(regularizer)


DATA = DataSpec(shape=(1, 6, 6), bounded=True, train=40, modes=0)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (40, 1, 6, 6)).astype(np.float32)


def networks(regularizer, data=DATA, **changes):
    architecture = part("architecture", "fc", hidden_sizes=(8,), latent_size=3)
    return gan(IMAGES, data=data, architecture=architecture, regularizer=regularizer, **changes)


def test_both_players_see_the_same_changes_and_the_generator_learns_through_them():
    augmentation = part("regularizer", "differentiable_augmentation", policy=["cutout"], cutout=1.0)
    game = networks(augmentation)
    match = Match(game, [Member(0, 40, 1e-3)], CPU, DOUBLE)
    players, batch = match.init(), match.draw(0, 1)[0]
    batch["latent.discriminator"] = batch["latent.generator"]
    seen = []
    watched = replace(game, regularizer=_Watched(augmentation, seen))
    for player in game.players:
        Match(watched, match.members, CPU, DOUBLE).loss(player, players, batch)
    kinds = [kind for kind, _ in seen]
    assert kinds.count("fake") == 2
    assert kinds.count("real") == 1
    first, second = (shown for kind, shown in seen if kind == "fake")
    assert torch.equal(first, second)
    at = players | {"generator": players["generator"].clone().requires_grad_()}
    blank = batch | {"noise.fake": torch.full_like(batch["noise.fake"], 0.5)}  # the whole image is cut out
    for noise, reached in ((batch, True), (blank, False)):
        loss, _ = match.loss("generator", at, noise)
        (gradient,) = torch.autograd.grad(loss.sum(), at["generator"])
        assert (gradient.abs().max() > 0) == reached


class _Watched:
    """A regularizer that keeps what it shows."""

    def __init__(self, regularizer, seen):
        self._regularizer, self._seen = regularizer, seen

    def __getattr__(self, name):
        return getattr(self._regularizer, name)

    def perturb(self, examples, kind, noise):
        shown = self._regularizer.perturb(examples, kind, noise)
        self._seen.append((kind, shown.detach()))
        return shown


# Adaptive augmentation ------------------------------------------------------------------------------------------------

ADAPTIVE = part("regularizer", "adaptive_augmentation")


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 6, 6), (3, 4, 6), (2, 6, 6)])
def test_a_probability_of_zero_changes_nothing_and_one_of_one_changes_all(shape):
    images = normal(2, 5, *shape)
    noise = drawn(ADAPTIVE, shape=shape, augmentation_probability=0.0)
    torch.testing.assert_close(ADAPTIVE.perturb(images, "real", noise), images, rtol=1e-12, atol=1e-12)
    half, all_ = ({**noise, "augmentation_probability": torch.tensor([0.0, p], dtype=DOUBLE)} for p in (0.2, 1.0))
    found = ADAPTIVE.perturb(images, "real", all_)
    torch.testing.assert_close(found[0], images[0], rtol=1e-12, atol=1e-12)  # a member's own probability
    assert ((found[1] - images[1]).abs().flatten(1).amax(1) > 1e-3).all()
    assert not torch.equal(found[1], ADAPTIVE.perturb(images, "real", half)[1])


def only(index: int, uniform=(), normals=(), shape=(1, 5, 5)):
    """Numbers with which one change alone is applied."""
    noise = {"augmentation_probability": torch.tensor([0.5], dtype=DOUBLE)}
    decided = torch.ones(11, dtype=DOUBLE)
    decided[index] = 0.0
    free, normal_ = torch.zeros(6, dtype=DOUBLE), torch.zeros(7, dtype=DOUBLE)
    for place, value in uniform:
        free[place] = value
    for place, value in normals:
        normal_[place] = value
    return noise | {"real": torch.cat([decided, free]).view(1, 1, -1), "real_normal": normal_.view(1, 1, -1)}


def test_each_change_of_adaptive_augmentation_is_its_closed_form():
    x = normal(1, 1, 3, 5, 5)

    def shown(*given, **more):
        return ADAPTIVE.perturb(x, "real", only(*given, **more))

    grey = x.mean(2, keepdim=True)
    mirror = torch.nn.functional.pad(x[0], (1, 1, 1, 1), mode="reflect")[None]
    cases = [
        (shown(0, uniform=[(0, 0.7)]), x.flip(-1)),
        (shown(0, uniform=[(0, 0.3)]), x),
        (shown(1, uniform=[(1, 0.3)]), torch.rot90(x, -1, (-2, -1))),
        (shown(1, uniform=[(1, 0.6)]), torch.rot90(x, 2, (-2, -1))),
        (shown(1, uniform=[(1, 0.8)]), torch.rot90(x, 1, (-2, -1))),
        (shown(2, uniform=[(2, 1.0), (3, 0.5)]), mirror[..., :5, 1:6]),  # 5/8 of a pixel down is one
        (shown(3, normals=[(0, -5.0)])[..., 1:4, 1:4], x[..., ::2, ::2]),  # half the size
        (shown(3, normals=[(0, 5.0)])[..., ::2, ::2], x[..., 1:4, 1:4]),  # twice the size
        (shown(4, normals=[(1, 5.0)])[..., 1:4, ::2], x[..., ::2, 1:4]),  # twice the width, half the height
        (shown(5, normals=[(3, 0.8)]), (mirror[..., 1:6, :5] + x) / 2),  # half a pixel to the right
        (shown(6, normals=[(4, 2.0)]), x + 0.4),
        (shown(7, normals=[(5, 2.0)]), 2 * x),
        (shown(8, uniform=[(4, 0.7)]), x - 2 * grey),
        (shown(9, uniform=[(5, 5 / 6)]), x.roll(1, dims=2)),  # a third of a turn
        (shown(10, normals=[(6, 1.0)]), grey + 2 * (x - grey)),
    ]
    for index, (found, expected) in enumerate(cases):
        torch.testing.assert_close(found, expected, msg=lambda text, index=index: f"case {index}: {text}")


def outputs(*rows):
    logits = torch.tensor(rows, dtype=DOUBLE)
    return Outputs(logits, Sample(logits[..., None]))


def test_the_probability_follows_the_signs_of_real_logits():
    """Two members, four examples each, two losses to a change by 2 x 4 / 80; r is 1 for one and 0.5 for the other."""
    adaptive = part("regularizer", "adaptive_augmentation", interval=2, ramp_images=80, initial_probability=0.15)
    state = {name: torch.stack([value.double(), value.double()]) for name, value in adaptive.start().items()}
    found = []
    for _ in range(6):
        state = adaptive.update(state, outputs([1, 2, 3, 4], [5, 1, 1, -7]), outputs([0, 0, 0, 0], [0, 0, 0, 0]))
        found.append(adaptive.recorded(state)["augmentation_probability"].tolist())
    expected = [[0.15, 0.15], [0.25, 0.05], [0.25, 0.05], [0.35, 0.0], [0.35, 0.0], [0.45, 0.0]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert state["losses"].tolist() == [0, 0]
    one = torch.ones(2, dtype=DOUBLE)
    full = {"augmentation_probability": 0.99 * one, "losses": torch.tensor([1, 1]), "signs": one}
    (high, _) = adaptive.update(full, outputs([1, 1, 1, 1], [1, 1, 1, 1]), None)["augmentation_probability"].tolist()
    assert high == 1.0


def test_the_probability_rises_with_real_images_however_many_are_judged_together():
    """Eight images in groups of two, ramp_images 80: by 8 / 80 in each loss."""
    adaptive = part("regularizer", "adaptive_augmentation", interval=1, ramp_images=80)
    state = {name: value.double()[None] for name, value in adaptive.start().items()}
    seen = Outputs(torch.ones(1, 4, dtype=DOUBLE), Sample(normal(1, 8, 1, 6, 6), packing=2))
    assert adaptive.update(state, seen, seen)["augmentation_probability"].item() == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize(
    ("dynamics", "batches"),
    [
        (part("dynamics", "simultaneous"), 1),
        (part("dynamics", "unrolled", unrolling_steps=3), 1),
        (part("dynamics", "runge_kutta"), 1),
        (part("dynamics", "extragradient"), 2),
    ],
)
def test_the_probability_moves_with_real_images_however_often_a_batch_is_looked_at(dynamics, batches):
    """Eight images a batch, rise 2000, and a discriminator that calls them all generated, so that p falls."""
    game = networks(part("regularizer", "adaptive_augmentation", interval=1, ramp_images=2000, initial_probability=0.5))
    how = training(10, dynamics=dynamics, optimizer=part("optimizer", "sgd"))
    (result,) = train(game, how, [Member(0, 40, 1e-6)], device=CPU)
    assert result["buffers"]["regularizer.augmentation_probability"][-1] == pytest.approx(0.5 - 10 * batches * 8 / 2000)


def test_the_scores_of_a_critic_are_refused_and_hinge_is_not():
    for objective in ("wasserstein", "least_squares", "relativistic_average", "relativistic_pairing"):
        with pytest.raises(GanbenchError, match="AdaptiveAugmentation: it goes by the signs of logits, which decide"):
            networks(ADAPTIVE, objective=part("objective", objective))
    for objective in ("hinge", "minimax", "non_saturating", "binary_cross_entropy"):
        networks(ADAPTIVE, objective=part("objective", objective))


@pytest.mark.cluster
def test_the_probability_is_a_state_of_the_run_that_is_recorded_resumed_and_alone_as_fused():
    regularizer = part(
        "regularizer",
        "combined",
        regularizers=["adaptive_augmentation(target=-0.5, interval=2, ramp_images=2000)", "r1(every=2)"],
    )
    game, states = networks(regularizer), {}
    members = [Member(0, 40, 5e-3), Member(1, 30, 1e-4), Member(2, 20, 1e-300)]
    how = training(3 * CHUNK, curve_bins=3 * CHUNK, execution="traced")
    keep = {"at_chunk": lambda now: states.setdefault(now.step, now.state())}
    together = train(game, how, members, device=CPU, **keep)
    assert together[0]["about"]["execution"] == "traced"
    curves = [
        np.array(each["curves"]["mean"][:, each["curves"]["series"].index("augmentation_probability")])
        for each in together
    ]
    for curve in curves:
        steps = np.diff(curve, prepend=0.0)
        np.testing.assert_allclose(np.abs(steps[steps != 0]), 2 * 8 / 2000, atol=1e-12)
        assert set(np.flatnonzero(steps) % 2) <= {1}, "it changes after every second loss"
    assert 0 < curves[0][-1] < curves[1][-1]
    name = "regularizer.adaptive_augmentation.augmentation_probability"
    for k, (result, curve) in enumerate(zip(together, curves, strict=True)):
        assert result["buffers"][name][-1] == curve[-1]
        (alone,) = train(game, how, members[k : k + 1], device=CPU)
        np.testing.assert_allclose(alone["curves"]["mean"], result["curves"]["mean"], rtol=1e-9, atol=1e-9)
    again = train(game, how, members, device=CPU, resume=states[CHUNK])
    for one, other in zip(together, again, strict=True):
        np.testing.assert_array_equal(one["curves"]["mean"], other["curves"]["mean"])


@pytest.mark.cluster
def test_the_probability_is_kept_beside_the_buffers_of_networks():
    """A discriminator with power iterations has buffers too: both are a run's own, in a pack and when it is resumed."""
    data = DataSpec(shape=(3, 16, 16), bounded=True, train=20, modes=0)
    images = np.random.default_rng(0).uniform(-1, 1, (20, 3, 16, 16)).astype(np.float32)
    architecture = part("architecture", "dcgan", base_channels=2, latent_size=3, discriminator_norm="spectral")
    parts = ["adaptive_augmentation(target=-0.9, interval=1, ramp_images=200)", "consistency(every=3)"]
    game = gan(
        images, data=data, architecture=architecture, regularizer=part("regularizer", "combined", regularizers=parts)
    )
    members, states = [Member(0, 20, 1e-3), Member(1, 15, 1e-3)], {}
    how = training(CHUNK + 3, curve_bins=CHUNK + 3, optimizer=part("optimizer", "sgd"))
    together = train(game, how, members, device=CPU, at_chunk=lambda now: states.setdefault(now.step, now.state()))
    again = train(game, how, members, device=CPU, resume=states[CHUNK])
    (alone,) = train(game, how, members[1:], device=CPU)
    np.testing.assert_allclose(alone["curves"]["mean"], together[1]["curves"]["mean"], rtol=1e-9, atol=1e-9)
    for result, resumed in zip(together, again, strict=True):
        assert {name.partition(".")[0] for name in result["buffers"]} == {"discriminator", "regularizer"}
        np.testing.assert_array_equal(resumed["curves"]["mean"], result["curves"]["mean"])
        assert result["buffers"]["regularizer.adaptive_augmentation.augmentation_probability"][-1] > 0.1


# Consistency ----------------------------------------------------------------------------------------------------------


def test_consistency_is_the_mean_square_of_differences_of_logits():
    images, other = normal(2, 5, 3, 8, 8), normal(2, 5, 3, 8, 8, seed=1)
    weight = normal(3, 8, 8, seed=2)

    def judge(points):
        return (points * weight).sum((2, 3, 4)).tanh()

    def by_hand(points, numbers):
        total = torch.zeros(2, dtype=DOUBLE)
        for k in range(2):
            for i in range(5):
                mirrored, down, across = numbers[k, i].tolist()
                x = points[k, i].flip(-1) if mirrored < 0.5 else points[k, i]
                down, across = int(3 * down) - 1, int(3 * across) - 1
                x = torch.nn.functional.pad(x, (1, 1, 1, 1))[:, 1 - down : 9 - down, 1 - across : 9 - across]
                total[k] += (judge(points[k : k + 1, i : i + 1]) - judge(x[None, None]))[0, 0] ** 2 / 5
        return total

    for fake_gamma in (0.0, 3.0):
        consistency = part("regularizer", "consistency", gamma=7, fake_gamma=fake_gamma)
        noise = drawn(consistency)
        expected = 7 * by_hand(images, noise["real"]) + fake_gamma * by_hand(other, noise["fake"])
        torch.testing.assert_close(consistency.penalty(judge, Sample(images), Sample(other), noise), expected)
    still = part("regularizer", "consistency", horizontal_flip=False, translation=0.0)
    assert still.penalty(judge, Sample(images), Sample(other), drawn(still)).tolist() == [0, 0]

"""Numbers against closed forms and reference packages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from building import CPU, names, part, toy
from judging import sorted_into as look
from torch.nn.functional import binary_cross_entropy_with_logits

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.data import Examples
from ganbench.games import Match, Member
from ganbench.judges._standard import unscaled
from ganbench.judges.classifier import ClassifierJudge, _shifted
from ganbench.judges.mixture import MixtureJudge
from ganbench.metrics import _mmd
from ganbench.metrics._mmd import similarities, sums, unbiased_mmd2
from ganbench.metrics.mode_coverage import ModeCoverage
from ganbench.nn.sample import Sample
from ganbench.objectives.minimax import Minimax
from ganbench.objectives.non_saturating import NonSaturating
from ganbench.objectives.wasserstein import Wasserstein
from ganbench.optimizers.adam import Adam
from ganbench.optimizers.sgd import SGD
from ganbench.regularizers.r1 import R1

# Kernel distance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, _mmd.MANY + 1])
def test_the_mmd_is_that_of_all_pairs(size, monkeypatch):
    monkeypatch.setattr(_mmd, "PAIRS", 100_000)  # several blocks, the last of them smaller
    random = np.random.default_rng(5)
    a, b = random.normal(size=(700, size)), random.normal(1.0, 2.0, size=(600, size))

    def kernel(x, y):
        return (x @ y.T / size + 1) ** 3

    within = sum((kernel(x, x).sum() - kernel(x, x).trace()) / (len(x) * (len(x) - 1)) for x in (a, b))
    assert unbiased_mmd2(a, sums(b))[0] == pytest.approx(within - 2 * kernel(a, b).mean(), rel=1e-12)
    np.testing.assert_allclose(similarities(a, sums(b)), kernel(a, b).sum(axis=1), rtol=1e-12)


def test_many_features_have_the_mmd_of_few(monkeypatch):
    """By either way, which differ in rounding only."""
    random = np.random.default_rng(6)
    a, b = random.normal(size=(300, 20)), random.normal(0.1, 1.1, size=(400, 20))
    few = unbiased_mmd2(a, sums(b))
    monkeypatch.setattr(_mmd, "MANY", 19)
    assert unbiased_mmd2(a, sums(b)) == pytest.approx(few, rel=1e-9)
    assert sums(b).known.shape == (400, 20)


@pytest.mark.parametrize("size", [1, 3])
def test_the_error_of_the_mmd_is_the_jackknife_s(size):
    """By leaving out one example after the other, and all over again."""
    random = np.random.default_rng(size)
    a, b = random.normal(size=(40, size)), random.normal(0.5, 1.5, size=(30, size))
    without = [unbiased_mmd2(np.delete(a, i, axis=0), sums(b))[0] for i in range(40)]
    assert unbiased_mmd2(a, sums(b))[1] == pytest.approx(np.sqrt(39 * np.var(without)), rel=1e-9)


def test_the_error_of_the_mmd_is_that_over_samples():
    random = np.random.default_rng(8)
    for shift, upper in ((0.5, 1.2), (0.0, 2.5)):  # without a difference, it is on the safe side
        real, found = sums(random.normal(size=(20_000, 2))), []
        for _ in range(300):
            found.append(unbiased_mmd2(random.normal(shift, size=(200, 2)), real))
        values, errors = np.array(found).T
        assert 0.8 < np.sqrt(np.square(errors).mean()) / values.std() < upper


# Modes ----------------------------------------------------------------------------------------------------------------


def test_mode_coverage_by_hand():
    real = np.array([0.5, 0.3, 0.2])
    generated = look([0] * 8 + [1] * 2, [True] * 9 + [False], 3)
    score = ModeCoverage().score(generated, {"share": real})
    assert score["modes"] == 2
    assert score["modes_covered"] == 2
    assert score["high_quality"] == 0.9
    assert score["mode_reverse_kl"] == pytest.approx(0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.3))
    smooth = np.array([8.5, 2.5, 0.5]) / 11.5
    assert score["mode_forward_kl"] == pytest.approx((real * np.log(real / smooth)).sum())


def test_a_perfect_generator_has_the_known_divergences():
    """(K - 1) / 2n of both for n examples of K modes, as half a chi-square of K - 1 degrees of freedom has."""
    random, (modes, n) = np.random.default_rng(6), (10, 2000)
    even = {"share": np.full(modes, 1 / modes)}
    found = [
        ModeCoverage().score(look(random.integers(modes, size=n), np.ones(n, bool), modes), even) for _ in range(400)
    ]
    for column in ("mode_reverse_kl", "mode_forward_kl"):
        assert np.mean([each[column] for each in found]) == pytest.approx((modes - 1) / (2 * n), rel=0.1)


def test_a_missing_mode_raises_the_reverse_divergence_most():
    modes, n = 100, 4950
    even = {"share": np.full(modes, 1 / modes)}
    missing = ModeCoverage().score(look(np.arange(n) % 99, np.ones(n, bool), modes), even)
    assert missing["mode_reverse_kl"] == pytest.approx(np.log(100 / 99))
    assert missing["mode_forward_kl"] > 3 * missing["mode_reverse_kl"]
    one = ModeCoverage().score(look(np.zeros(n, int), np.ones(n, bool), modes), even)
    assert one["mode_forward_kl"] < np.log(2 * n + modes), "and is finite"


def test_one_lucky_example_reaches_a_mode_but_does_not_cover_it():
    generated = look([0] * 199 + [1], [True] * 200, 2)
    score = ModeCoverage().score(generated, {"share": np.array([0.5, 0.5])})
    assert (score["modes"], score["modes_covered"]) == (2, 1)


def test_the_bounds_of_mode_coverage_are_reached():
    """The best and the worst that a generator can do: tables and axes take their ranges from these bounds."""
    even, everything = {"share": np.full(4, 0.25)}, [0, 1, 2, 3]
    perfect = ModeCoverage().score(look(everything, [True] * 4, 4), even)
    one_mode = ModeCoverage().score(look([2] * 4, [False] * 4, 4), even)
    bounds = {name: (info.lower, info.upper) for name, info in ModeCoverage.columns.items()}
    assert bounds["high_quality"] == (one_mode["high_quality"], perfect["high_quality"])
    assert bounds["modes"] == (one_mode["modes"], None)
    assert bounds["modes_covered"] == (one_mode["modes_covered"], None)
    assert bounds["mode_reverse_kl"] == (perfect["mode_reverse_kl"], None)
    assert bounds["mode_forward_kl"] == (perfect["mode_forward_kl"], None)
    assert bounds["dominant_mode"] == (perfect["dominant_mode"], None)
    assert bounds["dominant_share"] == (0, one_mode["dominant_share"])  # 1 / modes at least: 0 for ever more of them
    assert one_mode["mode_reverse_kl"] == pytest.approx(np.log(4))


@pytest.mark.parametrize("min_mode_share", [0.1, 0.5])
def test_a_mode_is_covered_from_its_fair_share_of_good_examples_on(min_mode_share):
    """Of 200 examples a mode of half the data must have 100 times the share asked for, all of them good."""
    least = int(100 * min_mode_share)
    for good, covered in ((least, 2), (least - 1, 1)):
        bad = 5  # of the mode, and not counted
        rest = 200 - good - bad
        generated = look([1] * (good + bad) + [0] * rest, [True] * good + [False] * bad + [True] * rest, 2)
        assert (
            ModeCoverage(min_mode_share).score(generated, {"share": np.array([0.5, 0.5])})["modes_covered"] == covered
        )


def test_a_perfect_sampler_has_the_known_high_quality_share():
    """Within three sigma in the plane: 1 - exp(-9/2) = 98.89%."""
    random = np.random.default_rng(4)
    centres = np.array([[0.0, 0.0], [5.0, 0.0]])
    points = (centres[random.integers(2, size=200_000)] + 0.1 * random.normal(size=(200_000, 2))).astype(np.float32)
    judged = MixtureJudge().judge({"centers": centres, "sigma": 0.1, **unscaled(2)}, points)
    assert judged.confident.mean() == pytest.approx(1 - np.exp(-4.5), abs=1e-3)


# The judge of images --------------------------------------------------------------------------------------------------


def bars(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with an upright bar, a level bar or none in noise, and which it is."""
    random = np.random.default_rng(seed)
    kinds = np.arange(count) % 3
    images = random.normal(-0.8, 0.1, size=(count, 1, 8, 8)).astype(np.float32)
    images[kinds == 0, :, :, 3:5] += 1
    images[kinds == 1, :, 3:5, :] += 1
    return images, kinds


@pytest.fixture(scope="module")
def judge_of_bars() -> tuple[ClassifierJudge, dict]:
    judge = ClassifierJudge(features=6, max_steps=600)
    return judge, judge.fit(Examples(*bars(120), *bars(60, seed=1)))


def test_the_judge_of_images_reads_classes_off_its_features(judge_of_bars):
    """The features are the last layer's inputs: what it says of an example is their softmax regression."""
    judge, state = judge_of_bars
    state = state | unscaled(6)
    (upright, level), part = bars(2, seed=2)[0], np.linspace(0, 1, 90, dtype=np.float32)[:, None, None, None]
    images = (1 - part) * upright + part * level  # from one class to another, so that it is in doubt on the way
    judged = judge.judge(state, images)
    assert judged.features.shape == (90, 6)
    assert (judged.features >= 0).all()
    weights, biases = np.split(state["theta"][-3 * (6 + 1) :].astype(float), [3 * 6])
    odds = np.exp(judged.features @ weights.reshape(3, 6).T + biases)
    shares = odds / odds.sum(axis=1, keepdims=True)
    assert (judged.mode == shares.argmax(axis=1)).all()
    assert judged.mode[[0, -1]].tolist() == [0, 1]
    for confidence in (0.6, 0.9, 0.99):
        sure = replace(judge, min_confidence=confidence).judge(state, images).confident
        near = np.abs(shares.max(axis=1) - confidence) < 1e-5
        assert ((sure == (shares.max(axis=1) >= confidence)) | near).all()
        assert 0 < sure.mean() < 1


def test_images_are_shifted_by_a_pixel_each_way_with_their_borders_repeated():
    image = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    wide = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    nine = [wide[:, 1 + dy : 5 + dy, 1 + dx : 6 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    shifted = _shifted(torch.from_numpy(image).expand(900, -1, -1, -1), torch.Generator().manual_seed(0)).numpy()
    counts = [int((shifted == each).all((1, 2, 3)).sum()) for each in nine]
    assert sum(counts) == 900, "nothing but these nine"
    assert all(abs(count - 100) < 5 * 10 for count in counts), "and all of them alike"


def test_the_judge_of_images_knows_them_a_pixel_aside(judge_of_bars):
    judge, state = judge_of_bars
    images, kinds = bars(90, seed=3)
    for shift in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1)):
        assert np.mean(judge.judge(state, np.roll(images, shift, axis=(2, 3))).mode == kinds) > 0.97, shift


@pytest.mark.slow
def test_a_judge_that_errs_too_often_is_refused():
    """One held-out example of twenty mislabelled: right on 95 %, which is enough for 0.95 and too little for 0.96."""
    images, kinds = bars(20, seed=4)
    kinds = np.where(np.arange(20) == 7, (kinds + 1) % 3, kinds)
    examples = Examples(*bars(120), images, kinds)
    judge = ClassifierJudge(features=6, max_steps=300, min_accuracy=0.95)
    assert judge.fit(examples)["accuracy"] == 0.95
    with pytest.raises(GanbenchError, match=r"right on 95\.0% .* counting modes needs 96%"):
        replace(judge, min_accuracy=0.96).fit(examples)


# Objectives, regularizers, optimizers ---------------------------------------------------------------------------------


def test_objectives_are_cross_entropies_of_the_logits():
    real, fake = torch.randn(2, 4, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)

    def bce(logits, labels):
        return binary_cross_entropy_with_logits(logits, labels, reduction="none")

    for objective in (NonSaturating(), Minimax()):
        torch.testing.assert_close(objective.real(real), bce(real, ones))
        torch.testing.assert_close(objective.fake(fake), bce(fake, zeros))
        torch.testing.assert_close(objective.output(real), 1 / (1 + (-real).exp()))
    torch.testing.assert_close(NonSaturating().generator(fake), bce(fake, ones))
    torch.testing.assert_close(Minimax().generator(fake), -bce(fake, zeros))


def test_a_critic_is_paid_in_its_scores():
    """Arjovsky, Chintala and Bottou 2017: it ascends E[real] - E[fake], the generator E[fake]."""
    scores = torch.randn(4, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    critic = Wasserstein()
    assert torch.equal(critic.real(scores), -scores)
    assert torch.equal(critic.fake(scores), scores)
    assert torch.equal(critic.generator(scores), -scores)
    assert torch.equal(critic.output(scores), scores)


@pytest.mark.parametrize("name", names("objective"))
def test_outputs_are_called_probabilities_where_they_are(name):
    """By this a discriminator can be said to have won: a score beyond 0.99 says nothing."""
    outputs = part("objective", name).output(torch.tensor([-40.0, 0.0, 40.0]))
    says = registry.find("objective", name).constants["probability"]
    assert says == bool(((outputs >= 0) & (outputs <= 1)).all())


@pytest.mark.parametrize("logit", [-10.0, -40.0, -104.0, 10.0])
def test_generator_gradients_at_extreme_logits(logit):
    """d/da: minimax -sigmoid(a), non-saturating -(1 - sigmoid(a)); at a = -10 they are 4.5e-5 and 0.99995 in size."""
    for objective, toward in ((Minimax(), 1), (NonSaturating(), -1)):
        a = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
        (grad,) = torch.autograd.grad(objective.generator(a), a)
        assert grad.item() == pytest.approx(-1 / (1 + np.exp(-toward * logit)), rel=1e-9)


def test_a_gan_s_losses_are_means_of_its_objective_over_the_batch():
    """What the game makes of an elementwise objective, on logits that are known: D(x) = psi x with data at 0."""
    match = Match(toy("dirac", noise_samples=5), [Member(0, None, 0.1)], CPU, torch.float64)
    psi, theta = 1.3, -0.7
    players = {
        "discriminator": torch.tensor([[psi]], dtype=torch.float64),
        "generator": torch.tensor([[theta]], dtype=torch.float64),
    }
    batch = match.draw(0, 1)[0]
    loss, aux = match.loss("discriminator", players, batch)
    fake = 1 / (1 + np.exp(-psi * theta))
    assert loss.item() == pytest.approx(-np.log(0.5) - np.log(1 - fake), rel=1e-12)
    assert {name: value.item() for name, value in aux.items()} == pytest.approx(
        {"real_output": 0.5, "fake_output": fake}, rel=1e-12
    )
    assert match.loss("generator", players, batch)[0].item() == pytest.approx(np.log(1 - fake), rel=1e-12)


def test_r1_of_a_linear_discriminator_is_half_gamma_times_its_squared_weight():
    weight = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64, requires_grad=True)
    real = Sample(torch.randn(2, 7, 2, dtype=torch.float64))
    penalty = R1(gamma=0.6).penalty(lambda x: (x * weight[:, None]).sum(-1), real, real, {})
    torch.testing.assert_close(penalty, 0.3 * weight.square().sum(1))
    (grad,) = torch.autograd.grad(penalty.sum(), weight)
    torch.testing.assert_close(grad, 0.6 * weight)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Adam(beta1=0.5, beta2=0.9), lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.9))),
        (Adam(beta1=0.0), lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.0, 0.999))),
        (SGD(), lambda p: torch.optim.SGD(p, lr=0.01)),
        (SGD(momentum=0.9), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    ],
)
def test_optimizers_agree_with_torch_optim(ours, theirs):
    random = torch.Generator().manual_seed(0)
    gradients = torch.randn(20, 1, 6, dtype=torch.float64, generator=random)
    theta = torch.randn(1, 6, dtype=torch.float64, generator=random)
    parameter = torch.nn.Parameter(theta.clone())
    optimiser, state = theirs([parameter]), ours.init(theta)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimiser.step()
        theta, state = ours.step(theta, gradient, state, torch.tensor([[0.01]], dtype=torch.float64))
        torch.testing.assert_close(theta, parameter.data, rtol=1e-12, atol=1e-12)

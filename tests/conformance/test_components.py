"""Every component keeps its family's contract. Components are found by file name: a new file is tested too.

The messages are written for the author of a component: they say what to change.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
import torch
from building import CPU, every_step, gan, names, refusal, toy, toys, training
from building import part as built
from conditional_networks import Conditional
from faces import write_images
from safetensors.torch import save_model
from stored import flat
from torch.utils._pytree import tree_leaves

from ganbench import export
from ganbench.architectures import initial_module, trial_inputs
from ganbench.contracts import component_fault
from ganbench.contracts.data import judge_fault, load_checked
from ganbench.contracts.losses_and_optimizers import objective_fault
from ganbench.contracts.networks import architecture_fault
from ganbench.core import registry, strict_json
from ganbench.core.dotted_names import under
from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import MetricInfo
from ganbench.core.pixels import floats
from ganbench.core.recorder import snapshot_steps
from ganbench.core.signatures import parse_signature
from ganbench.data import DataSpec, Examples
from ganbench.diagnostics import Diagnostic
from ganbench.engine.components import game_families
from ganbench.engine.diagnose import diagnose
from ganbench.engine.modules import trained_module
from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer
from ganbench.engine.train import train
from ganbench.games import CHUNK, Adversarial, Game, Match, Member
from ganbench.games.gan import GAN
from ganbench.judges import JudgedExamples, inception, judge_stored
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.nn.network import Network
from ganbench.nn.probes import disturbed
from ganbench.nn.sample import Outputs, Sample, named_outputs
from ganbench.nn.weights import Weights
from ganbench.objectives import Objective
from ganbench.pipeline.network_folder import MODEL
from ganbench.pipeline.resources.stand_in_judge import StandIn

SHAPES = [
    DataSpec(shape=(2,), bounded=False, train=64, modes=8),
    DataSpec(shape=(1, 8, 8), bounded=True, train=64, modes=10),
    DataSpec(shape=(3, 16, 16), bounded=True, train=64, modes=10),
    DataSpec(shape=(1, 28, 28), bounded=True, train=64, modes=10),
    DataSpec(shape=(3, 32, 32), bounded=True, train=64, modes=10),
    DataSpec(shape=(3, 48, 48), bounded=True, train=64, modes=10),
]


# Options with which networks that are wide at their defaults take no time.
NARROW = {
    "dcgan_tensorflow": {"base_channels": 4},
    "infogan": {"base_channels": 4},
    "r3gan": {"base_channels": 4, "max_channels": 8},
    "sngan": {"base_channels": 3},
    "stylegan2": {"base_channels": 4, "max_channels": 8, "style_size": 8, "latent_size": 8},
}


def part(family: str, name: str, **options):
    """A component with these options, the others at their defaults, but wide networks narrow."""
    narrow = NARROW.get(name, {}) if family == "architecture" else {}
    return built(family, name, **narrow | options)


EXAMPLES = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (64, 1, 8, 8)).astype(np.float32)


def small_gan(**parts) -> GAN:
    """A small pair of networks on points of the plane, or on images if the regularizer is for these."""
    if "regularizer" in parts and parts["regularizer"].images:
        return gan(
            IMAGES, data=SHAPES[1], architecture=part("architecture", "fc", hidden_sizes=(8,), latent_size=4), **parts
        )
    return gan(EXAMPLES, data=SHAPES[0], architecture=part("architecture", "mlp", width=8), **parts)


def make_game(name: str, **parts) -> Game:
    """A game that data or none make up, with its options at their defaults."""
    return small_gan(**parts) if "dataset" in game_families(name) else toy(name, **parts)


def member_of(game: Game, seed: int, rate: float = 1e-3) -> Member:
    return Member(seed, 20 + seed if isinstance(game, GAN) else None, rate)


COMPONENTS = [(family, name) for family in registry.FAMILIES for name in names(family)]


@pytest.mark.parametrize(("family", "name"), COMPONENTS)
def test_a_component_says_what_it_is_and_builds(family, name):
    component = registry.find(family, name)
    assert component.summary.endswith("."), (
        f"{component.path}: begin the file with a docstring whose first line is a sentence"
    )
    assert component.path.stem == name
    built = make_game(name) if family == "game" else part(family, name)
    assert type(built).__name__ == component.cls
    fault = component_fault(family, built)
    assert fault is None, f"{component.path}: {fault}"
    shown = repr(built)
    assert shown.startswith(f"{component.cls}("), f"{component.path}: a message must name its class"
    for option in component.options:
        assert f"{option}={getattr(built, option)!r}" in shown, f"{component.path}: show option {option!r}"


def test_the_class_of_a_component_has_a_name_of_its_own():
    classes = [registry.find(family, name).cls for family, name in COMPONENTS]
    taken = classes + [base for family in registry.FAMILIES.values() for base in family.bases]
    assert sorted({name for name in taken if taken.count(name) > 1}) == []


def test_a_component_is_shown_with_its_options():
    assert repr(part("dynamics", "consensus")) == "Consensus(discriminator_steps=1, gamma=10.0)"


# What a study means that names a method and sets nothing: the numbers of the paper, or of PyTorch, that it cites.
# Where a paper leaves a number open it is this project's choice.
DEFAULTS = {
    ("optimizer", "adam"): {"beta1": 0.5, "beta2": 0.999, "epsilon": 1e-8},  # beta1 of DCGAN, the rest of the paper
    ("optimizer", "rmsprop"): {"alpha": 0.99, "epsilon": 1e-8},  # PyTorch
    ("optimizer", "sgd"): {"momentum": 0.0, "decay_exponent": 0.0},
    ("schedule", "constant"): {},
    ("schedule", "linear"): {"end_factor": 0.0, "decay_start": 0.0},
    ("schedule", "cosine"): {"end_factor": 0.0},
    ("schedule", "step"): {"step_size": 1000, "gamma": 0.5},
    ("dynamics", "alternating"): {"generator_first": False},
    ("dynamics", "averaging"): {"inner": "alternating", "kind": "uniform", "decay": 0.999},
    ("dynamics", "consensus"): {"gamma": 10.0},
    ("dynamics", "extragradient"): {"extrapolation": 1.0, "moments": "both"},
    ("dynamics", "potential_component"): {"center": "origin", "nodes": 4},
    ("dynamics", "lookahead"): {"inner": "alternating", "sync_period": 5, "alpha": 0.5},
    ("dynamics", "gaussian_smoothing"): {"perturbations": 30, "sigma": 0.2},
    ("dynamics", "optimistic"): {"optimism": "step"},
    ("dynamics", "symplectic"): {"adjustment": 1.0, "align": True},
    ("dynamics", "unrolled"): {"unrolling_steps": 5},
    ("objective", "auxiliary_classifier"): {"class_weight": 1.0},
    ("objective", "binary_cross_entropy"): {
        "saturating": False,
        "label_smoothing": 0.0,
        "two_sided_smoothing": False,
        "label_flip_probability": 0.0,
    },
    ("objective", "hinge"): {"label_flip_probability": 0.0},
    ("objective", "least_squares"): {  # LSGAN, equation 9
        **{"fake_label": 0.0, "real_label": 1.0, "generator_label": 1.0, "label_flip_probability": 0.0},
    },
    ("objective", "minimax"): {"label_smoothing": 0.0, "two_sided_smoothing": False, "label_flip_probability": 0.0},
    ("objective", "non_saturating"): {
        "label_smoothing": 0.0,
        "two_sided_smoothing": False,
        "label_flip_probability": 0.0,
    },
    ("objective", "relativistic_average"): {"loss": "logistic"},  # RaSGAN
    ("regularizer", "adaptive_augmentation"): {
        "target": 0.6,
        "interval": 4,
        "ramp_images": 500_000,
        "initial_probability": 0.0,
    },  # of ADA
    ("regularizer", "differentiable_augmentation"): {  # DiffAugment's, all three
        **{"policy": ("color", "translation", "cutout"), "translation": 0.125, "cutout": 0.5},
    },
    ("regularizer", "combined"): {"regularizers": ("r1", "r2")},
    ("regularizer", "consistency"): {  # lambda of CR-GAN
        **{"gamma": 10.0, "fake_gamma": 0.0, "horizontal_flip": True, "translation": 0.125, "every": 1},
    },
    ("regularizer", "dragan"): {  # the authors' code
        **{"gamma": 10.0, "target": 1.0, "scale": 0.5, "between": True, "every": 1},
    },
    ("regularizer", "instance_noise"): {"sigma": 0.1, "decay_steps": 0},
    ("regularizer", "wgan_gp"): {"gamma": 10.0, "target": 1.0, "every": 1},  # lambda of WGAN-GP
    ("regularizer", "orthogonal"): {  # beta of BigGAN
        **{"strength": 1e-4, "kind": "off_diagonal", "players": "generator", "every": 1},
    },
    ("regularizer", "r1"): {"gamma": 1.0, "every": 1},
    ("regularizer", "r2"): {"gamma": 1.0, "every": 1},
    ("regularizer", "weight_clipping"): {"clip_value": 0.01, "players": "discriminator"},  # c of WGAN
    ("regularizer", "weight_decay"): {"strength": 1e-4, "players": "both"},
    ("regularizer", "zero_centered_gp"): {"gamma": 1.0, "every": 1},
    ("judge", "mixture"): {"max_sigmas": 3.0},  # VEEGAN, 4.1
    ("judge", "classifier"): {
        **{"features": 32, "max_steps": 1000, "target_accuracy": 0.99, "min_confidence": 0.9, "min_accuracy": 0.97},
        **{"per_channel": False},
    },
    ("metric", "mode_coverage"): {"min_mode_share": 0.1},
    ("metric", "memorization"): {},
    ("metric", "checkerboard"): {"levels": 3, "max_examples": 10_000},
    ("metric", "texture"): {"max_examples": 2000},
    ("metric", "birthday"): {"share": 0.05},
    ("metric", "prd"): {"clusters": 20, "clusterings": 10, "max_examples": 10_000},  # of Sajjadi et al.
    ("metric", "fd_infinity"): {},
    ("metric", "prdc"): {"k": 5, "max_examples": 10_000},  # k of Naeem et al.
    ("architecture", "r3gan"): {  # a small form
        **{"latent_size": 64, "base_channels": 32, "max_channels": 128, "blocks": 2, "group_width": 16},
        **{"output_activation": "tanh", "conditioning": "none", "packing_degree": 1},
    },
    ("architecture", "sngan"): {  # of the authors' code
        **{"latent_size": 128, "base_channels": 64, "discriminator_norm": "spectral", "generator_spectral_norm": False},
        **{"conditioning": "none", "attention_resolution": 0, "discriminator_attention_resolution": -1},
        **{"upsampling": "nearest", "rectified_shortcut": False, "initialization": "xavier", "packing_degree": 1},
    },
    ("architecture", "stylegan2"): {  # a small form
        **{"latent_size": 64, "style_size": 64, "mapping_layers": 2, "base_channels": 32, "max_channels": 128},
        **{"noise": True, "minibatch_deviation": False, "output_activation": "tanh", "packing_degree": 1},
    },
    ("architecture", "dcgan"): {
        **{"latent_size": 100, "base_channels": 64},  # DCGAN
        **{
            "generator_norm": "batch",
            "discriminator_norm": "batch",
            "discriminator_first_norm": False,
            "order": "norm-activation",
        },
        **{"max_channels": 0, "first_layer": "conv_transpose", "biases": "auto", "initialization": "normal"},
        **{"output_activation": "tanh", "latent_distribution": "normal", "packing_degree": 1},
    },
    ("architecture", "infogan"): {  # compare_gan, but for images in [-1, 1]
        **{"latent_size": 64, "base_channels": 64, "discriminator_norm": "batch", "generator_activation": "leaky_relu"},
        **{
            "initialization": "published",
            "output_activation": "rescaled_sigmoid",
            "latent_distribution": "uniform",
            "packing_degree": 1,
        },
    },
    ("architecture", "dcgan_tensorflow"): {  # the VEEGAN experiment in PacGAN's code
        **{"latent_size": 100, "base_channels": 64, "generator_norm": "batch", "discriminator_norm": "batch"},
        **{
            "initialization": "published",
            "output_activation": "tanh",
            "latent_distribution": "uniform",
            "packing_degree": 1,
        },
    },
    ("architecture", "mlp"): {
        **{"latent_size": 16, "width": 64, "depth": 2, "discriminator_width": 0, "generator_depth": -1},
        **{"activation": "relu", "discriminator_maxout": 0, "generator_norm": "none"},
        **{"initialization": "pytorch", "gain": 1.0, "latent_distribution": "normal", "packing_degree": 1},
    },
    ("architecture", "tiny_dcgan"): {  # the unrolled GAN's experiment in PacGAN's code, D a quarter of G
        **{"latent_size": 256, "base_channels": 8, "discriminator_base_channels": 2},
        **{"generator_norm": "batch", "discriminator_norm": "batch"},
        **{
            "initialization": "published",
            "output_activation": "tanh",
            "latent_distribution": "normal",
            "packing_degree": 1,
        },
    },
    ("architecture", "fc"): {
        **{
            "latent_size": 100,
            "hidden_sizes": (256, 512, 1024),
            "discriminator_hidden_sizes": (),
            "scale_hidden_sizes": True,
        },
        **{"dropout": 0.0, "discriminator_activation": "leaky_relu", "output_activation": "tanh"},
        **{"discriminator_output": "logit", "initialization": "pytorch", "packing_degree": 1},
    },
    ("architecture", "unpool"): {  # article 001
        **{
            "latent_size": 50,
            "base_channels": 16,
            "hidden_sizes": (512,),
            "discriminator_hidden_sizes": (512, 50),
            "shared": True,
        },
        **{"dropout": 0.1, "indices": "real", "output_activation": "tanh"},
        **{"discriminator_output": "logit", "initialization": "pytorch"},
    },
    ("game", "bilinear"): {"singular_values": (1.0,), "initial_parameters": ()},
    ("game", "dirac"): {"noise_samples": 1, "initial_parameters": ()},
    ("game", "gaussian"): {
        **{"discriminator": "gaussian", "plane": "b", "w_d": 1.0, "w_g": 1.0},
        **{"samples": 0, "resample": False, "max_output": 0.0, "initial_parameters": ()},
    },
    ("game", "linear"): {"matrix": (0.0, 1.0, -1.0, 0.0), "initial_parameters": ()},
    ("game", "quadratic"): {"curvatures": (1.0, 1.0), "initial_parameters": ()},
}


@pytest.mark.parametrize(("family", "name"), DEFAULTS)
def test_a_method_that_is_only_named_is_the_one_of_its_source(family, name):
    """Results carry the method's name alone where a study sets nothing: another default is another method."""
    options = {option: about.default for option, about in registry.find(family, name).options.items()}
    of_family = {"dynamics": {"discriminator_steps": 1}, "schedule": {"warmup_steps": 0}}
    assert options == DEFAULTS[family, name] | of_family.get(family, {})


# Architectures -------------------------------------------------------------------------------------------------------


def supported(name: str) -> list[DataSpec]:
    return [spec for spec in SHAPES if part("architecture", name).unsupported(spec) is None]


@pytest.mark.parametrize("name", names("architecture"))
def test_an_architecture_supports_something_and_refuses_in_words(name):
    architecture = part("architecture", name)
    assert supported(name), f"{name}: unsupported() refuses all of {[spec.shape for spec in SHAPES]}"
    for spec in SHAPES:
        reason = architecture.unsupported(spec)
        assert reason is None or len(reason) > 10, (
            f"{name}: unsupported() must return None or a sentence, not {reason!r}"
        )


LARGE = 1000  # values of an example, from which on an architecture's cases take long
CASES = [
    pytest.param(
        *(name, spec),
        id=f"{name}-{'x'.join(map(str, spec.shape))}",
        marks=pytest.mark.slow if math.prod(spec.shape) > LARGE else (),
    )
    for name in names("architecture")
    for spec in supported(name)
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
    named_outputs(discriminator(fake))["logits"].square().sum().backward()
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
    for player in GAN.players:
        first, again, other = (Network.vector(initial_module(architecture, player, spec, s)) for s in (0, 0, 1))
        assert torch.equal(first, again), f"{name}: two {player}s of one seed differ"
        assert not torch.equal(first, other), (
            f"{name}: {player}s of different seeds are equal; draw parameters from torch"
        )


@pytest.mark.parametrize("player", GAN.players)
@pytest.mark.parametrize(("name", "spec"), CASES)
def test_fused_networks_equal_solo_ones(name, spec, player):
    """Outputs and gradients of three members at once equal those of each alone, second derivatives included.

    At disturbed parameters, where no gain of 0 hides what it multiplies, so that every parameter has a gradient.
    """
    architecture = part("architecture", name)
    modules = [initial_module(architecture, player, spec, s) for s in range(3)]
    inputs = trial_inputs(architecture, player, spec, 4)
    passed = architecture.passed_to_generator if player == "generator" else ()
    network = Network(modules[0], inputs, passed).to(CPU, torch.float64)
    theta = torch.stack([disturbed(Network.vector(module).double(), s) for s, module in enumerate(modules)])
    theta.requires_grad_()
    starts = [network.start_buffers(module) for module in modules]
    buffers = {each: torch.stack([start[each] for start in starts]) for each in network.buffers}
    buffers = {each: value.double() if value.is_floating_point() else value for each, value in buffers.items()}
    keys = torch.arange(3) if network.random else None
    shape = (3, 6, *inputs[0].shape[1:])
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def penalty(theta, x, members=slice(None)):
        kept, key = {each: value[members] for each, value in buffers.items()}, keys if keys is None else keys[members]
        outputs = network.apply(theta, kept, key, x)[0]
        values = outputs if player == "generator" else named_outputs(outputs)["logits"]
        (grad,) = torch.autograd.grad(values.sum(), x, create_graph=True)
        return grad.square().sum() + values.square().sum()

    (fused,) = torch.autograd.grad(penalty(theta, x), theta)
    still = [each for each, value in Weights(fused, network.shapes).items() if not value.any()]
    assert still == [], f"{name}: the {player}'s {still} do not matter, even at disturbed parameters"
    for k in range(3):
        member = slice(k, k + 1)
        alone = theta[member].detach().requires_grad_()
        (solo,) = torch.autograd.grad(penalty(alone, x[member].detach().requires_grad_(), member), alone)
        torch.testing.assert_close(fused[k : k + 1], solo, rtol=1e-9, atol=1e-9, msg=lambda m: f"{name}: {m}")


STILL = {"stylegan2": {"noise": False}}  # options without random numbers, which a loaded module would draw anew


@pytest.mark.parametrize("name", names("architecture"))
def test_trained_networks_give_the_same_examples_when_they_are_exported_and_loaded(name, tmp_path):
    """Two steps on the smallest examples that it supports, evaluated, and stored as `ganbench export` stores them."""
    options, spec, batch_size = NARROW.get(name, {}) | STILL.get(name, {}), supported(name)[0], 4
    architecture = part("architecture", name, **options)
    examples = np.random.default_rng(0).uniform(-1, 1, (16, *spec.shape))
    labels = np.arange(16) % spec.modes if architecture.conditional else None
    game = gan(examples, data=spec, architecture=architecture, labels=labels, batch_size=batch_size)
    (result,) = train(game, training(2), [Member(0, 16, 0.05)], device=CPU)
    assert result["diverged"] is None
    stored = {"architecture": {"name": name, "options": options}, "data": asdict(spec)}
    (tmp_path / MODEL).write_text(strict_json.dumps(stored))
    for player in GAN.players:
        start, *_, theta = result["snapshots"][player]
        assert not np.array_equal(start, theta), f"{name}: the {player} does not train"
        buffers = {each: values[-1] for each, values in under(player, result["buffers"]).items()}
        module = trained_module(architecture, player, spec, theta, buffers)
        save_model(module, str(tmp_path / f"{player}.safetensors"))
        loaded = export.load(tmp_path, player)
        (x, *given) = trial_inputs(architecture, player, spec, batch_size)
        x = latent_points(0, batch_size, architecture.latent_size) if player == "generator" else x
        with torch.no_grad():
            outputs, again = (tree_leaves(each(x, *given)) for each in (module, loaded))
        if player == "generator":
            sampler = Sampler(architecture, spec, batch_size, CPU)
            outputs = [torch.from_numpy(sampler.examples(theta, buffers, 0, batch_size))]
        for one, other in zip(outputs, again, strict=True):
            torch.testing.assert_close(
                one, other, rtol=1e-4, atol=1e-5, msg=lambda m, who=player: f"{name}: {who}: {m}"
            )


# Games ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("game"))
def test_a_game_says_who_plays_with_what(name):
    game = make_game(name)
    families = {"dataset", "architecture", "objective", "regularizer"}
    assert set(game.families) <= families, f"{name}: is made of {game.families}; a game is made of {sorted(families)}"
    assert ("dataset" in game.families) == ("architecture" in game.families)
    assert len(set(game.players)) == 2
    assert list(game.parameters) == list(game.players), f"{name}: `parameters` must be in the order of the players"
    every = [parameter for player in game.players for parameter in game.parameters[player]]
    assert game.sizes == {player: len(game.parameters[player]) for player in game.players}
    assert len(set(every)) == len(every) > 0, f"{name}: every parameter needs a name of its own"
    if isinstance(game, Adversarial):
        assert {"objective", "regularizer"} <= set(game.families)


@pytest.mark.parametrize("name", names("game"))
def test_a_game_starts_from_the_seed_alone(name):
    game = make_game(name)
    first, again, other = (game.start(member_of(game, seed)) for seed in (0, 0, 1))
    for player in game.players:
        assert first[player].shape == (game.sizes[player],), f"{name}: start() gives (P,) of each player"
        assert first[player].device.type == "cpu"
        assert torch.isfinite(first[player]).all()
        assert torch.equal(first[player], again[player]), f"{name}: two starts of one seed differ"
        assert not torch.equal(first[player], other[player]), f"{name}: {player}s of different seeds start alike"
    rate = Member(0, member_of(game, 0).n_train, 10.0)
    assert all(torch.equal(first[p], game.start(rate)[p]) for p in game.players), f"{name}: the rate moves the start"


@pytest.mark.parametrize("name", names("game"))
def test_the_random_numbers_of_a_game_are_a_member_s_own_at_any_time(name):
    game = make_game(name)
    alone = Match(game, [member_of(game, 1)], CPU, torch.float64)
    pair = Match(game, [member_of(game, 0), member_of(game, 1)], CPU, torch.float64)
    for step in (0, 3, CHUNK, 2 * CHUNK - 1, 3):  # back again: resuming, and diagnosing, look at any step
        (own,), (both,) = alone.draw(step, 1), pair.draw(step, 1)
        assert own.keys() == both.keys()
        for key, values in own.items():
            assert values.dtype in (torch.float64, torch.int64), f"{name}: {key} is not of the precision asked for"
            assert torch.equal(values[0], both[key][1]), f"{name}: {key} depends on the neighbours"
    for key, values in game.draw(member_of(game, 0), 0, 6, torch.float32).items():
        assert values.shape[0] == 6, f"{name}: {key} must have one entry for every batch"
        assert values.dtype != torch.float64


@pytest.mark.parametrize("name", names("game"))
def test_the_losses_of_a_game_are_every_member_s_own(name):
    game = make_game(name)
    match = Match(game, [member_of(game, seed) for seed in range(3)], CPU, torch.float64)
    players, batch = match.init(), match.draw(0, 1)[0]
    theta = {player: value.clone().requires_grad_() for player, value in players.items()}
    aux = {}
    for player in game.players:
        loss, extra = match.loss(player, theta, batch)
        aux |= extra
        assert loss.shape == (3,), f"{name}: a loss is one number per member"
        assert torch.isfinite(loss).all()
        (grad,) = torch.autograd.grad(loss[0], theta[player], retain_graph=True)
        assert (grad[1:] == 0).all(), f"{name}: members mix in {player}'s loss"
        for k in range(3):
            row = {each: value[k : k + 1] for each, value in players.items()}
            here, _ = match.select([k]).loss(player, row, {key: value[k : k + 1] for key, value in batch.items()})
            torch.testing.assert_close(here, loss[k : k + 1].detach(), rtol=1e-9, atol=1e-12)
        again, _ = match.loss(player, theta, batch)
        assert torch.equal(loss, again), f"{name}: a loss must follow from its arguments"
        assert all(torch.equal(theta[each], players[each]) for each in players), f"{name}: loss() changes its arguments"
        back = match.project(player, players[player])
        assert back.shape == players[player].shape
        torch.testing.assert_close(match.project(player, back), back, rtol=0, atol=0)
    assert set(aux) == set(game.series), f"{name}: `series` must name the auxiliary quantities of its losses"
    assert all(value.shape == (3,) and not value.requires_grad for value in aux.values())


@pytest.mark.parametrize("name", [n for n in names("game") if game_families(n)])
def test_a_regularizer_that_projects_is_heeded(name):
    clip_value = 1e-3
    game = make_game(name, regularizer=part("regularizer", "weight_clipping", clip_value=clip_value, players="both"))
    match = Match(game, [member_of(game, 0)], CPU, torch.float64)
    for player, theta in match.init().items():
        assert match.project(player, theta).abs().max() <= clip_value, f"{name}: project() must ask the regularizer"


# Parts of the game ----------------------------------------------------------------------------------------------------


ELEMENTWISE = [
    name for name in names("objective") if type(part("objective", name)).real is not Objective.real
]  # the others compare both kinds of examples


@pytest.mark.parametrize("name", names("objective"))
def test_an_objective_keeps_its_contract(name):
    fault = objective_fault(part("objective", name))
    assert fault is None, f"{name}: {fault}"


def outputs(objective: Objective, logits: torch.Tensor) -> Outputs:
    """Outputs with these logits (K, n), and with all that the objective says it needs, of two classes."""
    sample = Sample(logits[..., None], labels=torch.zeros(logits.shape, dtype=torch.int64))
    return Outputs(logits, sample, {name: torch.zeros(*logits.shape, 2).double() for name in objective.needs})


@pytest.mark.parametrize("name", names("objective"))
@pytest.mark.parametrize("level", [-3.0, 0.0, 0.5, 0.9])
def test_an_objective_drives_real_and_generated_logits_apart_and_the_generator_s_up(name, level):
    """Where nothing tells examples apart, all logits are at one level."""
    objective = part("objective", name)
    real, fake = (torch.full((2, 5), level, dtype=torch.float64, requires_grad=True) for _ in range(2))
    both = outputs(objective, real), outputs(objective, fake)
    up_real, up_fake = torch.autograd.grad(-objective.discriminator_loss(*both).sum(), (real, fake))
    assert (up_real - up_fake > 0).all(), f"{name}: the discriminator must want real logits above generated ones"
    given = both if objective.generator_sees_real else (None, both[1])
    (up,) = torch.autograd.grad(-objective.generator_loss(*given).sum(), fake)
    assert (up > 0).all(), f"{name}: the generator must want its logits higher"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_an_objective_is_elementwise_and_pulls_the_right_way(name):
    objective = part("objective", name)
    logits = torch.randn(3, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    if name == "least_squares":  # which pulls to its labels from both sides, so the right way is that between them
        logits = logits.detach().sigmoid().requires_grad_()
    for kind, sign in (("real", -1), ("fake", 1), ("generator", -1)):
        values = getattr(objective, kind)(logits)
        assert values.shape == logits.shape, f"{name}: {kind}() keeps the shape; the game takes the mean"
        torch.testing.assert_close(values[1, :7], getattr(objective, kind)(logits[1, :7]))
        (grad,) = torch.autograd.grad(values.sum(), logits)
        what = {"real": "real examples higher", "fake": "generated ones lower", "generator": "generated ones higher"}
        assert (sign * grad >= 0).all(), f"{name}: {kind}() must want logits of {what[kind]}"
    says = objective.output(logits)
    assert says.shape == logits.shape
    assert (says.diff(dim=1) * logits.diff(dim=1) >= 0).all(), f"{name}: output() must rise with the logit"


@pytest.mark.parametrize("name", names("regularizer"))
def test_a_regularizer_keeps_members_apart(name):
    regularizer = part("regularizer", name)
    shape = (3, 4, 4) if regularizer.images else (2,)
    weight = torch.randn(3, math.prod(shape), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight.requires_grad_()
    points = torch.randn(2, 3, 20, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    real, fake = (Sample(values) for values in points)
    like = torch.empty(0, dtype=torch.float64)

    def drawn(seed: int):
        return regularizer.draw(torch.Generator().manual_seed(seed), 4, (20, *shape), like)

    assert drawn(0).keys() == drawn(1).keys()
    for key, values in drawn(0).items():
        assert values.shape[0] == 4, f"{name}: {key} must have one entry for every batch"
        assert values.dtype == torch.float64
        assert torch.equal(values, drawn(0)[key]), f"{name}: draw from the generator given, and nothing else"
        assert not torch.equal(values, drawn(1)[key])
    noise = {key: torch.stack([drawn(k)[key][0] for k in range(3)]) for key in drawn(0)}
    noise |= {key: value.double().expand(3) for key, value in regularizer.start().items()}

    def judge(x):
        return (x.flatten(2) * weight[:, None]).sum(-1).tanh()

    def layers(theta):
        return Weights(theta, {"weight": (2, theta.shape[1] // 2)})

    for kind, sample in (("real", real), ("fake", fake)):
        shown = regularizer.perturb(sample.points, kind, noise)
        assert shown.shape == sample.points.shape
    for penalty in (
        regularizer.penalty(judge, real, fake, noise),
        *(regularizer.weight_penalty(player, layers(weight)) for player in GAN.players),
    ):
        if penalty is not None:
            assert penalty.shape == (3,)
            assert (penalty >= 0).all()
            (grad,) = torch.autograd.grad(penalty[0], weight, retain_graph=True)
            assert grad[0].abs().sum() > 0, f"{name}: the penalty must depend on the parameters"
            assert (grad[1:] == 0).all(), f"{name}: members must not mix"
    for player in GAN.players:
        free = layers(weight.detach())
        back = free.replaced(regularizer.project(player, free))
        again = back.replaced(regularizer.project(player, back))
        torch.testing.assert_close(again.vector, back.vector, rtol=0, atol=0)


@pytest.mark.parametrize("name", names("optimizer"))
def test_an_optimizer_is_pure_and_descends(name):
    optimizer, rate = part("optimizer", name), torch.tensor([[1e-2], [1e-3]], dtype=torch.float64)
    theta = torch.ones(2, 5, dtype=torch.float64)
    state = optimizer.init(theta)
    assert all(value.shape[0] == 2 for value in state.values()), f"{name}: the first axis of a state is the member's"
    kept = {key: value.clone() for key, value in state.items()}
    moved, new_states = optimizer.step(theta, theta, state, rate)
    assert (theta == 1).all(), f"{name}: step() must not change the parameters in place"
    assert all(torch.equal(state[key], kept[key]) for key in kept), f"{name}: step() must not change its state in place"
    assert set(new_states) == set(state)
    assert (moved < theta).all(), f"{name}: a step against the gradient must descend"
    assert (theta - moved)[0].norm() > (theta - moved)[1].norm(), f"{name}: every member has its own learning rate"


@pytest.mark.parametrize("name", names("dynamics"))
@pytest.mark.parametrize("kind", ["linear", "gan"])
def test_dynamics_are_pure_and_say_what_they_cost_and_saw(name, kind):
    game = toy("linear", matrix=(1.0, 2.0, -2.0, 1.0)) if kind == "linear" else small_gan()
    dynamics, optimizer = part("dynamics", name), part("optimizer", "sgd")
    match = Match(game, [member_of(game, 0)] * 2, CPU, torch.float64)
    players, rate = match.init(), torch.tensor([[1e-1], [1e-2]], dtype=torch.float64)
    rates = dict.fromkeys(game.players, rate)
    states = dynamics.init(match, players, optimizer)
    assert set(game.players) <= set(states), f"{name}: the optimizer's states stand under the players' names"
    flat = {(owner, key): value for owner, state in states.items() for key, value in state.items()}
    assert all(value.shape[0] == 2 for value in flat.values()), f"{name}: the first axis of a state is the member's"
    given = {**{("players", p): theta for p, theta in players.items()}, **flat}
    before = {key: value.clone() for key, value in given.items()}
    batches = match.draw(0, dynamics.batches_per_step)
    assert len(batches) == dynamics.batches_per_step >= 1
    assert dynamics.gradients_per_step >= 2, f"{name}: both players need a gradient"

    first, again = (dynamics.step(match, players, states, batches, optimizer, rates) for _ in range(2))

    assert all(torch.equal(before[key], value) for key, value in given.items()), f"{name}: step() works in place"
    for player in game.players:
        assert torch.equal(first.players[player], again.players[player]), f"{name}: a step must repeat itself"
        assert not first.players[player].requires_grad, f"{name}: a step must leave no graph behind"
        assert first.players[player].shape == players[player].shape
        moved = (first.players[player] - players[player]).norm(dim=1)
        assert (moved > 0).all()
        assert moved[0] / moved[1] > 3, f"{name}: every member has its own learning rate"
    assert {owner: set(state) for owner, state in first.states.items()} == {
        owner: set(state) for owner, state in states.items()
    }, f"{name}: states must have the same names after a step"
    losses = {f"{player}_{what}" for player in game.players for what in ("loss", "gradient_norm")}
    assert set(first.aux) >= losses | set(game.series), f"{name}: StepResult.aux lacks what is recorded"
    assert all(value.shape == (2,) and not value.requires_grad for value in first.aux.values())
    for where, new_states in ((players, states), (first.players, first.states)):
        answer = dynamics.snapshot(where, new_states)
        assert {player: value.shape for player, value in answer.items()} == {p: t.shape for p, t in players.items()}
    assert all(torch.equal(dynamics.snapshot(players, states)[player], players[player]) for player in players), (
        f"{name}: before the first step it must hand out the start"
    )


OWN_DYNAMICS = '''"""Descent of the second player alone."""

from dataclasses import dataclass
from typing import ClassVar

from ganbench.dynamics import Dynamics, StepResult, apply_gradients, record, simultaneous_gradient


@dataclass(frozen=True)
class Own(Dynamics):
    slower: float = 0.5

    gradients_per_move: ClassVar[int] = 2

    def move(self, match, players, states, batches, optimizer, rates):
        here = simultaneous_gradient(match, players, batches[0])
        _, second = match.players
        gradients = {second: self.slower * here.gradients[second]}
        moved, states = apply_gradients(match, players, states, gradients, optimizer, rates)
        return StepResult(players | moved, states, record(here))
'''


def test_dynamics_of_a_user_s_own_take_several_discriminator_steps(tmp_path):
    """Without its author's doing: the discriminator moves by its own steps, and the file's move is the generator's."""
    path = tmp_path / "own.py"
    path.write_text(OWN_DYNAMICS)
    found = registry.find("dynamics", str(path))
    assert list(found.options) == ["slower", "discriminator_steps"]
    assert found.options["discriminator_steps"].default == 1
    with pytest.raises(GanbenchError, match="option 'discriminator_steps' must be an integer from 1 to 1000"):
        found.complete({"discriminator_steps": 0})
    one, three = (found.build(found.complete({"discriminator_steps": count})) for count in (1, 3))
    assert (one.batches_per_step, one.gradients_per_step) == (1, 2)
    assert (three.batches_per_step, three.gradients_per_step) == (3, 4)
    game, optimizer = small_gan(), part("optimizer", "adam")
    match = Match(game, [member_of(game, 0)] * 2, CPU, torch.float64)
    players, rates = match.init(), match.rates()
    states, batches = three.init(match, players, optimizer), match.draw(0, 3)
    moved = three.step(match, players, states, batches, optimizer, rates)
    theta, state = players["discriminator"], states["discriminator"]
    for batch in batches[:2]:
        at = players | {"discriminator": theta.clone().requires_grad_()}
        (grad,) = torch.autograd.grad(match.loss("discriminator", at, batch)[0].sum(), at["discriminator"])
        theta, state = optimizer.step(theta, grad, state, rates["discriminator"])
    assert torch.equal(moved.players["discriminator"], theta)
    at = {"discriminator": theta, "generator": players["generator"].clone().requires_grad_()}
    (grad,) = torch.autograd.grad(match.loss("generator", at, batches[2])[0].sum(), at["generator"])
    expected, _ = optimizer.step(players["generator"], grad / 2, states["generator"], rates["generator"])
    assert torch.equal(moved.players["generator"], expected)


def test_dynamics_without_a_move_say_what_they_need(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN_DYNAMICS.replace("def move", "def step").replace("gradients_per_move", "gradients_per_step"))
    found = registry.find("dynamics", str(path))
    with pytest.raises(GanbenchError, match=r"its class Own must have methods gradients_per_move\(\) and move\(\)"):
        found.build({})


@pytest.mark.parametrize("name", [name for name in names("dynamics") if refusal(name, "adam") is not None])
def test_dynamics_that_refuse_an_optimizer_say_which_they_take(name):
    assert "sgd" in refusal(name, "adam"), f"{name}: name a valid optimizer"
    assert refusal(name, "sgd") is None, f"{name}: plain gradient descent must be valid"


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *((family, name) for family in ("objective", "regularizer", "optimizer") for name in names(family)),
        *(pytest.param("dynamics", name, marks=pytest.mark.slow) for name in names("dynamics")),  # of many gradients
    ],
)
@pytest.mark.parametrize(
    "alone", [pytest.param((0, 2), id="ends"), pytest.param((1,), id="middle", marks=pytest.mark.slow)]
)
def test_a_part_trains_fused_as_solo(family, name, alone):
    """Every part, put into a small GAN: finite, repeatable, and the same for a pack of three as for packs of one; steps
    of the pack are traced, those of one are not."""
    made = part(family, name)
    given = {family: made} if family in ("objective", "regularizer") else {}
    if family == "objective" and "class_logits" in made.needs:
        labels = np.arange(len(EXAMPLES)) % SHAPES[0].modes
        game = gan(EXAMPLES, data=SHAPES[0], architecture=Conditional("classes"), labels=labels, **given)
    else:
        game = small_gan(**given)
    plain = family == "dynamics" and refusal(name, "adam") is not None
    parts = {"optimizer": part("optimizer", "sgd")} if plain else {}
    if family in ("dynamics", "optimizer"):
        parts[family] = made
    steps = CHUNK + 5
    shared = training(steps, snapshots=snapshot_steps(steps, 2, "even"), curve_bins=10, **parts)
    members = [member_of(game, seed) for seed in range(3)]
    together = train(game, replace(shared, execution="traced"), members, device=CPU)
    for place in alone:
        result, solo = together[place], train(game, shared, [members[place]], device=CPU)[0]
        assert (result["about"]["execution"], solo["about"]["execution"]) == ("traced", "eager"), result["about"]
        assert result["diverged"] is None
        for player in GAN.players:
            np.testing.assert_allclose(
                result["snapshots"][player],
                solo["snapshots"][player],
                rtol=1e-9,
                atol=1e-9,
                err_msg=f"{family} {name}",
            )
        assert not np.allclose(solo["snapshots"]["generator"][0], solo["snapshots"]["generator"][-1]), "nothing moved"


# Diagnostics ----------------------------------------------------------------------------------------------------------

# Options with which a diagnostic that is slow at its defaults takes no time.
QUICK = {
    "basins": {"points": 5, "steps": 20},
    "convolution": {"max_image_size": 6},
    "missing_modes": {"neighbors": 2, "draws": 3},
    "nearest_neighbors": {"samples": 50},
    "network_sizes": {"image_sizes": [16, 32, 64]},
    "pooling_indices": {"latents": 8, "sources": 8, "permutations": 99},
    "projection": {"channels": 64},
    "file_formats": {"sizes_mib": (1,), "repeats": 1, "corruptions": 4},
    "grayscale": {"levels": 8},
    "resuming": {"steps": 10},
    "vector_field": {"points": 7},
    "path_angle": {"points": 12},
}


def make_diagnostic(name: str) -> Diagnostic:
    known = registry.find("diagnostic", name).options
    return part("diagnostic", name, **{key: value for key, value in QUICK.get(name, {}).items() if key in known})


def unpooling_gan() -> GAN:
    """A small pair of networks whose generator takes what the discriminator passes on."""
    architecture = part(
        "architecture", "unpool", base_channels=2, hidden_sizes=(8,), discriminator_hidden_sizes=(8,), latent_size=4
    )
    return gan(UNPOOLED, data=SHAPES[2], architecture=architecture)


UNPOOLED = np.random.default_rng(0).uniform(-1, 1, (64, 3, 16, 16)).astype(np.float32)


def looks_at(made: Diagnostic) -> list[Game]:
    """Two games without data that a diagnostic can measure, or one with data."""
    without = [toy(each) for each in toys()]
    with_data = [small_gan(), unpooling_gan()]
    found = [[game for game in games if made.unsupported(game) is None] for games in (without, with_data)]
    return found[0][:2] or found[1][:1]


OF_RUNS = [name for name in names("diagnostic") if make_diagnostic(name).of == "runs"]


def shown_to(made: Diagnostic, game: Game) -> dict:
    """The examples that a diagnostic sees of a game with data, and the judge that it asks for."""
    if not isinstance(game, GAN):
        return {}
    examples = UNPOOLED if game.data is SHAPES[2] else EXAMPLES
    labels = np.arange(len(examples)) % game.data.modes
    real = Examples(examples, labels, examples[::-1] + 0.1, labels)
    return {"real": real, "judging": Scorer(StandIn(game.data.modes), {}, ()).judged if made.needs_judge else None}


def assert_documented(name: str, columns: dict, values: dict) -> None:
    """A diagnostic gives exactly the numbers that it documents, within the bounds that it states."""
    assert set(values) == set(columns), f"{name}: columns() and measure() must name the same numbers"
    for column, info in columns.items():
        assert isinstance(info, MetricInfo), f"{name}: {column} has no MetricInfo"
        assert info.title, f"{name}: {column} has no title"
        assert info.what.endswith("."), f"{name}: say what {column} is, in a sentence"
        assert info.best in ("low", "high", "none")
        for value in np.atleast_1d(values[column]):
            assert np.isnan(value) or info.lower is None or value >= info.lower - 1e-9, f"{name}: {column} is {value}"
            assert np.isnan(value) or info.upper is None or value <= info.upper + 1e-9, f"{name}: {column} is {value}"


@pytest.mark.parametrize("name", names("diagnostic"))
def test_a_diagnostic_refuses_in_words(name):
    made = make_diagnostic(name)
    assert made.of in ("runs", "study")
    if made.of == "study":
        return
    reasons = [made.unsupported(game) for game in (*map(make_game, names("game")), unpooling_gan())]
    assert None in reasons, f"{name}: unsupported() refuses every game"
    assert all(reason is None or len(reason) > 20 for reason in reasons), f"{name}: say why, in words: {reasons}"


@pytest.mark.parametrize("name", [name for name in names("diagnostic") if name not in OF_RUNS])
def test_a_diagnostic_of_the_study_gives_what_it_documents(name):
    made = make_diagnostic(name)
    reading = made.measure(None)
    assert all(np.ndim(value) == 0 for value in reading.values.values())
    assert_documented(name, made.columns(None), reading.values)


@pytest.mark.parametrize("name", OF_RUNS)
def test_a_diagnostic_gives_what_it_documents_and_nan_of_a_path_that_ends_early(name):
    """Two runs and one that diverges: exactly the documented numbers, and the neighbours' are none of its business."""
    made = make_diagnostic(name)
    steps = 20
    for game in looks_at(made):
        which = type(game).__name__
        shared = every_step(steps)
        members = [member_of(game, seed, rate) for seed, rate in ((0, 0.1), (1, 0.05), (2, 1e200))]
        kept = [tree["snapshots"] for tree in train(game, shared, members, device=CPU)]
        if len(kept[2]["step"]) == steps + 1:  # what does not diverge by itself is cut short
            kept[2] = {key: values[:3] for key, values in kept[2].items()}

        def look(rows, of=game, how=shared, who=members, left=kept):
            chosen = [[each[row] for row in rows] for each in (who, left)]
            where = {"device": CPU, "dtype": torch.float64} | shown_to(made, of)
            return diagnose(made, of, how.dynamics, how.optimizer, *chosen, how.snapshots, **where)

        whole, broken = look([0, 1]), look([0, 1, 2])
        columns = made.columns(game)
        assert columns
        for tree in broken:
            assert_documented(f"{name} of {which}", columns, tree["values"])
            assert all(isinstance(values, np.ndarray) for values in tree["arrays"].values())
        for one, other in zip(whole, broken, strict=False):
            assert one["arrays"].keys() == other["arrays"].keys()
            for column in columns:
                np.testing.assert_allclose(
                    one["values"][column], other["values"][column], rtol=1e-6, atol=1e-9, err_msg=f"{name}: {column}"
                )
        assert any(np.isfinite(value) for value in broken[0]["values"].values()), f"{name} sees nothing of {which}"
        nothing = {key: values[:1] * np.nan if key != "step" else values[:1] for key, values in kept[2].items()}
        alone = [members[2:], [nothing], shared.snapshots]
        where = {"device": CPU, "dtype": torch.float64} | shown_to(made, game)
        (tree,) = diagnose(made, game, shared.dynamics, shared.optimizer, *alone, **where)
        assert_documented(f"{name} of a run without numbers", columns, tree["values"])
        for column, value in tree["values"].items():
            # What measures the game alone, not where a run went, sees what it saw before.
            assert np.isnan(value) or value == broken[2]["values"][column], (
                f"{name}: {column} is {value} for a run that has no numbers; what does not exist is NaN"
            )


# Data, judges, metrics ------------------------------------------------------------------------------------------------


# Public data sets are read from small files in their formats, in tests/unit/data/test_public.py.
DATASETS = [name for name in names("dataset") if "_archives" not in registry.find("dataset", name).path.read_text()]


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    """Makes a data set by its name: small where it takes long, and with files for the one that reads them."""
    folder = write_images(tmp_path_factory.mktemp("images"), 300, classes=2, side=8)
    options = {
        "image_folder": {"folder": str(folder), "image_size": 8, "heldout_share": 0.3},
        "photos": {"image_size": 16, "examples": 2000},
        "stacked_digits": {"examples": 20_000},
    }
    return lambda name: part("dataset", name, **options.get(name, {}))


def own_judge(dataset, **changes):
    """The judge that a data set names, with other options where it has them."""
    name, options = parse_signature(dataset.judge)
    known = registry.find("judge", name).options
    return part("judge", name, **options | {key: value for key, value in changes.items() if key in known})


@pytest.fixture(scope="module")
def judged(data_set):
    """By data set: its spec, its examples, its judge, fitted in a hurry, and the judge's state."""

    @cache
    def found(name):
        dataset = data_set(name)
        examples, judge = dataset.load(), own_judge(dataset, max_steps=200, min_accuracy=0.9)
        return dataset.spec, examples, judge, judge.fit(examples)

    return found


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_is_what_its_spec_says_and_repeats_itself(name, data_set):
    dataset = data_set(name)
    examples, fault = load_checked(dataset)
    assert fault is None, f"{name}: {fault}"
    assert type(own_judge(dataset)).__name__ in {info.cls for info in registry.components("judge").values()}
    both = np.concatenate([examples.train, examples.heldout]).reshape(dataset.spec.train + len(examples.heldout), -1)
    twice = len(both) - len(np.unique(both, axis=0))
    assert twice <= 0.01 * len(both), (
        f"{name}: {twice} examples stand in it twice; held-out ones must not be trained on"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
def test_the_judge_of_a_data_set_knows_its_modes(name, data_set):
    dataset = data_set(name)
    if not dataset.spec.modes:
        return
    examples, judge = dataset.load(), own_judge(dataset)
    state = judge.fit(examples)
    fault = judge_fault(judge, state, examples.heldout, dataset.spec.modes)
    assert fault is None, f"{name}: {fault}"
    scored = judge_stored(judge, state, examples.heldout)
    right = float(np.mean(scored.mode == examples.heldout_modes))
    assert right == pytest.approx(state["accuracy"])
    least = getattr(judge, "min_accuracy", 0.97)
    if getattr(judge, "per_channel", False):  # where it must be right in every channel
        least **= dataset.spec.shape[0]
    assert right >= least, f"{name}: its judge is right on {right:.1%} only"
    parts = [judge_stored(judge, state, half).features for half in np.array_split(examples.heldout, 2)]
    np.testing.assert_allclose(np.concatenate(parts), scored.features, rtol=1e-4, atol=1e-4)


HELDOUT = ("memorization",)  # metrics that compare with held-out examples too


@pytest.mark.parametrize(
    "name", [n for n in names("metric") if n != "fid"]
)  # tests/unit/metrics/test_fid.py has its weights
@pytest.mark.parametrize(
    "dataset",
    [pytest.param(n, marks=pytest.mark.slow) if n in ("stacked_digits", "photos") else n for n in DATASETS],
)
def test_a_metric_ranks_real_above_what_is_collapsed_or_noise(name, dataset, judged):
    spec, examples, judge, state = judged(dataset)
    metric = part("metric", name)
    # A judge of two photographs, fitted in a hurry, has features in which noise lies among the patches.
    if metric.unsupported(spec) is not None or (dataset, name) == ("photos", "prdc"):
        return
    size = 5 * spec.modes if name == "mode_coverage" else 0  # a histogram needs some of each mode
    shown, kept = examples.train[: max(1000, 4 * size)], examples.heldout[: max(300, size)]
    few = Examples(shown, None, kept, None, examples.facts)
    scorer = Scorer.of(judge, state, [metric], spec, few)
    count = len(few.heldout)
    train, heldout = floats(few.train), floats(few.heldout)
    modes = judge.judge(state, train).mode
    # Where modes overlap, all of one side; without labels, a few examples.
    one_mode = train[:10] if modes is None else train[modes == np.bincount(modes).argmax()]
    collapsed = np.resize(one_mode, (count, *spec.shape))
    reach = 1 if spec.bounded else 5 * np.abs(heldout).max()  # beyond the data, whose range may be full of modes
    noise = np.random.default_rng(0).uniform(-reach, reach, heldout.shape).astype(np.float32)
    constant = np.resize(train[:1], heldout.shape)
    real, *worse = (scorer.score(examples) for examples in (heldout, collapsed, noise, constant))
    for column, info in metric.columns.items():
        assert isinstance(info, MetricInfo)
        value, others = real[column], [scores[column] for scores in worse]
        for each in (value, *others):
            assert info.lower is None or each >= info.lower
            assert info.upper is None or each <= info.upper
        # A collapsed generator may draw beautifully, and noise may be spread over all modes.
        better = {"low": value < max(others), "high": value > min(others), "none": True}[info.best]
        if column == "high_quality" and not judge.knows_noise:
            continue
        assert better, (
            f"{name}: {column} is {value:g} for real examples and {others} for collapsed ones, noise "
            f"and one example again and again, but best is {info.best}"
        )


@pytest.mark.parametrize("name", names("metric"))
def test_a_metric_s_reference_is_of_real_examples_and_of_held_out_ones_where_it_compares_with_these(name, monkeypatch):
    monkeypatch.setattr(inception, "features", lambda stored: stored.reshape(len(stored), -1)[:, :8])
    metric, random, count = part("metric", name), np.random.default_rng(0), 120
    line, image = DataSpec((1,), False, count, 3), DataSpec((1, 16, 16), True, count, 3)
    shape = next(spec.shape for spec in (line, image) if metric.unsupported(spec) is None)
    first, second, third = (
        JudgedExamples(
            random.uniform(-1, 1, (count, *shape)),
            random.normal(size=(count, 4)),
            random.integers(3, size=count),
            random.random(count) < 0.5,
            3,
        )
        for _ in range(3)
    )

    def same(*pairs: tuple[JudgedExamples, JudgedExamples]) -> bool:
        one, other = (flat(metric.reference(real, heldout)) for real, heldout in pairs)
        return all(np.array_equal(one[place], other[place]) for place in one)

    assert not same((first, third), (second, third)), f"{name}: compare with the real examples"
    assert same((first, second), (first, third)) == (name not in HELDOUT), (
        f"{name}: compare with the real examples, or add it to the metrics that compare with held-out ones"
    )


def test_scores_of_numbers_that_are_none_are_nan(judged):
    spec, examples, judge, state = judged("ring8")
    scorer = Scorer.of(judge, state, [part("metric", "fd"), part("metric", "mode_coverage")], spec, examples)
    broken = examples.heldout.copy()
    broken[3] = np.inf
    assert all(np.isnan(value) for value in scorer.score(broken).values())

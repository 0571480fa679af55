"""Diagnostics of the study: sizes of networks, ranks of convolutions, first layers, gradients in logits, a listing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from playing import part
from torch import nn

from ganbench.architectures.fc import FC
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import components
from ganbench.diagnostics import injectivity, listing, logit_gradients, network_sizes, projection
from ganbench.objectives.binary_cross_entropy import BinaryCrossEntropy


def measured(name: str, **options) -> dict[str, float]:
    """The values of a diagnostic of the study."""
    diagnostic = part("diagnostic", name, **options)
    reading = diagnostic.measure(None)
    assert list(reading.values) == list(diagnostic.columns(None))
    assert components("diagnostic")[name].constants["of"] == "study"
    return {column: float(value) for column, value in reading.values.items()}


# Sizes of networks ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sizes():
    return measured("network_sizes", image_sizes=[16, 32, 64])


def test_the_published_counts_are_found(sizes):
    assert sizes["large_both"] == 237_063_681
    assert sizes["large_second_weight"] == 8192 * 2048 == 2 * sizes["halved_second_weight"]
    assert sizes["first_weight_64"] == 3 * 64**2 * 8192
    assert sizes["first_weight_128"] == 3 * 128**2 * 8192
    assert round(sizes["dcgan_512_generator"] / 1e6, 1) == 77.5
    # 784-1000-400-200-1 by hand, weights and biases
    assert sizes["listed_discriminator"] == 785 * 1000 + 1001 * 400 + 401 * 200 + 201


def test_parameters_of_fixed_widths_are_a_line_in_the_pixels_and_those_of_scaled_ones_a_power(sizes):
    assert sizes["line_error"] < 1e-12
    per_pixel = 2 * 3 * 8192 + 3  # weights next to the image of both networks, and the generator's last biases
    pixels = np.array([32.0, 64.0]) ** 2
    both = sizes["large_both"] + per_pixel * (pixels - 64**2)
    assert sizes["pixel_exponent"] == pytest.approx(np.diff(np.log(both))[0] / math.log(4), rel=1e-12)
    assert sizes["pixel_exponent"] < 1 < sizes["scaled_exponent"] < 1.5


def test_shared_weights_count_once_and_nothing_is_allocated():
    _, architecture, shape = network_sizes.NETWORKS["unpool"]
    network = network_sizes.without_numbers(architecture, "discriminator", shape)
    assert all(each.is_meta for each in network.parameters())
    apart = type(architecture)(shared=False)
    more = network_sizes.parameters(network_sizes.without_numbers(apart, "discriminator", shape))
    assert more - network_sizes.parameters(network) == 16 * 16 * 9 + 16


@pytest.mark.parametrize("sides", [[16, 32], [16, 64, 32], [16, 16, 32]])
def test_a_sweep_that_shows_no_line_is_refused(sides):
    with pytest.raises(GanbenchError, match="three or more different sizes"):
        part("diagnostic", "network_sizes", image_sizes=sides)


# Ranks of convolutions ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranks():
    return measured("injectivity")


def test_ranks_are_those_that_a_pencil_finds(ranks):
    assert (ranks["valid_pair_rank"], ranks["valid_pair_lost"]) == (1, 1)
    assert (ranks["circular_rank"], ranks["circular_lost"]) == (8, 0)
    assert (ranks["padded_rank"], ranks["padded_lost"]) == (8, 0)
    assert (ranks["circular_mean_rank"], ranks["circular_mean_lost"]) == (7, 1)
    assert (ranks["dcgan_layer_rank"], ranks["dcgan_layer_lost"]) == (3 * 8 * 8, 0)
    assert ranks["circular_error"] < 1e-12


def test_what_a_circular_mean_loses_is_the_alternating_signal():
    operator = injectivity.signal_operator((1.0, 1.0), "circular", 8)
    alternating = np.resize([1.0, -1.0], 8)
    np.testing.assert_array_equal(operator @ alternating, 0)
    assert injectivity.rank(injectivity.signal_operator((1.0, 1.0), "circular", 7)) == 7  # an odd circle has none


@pytest.mark.parametrize("seed", range(3))
def test_a_circle_is_diagonal_in_the_fourier_transform(seed):
    kernel = tuple(np.random.default_rng(seed).normal(size=3))
    found = np.linalg.svd(injectivity.signal_operator(kernel, "circular", 11), compute_uv=False)
    np.testing.assert_allclose(found, injectivity.circular_singular_values(kernel, 11), atol=1e-12)


def test_a_border_of_zeros_has_the_eigenvalues_of_a_tridiagonal_matrix():
    """1 + 2 a cos(k pi / (n + 1)) of the kernel (a, 1, a)."""
    found = np.linalg.eigvalsh(injectivity.signal_operator((0.3, 1.0, 0.3), "zeros", 8))
    np.testing.assert_allclose(found, np.sort(1 + 0.6 * np.cos(np.arange(1, 9) * np.pi / 9)), atol=1e-12)


def test_a_layers_matrix_is_the_layer():
    options = {"out_channels": 5, "kernel_size": 3, "stride": 2, "padding": 1}
    operator = injectivity.layer_operator(options, side=4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Conv2d(3, **options, bias=False, dtype=torch.float64)
    image = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    np.testing.assert_allclose(operator @ image.numpy().ravel(), layer(image).detach().numpy().ravel(), atol=1e-12)


# First layers ---------------------------------------------------------------------------------------------------------


def test_a_transposed_convolution_of_one_pixel_is_a_linear_layer_with_other_initial_weights():
    found = measured("projection")
    assert found["difference"] < 1e-5
    assert found["exact_difference"] < 1e-13
    # Variances of uniform weights within 1 / sqrt(n) are 1 / (3 n); 100 products and a bias.
    assert found["expected_transposed"] == pytest.approx(math.sqrt(101 / 3 / 16_384))
    assert found["expected_linear"] == pytest.approx(math.sqrt(101 / 300))
    assert found["transposed_deviation"] == pytest.approx(found["expected_transposed"], rel=0.02)
    assert found["linear_deviation"] == pytest.approx(found["expected_linear"], rel=0.02)
    assert found["ratio"] == pytest.approx(12.8, rel=0.01)
    assert found["matched_ratio"] == pytest.approx(1, rel=0.01)
    assert found["gradient_difference"] < 1e-4
    assert found["exact_gradient_difference"] < 1e-12
    # Linear outputs have gradients that do not depend on the weights; normalised ones do not depend on their size.
    assert found["weight_gradient_ratio"] == pytest.approx(1, rel=1e-5)
    assert found["latent_gradient_ratio"] == pytest.approx(12.8, rel=0.01)
    assert found["weight_gradient_ratio_normalized"] == pytest.approx(1 / 12.8, rel=0.02)
    assert found["latent_gradient_ratio_normalized"] == pytest.approx(1, rel=0.02)


def test_the_expected_ratio_holds_for_other_sizes():
    found = measured("projection", latent_size=30, channels=48, latents=4000)
    assert found["ratio"] == pytest.approx(math.sqrt(16 * 48 / 30), rel=0.03)
    assert found["transposed_deviation"] == pytest.approx(found["expected_transposed"], rel=0.03)


@pytest.mark.parametrize("normalised", [False, True])
def test_gradients_are_those_by_hand(normalised):
    """z^T g / n and g W^T / n, with g the readout, or what is left of it behind a normalisation y -> (y - m) / s:
    (r - mean r - y' mean(r y')) / s, means over the batch and the 16 positions, y' the normalised outputs."""
    diagnostic = part("diagnostic", "projection", latent_size=5, channels=3)
    random = torch.Generator().manual_seed(0)
    latent, readout = (torch.randn(7, count, generator=random, dtype=torch.float64) for count in (5, 48))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [layer.double() for layer in diagnostic.layers()]
    for layer, weight in zip(layers, (layers[0].weight.flatten(1), layers[1].weight.T), strict=True):
        upstream = readout
        if normalised:
            outputs = projection._outputs(layer, latent).unflatten(1, (3, 16))
            axes = {"dim": (0, 2), "keepdim": True}
            deviation = (outputs.var(correction=0, **axes) + 1e-5).sqrt()
            outputs, wide = (outputs - outputs.mean(**axes)) / deviation, readout.unflatten(1, (3, 16))
            wide = (wide - wide.mean(**axes) - outputs * (wide * outputs).mean(**axes)) / deviation
            upstream = wide.flatten(1)
        found = projection.gradients(layer, latent, readout, normalised)
        torch.testing.assert_close(found["weight"], latent.T @ upstream / 7, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(found["latent"], upstream @ weight.detach().T / 7, rtol=1e-9, atol=1e-12)


# Gradients in logits --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gradients():
    return measured("logit_gradients")


def test_the_minimax_gradient_is_the_output_and_the_non_saturating_one_the_rest(gradients):
    assert gradients["minimax_at_minus_10"] == pytest.approx(1 / (1 + math.exp(10)), rel=1e-6)
    assert gradients["non_saturating_at_minus_10"] == pytest.approx(1 / (1 + math.exp(-10)), rel=1e-6)
    assert gradients["minimax_error"] < 1e-8
    assert gradients["non_saturating_error"] < 1e-8
    assert gradients["minimax_at_small_loss"] == pytest.approx(-math.expm1(-1e-3), rel=1e-9)
    assert gradients["non_saturating_at_small_loss"] == pytest.approx(math.exp(-1e-3), rel=1e-9)


def test_the_literal_loss_fades_where_its_probabilities_round(gradients):
    """sigmoid(a) / 1e-12 below the logit where the two are equal, -27.6."""
    assert gradients["literal_at_minus_30"] == pytest.approx(math.exp(-30) / 1e-12, rel=1e-3)
    assert gradients["literal_at_minus_40"] == pytest.approx(math.exp(-40) / 1e-12, rel=1e-3)
    assert gradients["literal_at_minus_104"] == 0
    assert gradients["literal_intact_from"] == math.ceil(math.log(1e-12)) == -27
    assert -104 <= gradients["literal_zero_to"] <= -89
    assert gradients["literal_max_loss"] == 100
    assert gradients["literal_fake_zero_from"] == 17
    assert gradients["non_saturating_at_minus_104"] == gradients["fake_at_17"] == 1


def test_the_objective_that_is_measured_is_pytorchs(gradients):
    for logit in (-104.0, -40.0, -30.0, -5.0, 3.0, 20.0):
        at = torch.tensor([logit], requires_grad=True)
        loss = nn.BCELoss()(at.sigmoid(), torch.ones(1))
        (slope,) = torch.autograd.grad(loss, at)
        ours = logit_gradients.slopes(BinaryCrossEntropy().generator, torch.tensor([logit]))
        torch.testing.assert_close(ours, slope, rtol=1e-6, atol=0)


def test_the_equilibrium_is_one_half_and_minimising_the_negative_value_leads_away(gradients):
    assert gradients["optimal_output"] == pytest.approx(0.5, abs=1e-9)
    assert gradients["optimal_loss"] == pytest.approx(2 * math.log(2), rel=1e-12)
    assert gradients["output_minimising_value"] > 0.999
    # da/dt = -sigmoid(a) leads to exp(-a) = t: an output of about one over the number of steps.
    assert gradients["output_minimising_negative"] == pytest.approx(1 / 2000, rel=0.02)


# A published listing --------------------------------------------------------------------------------------------------


def test_every_printed_fault_raises_and_the_corrected_loop_runs():
    found = measured("listing", steps=2)
    assert set(found.values()) == {1}


def test_what_is_right_does_not_count_as_a_fault(monkeypatch):
    """With latent points of the generator's size, and batches as large as their labels."""
    monkeypatch.setattr(listing, "PRINTED_LATENT", 50)
    assert measured("listing", steps=1)["printed_latent_fail"] == 0
    assert listing.raises(ValueError, lambda: None) is False
    with pytest.raises(KeyError):
        listing.raises(ValueError, lambda: {}[0])


def test_a_loop_that_diverges_does_not_run(monkeypatch):
    monkeypatch.setattr(listing, "RATE", math.inf)
    with pytest.raises(RuntimeError, match="between 0 and 1"):  # BCELoss refuses a probability that is not a number
        measured("listing", steps=2)
    monkeypatch.setattr(listing, "RATE", 0.0)
    assert measured("listing", steps=1)["corrected_runs"] == 0


def test_the_listed_networks_are_the_ones_that_are_counted(sizes):
    assert listing.NETWORKS.hidden_sizes == network_sizes.NETWORKS["listed"][1].hidden_sizes
    assert isinstance(listing.NETWORKS, FC)

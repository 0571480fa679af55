"""Made-up runs of which it is known what became of them, as a detector of outcomes is given them.

Every kind draws its noise, sizes and onsets from a generator. The series have the form of real ones: 200 bins with
autocorrelated means, extremes that reach farther, and nine snapshots at steps that grow by a factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ganbench.analysis.outcomes import RunEvidence
from ganbench.core.metric_info import MetricInfo
from ganbench.study.sections import Outcome

STEPS, BINS, MODES = 2500, 200, 10
FIRST = np.arange(BINS) * STEPS // BINS + 1
LAST = (np.arange(BINS) + 1) * STEPS // BINS
SNAPSHOTS = np.array([0, 25, 48, 93, 180, 347, 671, 1295, 2500])
METRICS = {
    "fd": MetricInfo("Distance", "how far", "low", 0.0, None),
    "mode_reverse_kl": MetricInfo("KL", "imbalance", "low", 0.0, None),
}
AT = LAST / STEPS  # of the bins, as shares of training


@dataclass
class Made:
    """A run in the making: by name the means of its series, (bins,), and its metrics, (snapshots,)."""

    rng: np.random.Generator
    series: dict[str, np.ndarray]
    metrics: dict[str, np.ndarray]
    spread: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, dict[int, float]] = field(default_factory=dict)
    about: dict = field(default_factory=dict)

    def evidence(self, **settings) -> RunEvidence:
        rows = []
        for name, mean in self.series.items():
            reach = np.abs(self.rng.normal(0, 0.15, (2, BINS))) * np.abs(mean) * self.spread.get(name, 1.0)
            low, high = mean - reach[0], mean + reach[1]
            for at, value in self.peaks.get(name, {}).items():
                high[at] = max(high[at], value)
            columns = {"series": name, "first_step": FIRST, "last_step": LAST, "min": low, "mean": mean, "max": high}
            rows.append(pd.DataFrame(columns))
        given = {
            "steps": STEPS,
            "settings": Outcome(**settings),
            "diverged": None,
            "initial_norms": {"discriminator": 8.0, "generator": 8.0},
            "curves": pd.concat(rows, ignore_index=True),
            "snapshots": pd.DataFrame({"step": SNAPSHOTS, **self.metrics}),
            "metrics": METRICS,
            "modes": MODES,
        }
        return RunEvidence(**given | self.about)


def healthy(rng: np.random.Generator) -> Made:
    """A run that learns and settles, with the noise of small batches and the growth of norms under Adam."""
    growth = 8 * (1 + rng.uniform(0.1, 20) * np.sqrt(AT))  # of the parameters: benign, whatever its factor
    distance = rng.uniform(900, 1200) * np.exp(-SNAPSHOTS / rng.uniform(90, 200)) + rng.uniform(5, 40)
    distance *= np.exp(rng.normal(0, 0.08, len(SNAPSHOTS)))
    distance[-1] = distance[-2] * rng.uniform(0.85, 1.2)
    return Made(
        rng,
        {
            "discriminator_loss": _noisy(rng, 1.1 - 0.3 * AT),
            "generator_loss": _noisy(rng, 0.9 + rng.uniform(0, 4) * AT),
            "real_output": np.clip(_noisy(rng, 0.6 + 0.2 * AT, 0.03), 0, 0.98),
            "fake_output": np.clip(_noisy(rng, 0.4 - 0.2 * AT, 0.03), 0.02, 1),
            "discriminator_gradient_norm": _noisy(rng, 3 + 2 * AT),
            "generator_gradient_norm": _noisy(rng, 4 + 4 * AT),
            "discriminator_parameter_norm": growth,
            "generator_parameter_norm": growth * 0.9,
        },
        {
            "fd": distance,
            "mode_reverse_kl": np.log(MODES) * np.exp(-SNAPSHOTS / 150) + rng.uniform(0.01, 0.1),
            "dominant_mode": np.where(SNAPSHOTS < 200, 8.0, -1.0),
            "dominant_share": np.where(SNAPSHOTS < 200, 0.9, 0.15),
            "high_quality": 0.6 * (1 - np.exp(-SNAPSHOTS / 200)),
            "diversity": 0.005 + 0.7 * (1 - np.exp(-SNAPSHOTS / 150)),
        },
    )


def _noisy(rng: np.random.Generator, mean: np.ndarray, size: float = 0.08) -> np.ndarray:
    """Autocorrelated noise around a course."""
    noise = np.zeros(BINS)
    for index in range(1, BINS):
        noise[index] = 0.6 * noise[index - 1] + rng.normal(0, size)
    return mean * np.exp(noise) if size > 0.05 else mean + noise


def _onset(rng: np.random.Generator, low: float = 0.3, high: float = 0.6) -> int:
    return int(rng.uniform(low, high) * BINS)


# Benign runs: no failure is right -------------------------------------------------------------------------------------


def noisy(rng: np.random.Generator) -> Made:
    """Losses with thrice the usual noise, and bins whose extremes reach far."""
    run = healthy(rng)
    for name in ("discriminator_loss", "generator_loss"):
        run.series[name] = _noisy(rng, run.series[name], 0.2)
        run.spread[name] = 3.0
    return run


def confident(rng: np.random.Generator) -> Made:
    """Few training examples: the discriminator knows them, its loss falls to nothing, and the generator still
    learns."""
    run = improving(rng)
    run.series["real_output"], run.series["fake_output"] = 1 - 0.3 * np.exp(-8 * AT), 0.3 * np.exp(-8 * AT)
    run.series["discriminator_loss"], run.series["generator_loss"] = 1.2 * np.exp(-6 * AT), 1 + 8 * AT
    return run


def improving(rng: np.random.Generator) -> Made:
    """Still improving: the distance falls at every snapshot."""
    run = healthy(rng)
    run.metrics["fd"] = 1100 * (1 + SNAPSHOTS / rng.uniform(20, 60)) ** -rng.uniform(0.8, 1.2)
    return run


def unlearned(rng: np.random.Generator) -> Made:
    """Noise images, much alike: the distance hardly falls, and a classifier puts all of them into one class, and later
    into another."""
    run = healthy(rng)
    run.metrics["fd"] = rng.uniform(800, 1300, len(SNAPSHOTS))
    run.metrics["fd"][0] = 1150
    run.metrics["mode_reverse_kl"] = rng.uniform(1.5, np.log(MODES), len(SNAPSHOTS))
    run.metrics["mode_reverse_kl"][0] = np.log(MODES)
    run.metrics["dominant_mode"] = np.where(rng.uniform(30, 2000) > SNAPSHOTS, 8.0, 3.0)
    run.metrics["diversity"] = 0.005 * (1 + SNAPSHOTS / STEPS * rng.uniform(0, 10))
    run.metrics["dominant_share"] = rng.uniform(0.6, 1.0, len(SNAPSHOTS))
    run.metrics["dominant_share"][0] = 1.0
    run.metrics["high_quality"] = rng.uniform(0, 1, len(SNAPSHOTS))
    run.series["real_output"], run.series["fake_output"] = 1 - 0.3 * np.exp(-3 * AT), 0.05 + 0.3 * np.exp(-3 * AT)
    return run


# Failures -------------------------------------------------------------------------------------------------------------


def not_finite(rng: np.random.Generator) -> Made:
    run = healthy(rng)
    run.about["diverged"] = (int(LAST[_onset(rng)]), "generator_loss became nan")
    return run


def run_off(rng: np.random.Generator) -> Made:
    """A loss grows without end from an onset on."""
    run, at = healthy(rng), _onset(rng)
    growth = np.maximum(np.arange(BINS) - at, 0) / (BINS - at)
    run.series["generator_loss"] = run.series["generator_loss"] * (1 + rng.uniform(1e3, 1e5) * growth)
    return run


def spiking(rng: np.random.Generator) -> Made:
    """Five spikes to between 20 and 10,000 nats, each of which recovers."""
    run = healthy(rng)
    at = rng.choice(np.arange(25, BINS, 8), 5, replace=False)
    run.peaks["discriminator_loss"] = {int(index): float(np.exp(rng.uniform(np.log(20), np.log(1e4)))) for index in at}
    return run


def shifted(rng: np.random.Generator) -> Made:
    """One spike from which the discriminator's loss does not recover."""
    run, at = healthy(rng), _onset(rng)
    run.series["discriminator_loss"][at:] *= rng.uniform(20, 200)
    return run


def saturated(rng: np.random.Generator) -> Made:
    """The discriminator is sure from an onset on, and the examples become no better."""
    run, at = unlearned(rng), _onset(rng)
    run.series["real_output"] = np.where(np.arange(BINS) < at, 0.9, 1 - 10 ** rng.uniform(-5, -2.5))
    run.series["fake_output"] = np.where(np.arange(BINS) < at, 0.1, 10 ** rng.uniform(-5, -2.5))
    return run


def starved(rng: np.random.Generator) -> Made:
    """A critic keeps its scores apart, and the generator gets no gradient."""
    run, at = unlearned(rng), _onset(rng)
    run.about["probabilities"] = False
    run.series["real_output"], run.series["fake_output"] = 5 + 0 * AT, -5 + 0 * AT
    run.series["generator_gradient_norm"] = run.series["generator_gradient_norm"] * np.where(
        np.arange(BINS) < at, 1, 10 ** rng.uniform(-6, -3.5)
    )
    return run


def blind(rng: np.random.Generator) -> Made:
    """The discriminator tells nothing apart from early on, and the examples stay as bad."""
    run = unlearned(rng)
    for name in ("real_output", "fake_output"):
        run.series[name] = np.where(AT < 0.1, 0.6 if name == "real_output" else 0.4, 0.5) + rng.normal(0, 0.002, BINS)
    return run


def collapsed(rng: np.random.Generator) -> Made:
    """Good examples fall on one or two modes from an onset between two snapshots on; outputs change at that step."""
    run, at = healthy(rng), int(rng.uniform(0.3, 0.5) * BINS)
    after = LAST[at] <= SNAPSHOTS
    run.metrics["mode_reverse_kl"] = np.where(after, np.log(MODES / rng.uniform(1, 2)), run.metrics["mode_reverse_kl"])
    run.metrics["fd"] = np.where(after, rng.uniform(100, 300), run.metrics["fd"])
    run.metrics["dominant_mode"] = np.where(after, 3.0, run.metrics["dominant_mode"])
    run.metrics["dominant_share"] = np.where(after, 0.9, run.metrics["dominant_share"])
    run.metrics["diversity"] = np.where(after, 0.15, run.metrics["diversity"])
    run.series["fake_output"][at:] *= 0.5
    run.series["generator_gradient_norm"][at:] *= 2.0
    run.about["onset"] = int(FIRST[at])
    return run


def lacking(rng: np.random.Generator) -> Made:
    """Good examples that lack four to six of ten modes from half of training on."""
    run = healthy(rng)
    missing = rng.integers(4, 7)
    run.metrics["mode_reverse_kl"] = np.where(
        SNAPSHOTS > 1000, np.log(MODES / (MODES - missing)), run.metrics["mode_reverse_kl"]
    )
    return run


def hopping(rng: np.random.Generator) -> Made:
    """A generator on one mode, and on another at every snapshot, having spread over all at first."""
    run = healthy(rng)
    path = np.cumsum(rng.integers(1, MODES, len(SNAPSHOTS))) % MODES
    run.metrics["dominant_mode"], run.metrics["dominant_share"] = path.astype(float), rng.uniform(0.9, 1.0, len(path))
    run.metrics["dominant_share"][0] = 0.3
    run.metrics["mode_reverse_kl"] = rng.uniform(1.8, np.log(MODES), len(path))
    run.metrics["mode_reverse_kl"][0] = 0.4
    run.metrics["diversity"] = np.full(len(path), 0.03)
    run.metrics["fd"] = 1000 * rng.uniform(0.9, 1.3, len(path))
    return run


def same_image(rng: np.random.Generator) -> Made:
    """One and the same image whatever the latent point, and another one at every snapshot; none is like the data."""
    run = unlearned(rng)
    run.metrics["dominant_mode"][1:] = np.cumsum(rng.integers(1, MODES, len(SNAPSHOTS) - 1)) % MODES
    return run


def frozen(rng: np.random.Generator) -> Made:
    """One and the same image whatever the latent point, less varied than without training, which stays."""
    run = unlearned(rng)
    run.metrics["diversity"][2:] = 10 ** rng.uniform(-6, -3)
    return run


def copying(rng: np.random.Generator) -> Made:
    run = healthy(rng)
    run.metrics["memorization_ratio"] = np.where(SNAPSHOTS > 600, rng.uniform(0.05, 0.5), 1.0)
    return run


def checkered(rng: np.random.Generator) -> Made:
    run = healthy(rng)
    run.metrics["checkerboard_excess"] = rng.uniform(5, 12, len(SNAPSHOTS))
    return run


def forgetting(rng: np.random.Generator) -> Made:
    run = healthy(rng)
    run.metrics["fd"][-1] = run.metrics["fd"].min() * 2 + rng.uniform(100, 600)
    return run


def relapsing(rng: np.random.Generator) -> Made:
    """Two relapses, each of which recovers; with more snapshots, since nine in a row hold no two."""
    run = healthy(rng)
    steps = np.linspace(0, STEPS, 21).astype(int)
    fd = 1000 * np.exp(-steps / 150) + 20
    fd[10:12] += rng.uniform(100, 500)
    fd[15:17] += rng.uniform(100, 500)
    run.about["snapshots"] = pd.DataFrame({"step": steps, "fd": fd, "mode_reverse_kl": np.exp(-steps / 100)})
    return run


# By name of a kind: what makes it, and the outcome that is right.
KINDS: dict[str, tuple[Callable[[np.random.Generator], Made], str]] = {
    "healthy": (healthy, "converged"),
    "noisy": (noisy, "converged"),
    "confident": (confident, "still-improving"),
    "improving": (improving, "still-improving"),
    "unlearned": (unlearned, "not-learned-yet"),
    "not finite": (not_finite, "diverged"),
    "run-off": (run_off, "unstable"),
    "spiking": (spiking, "unstable"),
    "level shift": (shifted, "unstable"),
    "saturated": (saturated, "discriminator-won"),
    "starved critic": (starved, "discriminator-won"),
    "blind": (blind, "generator-won"),
    "collapsed": (collapsed, "collapsed"),
    "lacking modes": (lacking, "partly-collapsed"),
    "hopping": (hopping, "cycling"),
    "one image, hopping": (same_image, "cycling"),
    "one image, frozen": (frozen, "collapsed"),
    "copying": (copying, "memorizing"),
    "checkered": (checkered, "checkerboard-artifacts"),
    "forgetting": (forgetting, "forgetting"),
    "relapsing": (relapsing, "relapsing"),
}
BENIGN = ("healthy", "noisy", "confident", "improving", "unlearned")


# Graded effects -------------------------------------------------------------------------------------------------------


def spikes_of(rng: np.random.Generator, size: float) -> Made:
    """Five spikes of the discriminator's loss, of so many nats."""
    run = healthy(rng)
    for index in rng.choice(np.arange(25, BINS, 8), 5, replace=False):
        run.peaks.setdefault("discriminator_loss", {})[int(index)] = size
    return run


def level_of(rng: np.random.Generator, factor: float) -> Made:
    """A spike from which the discriminator's loss does not recover: it stays at so many nats."""
    run, at = healthy(rng), _onset(rng)
    run.series["discriminator_loss"][at:] = _noisy(rng, np.full(BINS, factor))[at:]
    return run


def unsure_by(rng: np.random.Generator, share: float) -> Made:
    """A discriminator whose outputs are so far from 1 and 0, with a little noise, over examples that stay bad."""
    run = unlearned(rng)
    doubt = share * np.exp(rng.normal(0, 0.1, BINS))
    run.series["real_output"], run.series["fake_output"] = 1 - doubt, doubt
    return run


def without_modes(rng: np.random.Generator, missing: float) -> Made:
    """Good examples that lack so many of ten modes from half of training on."""
    run = healthy(rng)
    run.metrics["mode_reverse_kl"] = np.where(
        SNAPSHOTS > 1000, np.log(MODES / (MODES - missing)), run.metrics["mode_reverse_kl"]
    )
    return run


def worse_by(rng: np.random.Generator, factor: float) -> Made:
    """A last distance of so many times the best before, which was a tenth of the untrained generator's."""
    run = healthy(rng)
    run.metrics["fd"] = run.metrics["fd"][0] * np.array([1, 0.9, 0.7, 0.5, 0.3, 0.2, 0.12, 0.1, 0.1 * factor])
    run.metrics["fd"][1:] *= np.exp(rng.normal(0, 0.08, len(SNAPSHOTS) - 1))
    return run


# By effect: what makes it at a strength, the outcome that it is, and the strengths, the threshold among them.
GRADED: dict[str, tuple[Callable[[np.random.Generator, float], Made], str, tuple[float, ...]]] = {
    "five spikes, nats": (spikes_of, "unstable", (3, 6, 9, 12, 20)),
    "loss stays at, nats": (level_of, "unstable", (3, 6, 9, 12, 20)),
    "unsure by": (unsure_by, "discriminator-won", (0.1, 0.03, 0.012, 0.006, 0.001)),
    "modes missing of 10": (without_modes, "partly-collapsed", (0, 1, 2, 4, 6)),
    "distance over the best": (worse_by, "forgetting", (1, 1.4, 1.8, 2.2, 4)),
}


def graded(effect: str, strength: float, seed: int) -> RunEvidence:
    """One run with an effect of a strength; the same for the same seed."""
    return GRADED[effect][0](np.random.default_rng([seed, *effect.encode()]), strength).evidence()


def make(kind: str, seed: int, **settings) -> RunEvidence:
    """One run of a kind; the same for the same seed."""
    made = KINDS[kind][0](np.random.default_rng([seed, *kind.encode()]))
    made.about.pop("onset", None)
    return made.evidence(**settings)

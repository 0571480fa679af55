"""Whether runs that differ in the seed alone draw the same thing at the same latent point, or at a rotated one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ganbench.analysis.class_agreement import agreements, polar_grid, polar_symmetries, similarities
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game

POINTS = 256  # latent points, the same for all runs
NONE = -1  # in place of a class: the judge tells none apart, or cannot judge the examples


@dataclass(frozen=True)
class LatentAgreement(Diagnostic):
    """Examples of the generator as it was `at` the start or the end, at 256 latent points that are the same for all
    runs, and the classes and features that the judge gives them.

    With a latent size of 2 the points are a polar grid of 8 radii, quantiles of the norm of a normal point, and 32
    angles. Its 64 rotations and reflections onto itself move points to points, so the best of them is found exactly,
    from what was judged already. With another latent size the points are standard normal, and no alignment is sought:
    rotations of many coordinates are too many to try, so what is said of aligned runs is NaN.

    Runs of one setting are compared: the share of the points at which the classes of two runs agree, mean over the
    other runs, by chance, and with a p-value whose null leaves every map smooth, see
    `ganbench.analysis.class_agreement`. The class is the one nearest to an example, be the judge certain of it or not.
    Similarities of features are mean cosines of the judge's features, less their mean over the points of the run;
    aligned as the classes agree best. P-values of the runs of a setting share pairs and are not independent: for a
    claim about a setting there is one p-value of all its runs.

    Arrays: `latent` (256, latent_size), `classes` (256,), -1 where there is none, `features` (256, F).
    """

    needs_judge: ClassVar[bool] = True

    at: Literal["start", "end"] = "end"
    """Snapshot at which examples are generated: the first or the last."""

    def unsupported(self, game: Game) -> str | None:
        if "architecture" not in game.families:
            return "it has no network that generates examples; take a GAN"
        if "generator" in game.architecture.conditional:
            return "its generator is conditional, so that its classes are those it is told; take one that is not"
        return None

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        return {
            "classes_found": MetricInfo(
                "Classes found", "Classes that the judge is certain of at one of the points or more.", "high", 0, None
            ),
            "confident_share": MetricInfo(
                "Confident share", "Share of the points' examples of whose class the judge is certain.", "high", 0, 1
            ),
        }

    def compared(self, game: Game) -> dict[str, MetricInfo]:
        at = "at the same latent points, mean over the other runs"
        rotated = "after the best rotation or reflection of the latent plane for each pair of runs"

        def share(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, what, "none", 0, 1)

        def cosine(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, what, "none", -1, 1)

        return {
            "agreement": share("Agreement", f"Share of examples of the same class as another seed's {at}."),
            "agreement_by_chance": share(
                "Agreement by chance", "The same of shuffled points: the sum of the products of the classes' shares."
            ),
            "agreement_p": share(
                "P-value of the agreement", "Share of relabellings of the run's classes, by size alone, with as much "
                "agreement."
            ),
            "aligned_agreement": share("Aligned agreement", f"The agreement {rotated}."),
            "aligned_by_chance": share(
                "Aligned agreement by chance", f"The agreement of the run, its classes relabelled so, {rotated}."
            ),
            "aligned_p": share(
                "P-value of the aligned agreement",
                f"Share of such relabellings with as much agreement, {rotated}.",
            ),
            "all_agreement_p": share(
                "P-value of all seeds' agreement", "One number of the setting: share of such relabellings of every "
                "run's classes with as much agreement, mean over pairs of runs.",
            ),
            "all_aligned_p": share(
                "P-value of all seeds' aligned agreement", f"One number of the setting: the same {rotated}.",
            ),
            "feature_similarity": cosine("Similarity of features", f"Mean cosine of the judge's features {at}."),
            "aligned_feature_similarity": cosine(
                "Aligned similarity of features", f"The same {rotated}, by which their classes agree most."
            ),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        samples, snapshot, runs = trajectories.samples, 0 if self.at == "start" else -1, trajectories.match.members
        latent = shared_points(samples.latent_size)
        judged = [samples.judged(samples.generated(run, snapshot, latent)) for run in range(len(runs))]
        width = max((each.features.shape[1] for each in judged if each), default=1)
        values = {name: np.full(len(runs), np.nan) for name in self.columns(None)}
        classes, features = np.full((len(runs), POINTS), NONE, np.int16), np.full((len(runs), POINTS, width), np.nan)
        for k, each in enumerate(judged):
            if each is not None:
                features[k] = each.features
            if each is not None and each.mode is not None:
                classes[k] = each.mode
                values["classes_found"][k] = len(np.unique(each.mode[each.confident]))
                values["confident_share"][k] = each.confident.mean()
        places = np.tile(latent.astype(np.float32), (len(runs), 1, 1))
        arrays = {"latent": places, "classes": classes, "features": features.astype(np.float32)}
        return DiagnosticResult(values, arrays)

    def compare(self, results: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        values = {name: np.full(len(results), np.nan) for name in self.compared(None)}
        judged = [k for k, each in enumerate(results) if np.isfinite(each["features"]).all()]
        if len(judged) < 2:
            return values
        classes = np.stack([results[k]["classes"] for k in judged])
        symmetries = symmetries_of(results[judged[0]]["latent"])
        best, aligned = np.zeros((len(judged), len(judged)), dtype=int), False
        if (classes != NONE).all():
            found, aligned = agreements(classes, symmetries), len(symmetries) > 1
            best = found.best
            values["agreement"][judged], values["agreement_by_chance"][judged] = found.mean, found.by_chance
            values["agreement_p"][judged], values["all_agreement_p"][judged] = found.p_value, found.all_p_value
        features = np.stack([results[k]["features"] for k in judged]).astype(np.float64)
        alike, alike_aligned = similarities(features, symmetries, best)
        values["feature_similarity"][judged] = alike
        if aligned:
            values["aligned_agreement"][judged] = found.aligned_mean
            values["aligned_by_chance"][judged] = found.aligned_by_chance
            values["aligned_p"][judged] = found.aligned_p_value
            values["all_aligned_p"][judged] = found.all_aligned_p_value
            values["aligned_feature_similarity"][judged] = alike_aligned
        return values


def shared_points(size: int) -> np.ndarray:
    """The latent points of all runs, (256, size)."""
    return polar_grid() if size == 2 else stream(0, "latent-agreement").standard_normal((POINTS, size))


def symmetries_of(latent: np.ndarray) -> np.ndarray:
    """The symmetries of shared latent points (256, size): those of the polar grid, or the identity alone."""
    return polar_symmetries() if latent.shape[1] == 2 else np.arange(len(latent))[None]

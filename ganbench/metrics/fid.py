"""Fréchet Inception distance, through pytorch-fid's Inception network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples, inception
from ganbench.metrics import Metric
from ganbench.metrics._frechet import (
    GROUPS,
    extrapolated_columns,
    frechet_distance,
    frechet_reference,
    infinite_sample_distance,
    rank_caution,
)

UNIT = "squared units of Inception features"


@dataclass(frozen=True)
class FID(Metric):
    """Heusel et al. 2017. Features are the 2,048 activations of the last pooling layer, of images resized to 299x299 by
    the network itself; grey images are shown in three equal channels.

    Features are many, so the FID of a few thousand images says little by itself: `fid_infinity` is for tens of
    thousands of images, of which each part has more than there are features.

    Bits of Inception features depend on the processor's kernels and on the device, and so do these numbers.
    """

    cost: ClassVar[str] = "Inception's for M images, about 0.1 s each on a core; then ten to twenty times M F^2 + F^3"

    pretrained: ClassVar[bool] = True

    draws: ClassVar[int] = 5  # each decomposes three covariances of 2,048 features

    columns: ClassVar[dict[str, MetricInfo]] = {
        "fid": MetricInfo(
            title="FID",
            what="Fréchet distance between generated and real training images in Inception features (pytorch-fid's "
            "weights); 0 is best; depends on the sample size",
            best="low",
            lower=0.0,
            upper=None,
            unit=UNIT,
            source="Heusel et al. 2017",
        )
    } | extrapolated_columns(
        of="fid", name="FID", title="FID", what="Fréchet distance in Inception features", unit=UNIT
    )

    def unsupported(self, data: DataSpec) -> str | None:
        if len(data.shape) != 3 or data.shape[0] not in inception.CHANNELS or not data.stored_bounded:
            return f"FID is for {inception.SUPPORTED}"
        return None

    @property
    def fewest(self) -> int:
        return 2 * GROUPS

    def caution(self, samples: int, real: int, features: int) -> str | None:
        return rank_caution(samples, real, inception.FEATURES, "the FID") or rank_caution(
            samples // GROUPS, real, inception.FEATURES, "the distance that fid_infinity extrapolates"
        )

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return frechet_reference(real.embedded(inception.NAME, inception.features))

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        features = generated.embedded(inception.NAME, inception.features)
        value, error = infinite_sample_distance(features, reference)
        return {"fid": frechet_distance(features, reference), "fid_infinity": value, "fid_infinity_error": error}

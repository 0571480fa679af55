"""The names of the stages, in the order in which they run, and the sources of those that run once per study."""

from __future__ import annotations

from ganbench.core.registry import PACKAGE
from ganbench.core.source_digests import sources_digest

OF_DATASETS = ("prepare", "judge", "reference")  # the stages that run once per data set, before the others
OF_PACKS = ("train", "evaluate", "diagnose")  # once per pack; an attempt goes on where the one before it ended
SUMMARIES = ("collect", "tables", "figures", "report", "track")  # once per study
STAGES = (*OF_DATASETS, *OF_PACKS, *SUMMARIES)
# Folder of the stamps, whose names carry the digests of tables, figures, report and tracking. A stamp lists the
# checksums of the files that its stage wrote, by their paths relative to the study's folder.
STAMPS = ".done"


def sources_of(stage: str) -> str:
    """The digest of the sources that can change what a stage writes that runs once per study."""
    # Detectors and figures are found by the names of their files, so they are in no module's imports.
    folder, *suffixes = {
        "collect": ("analysis/outcomes", ".py"),
        "figures": ("report/figures", ".py"),
        "report": ("report", ".j2", ".css", ".js"),
    }.get(stage, ("",))
    others = [path for path in sorted((PACKAGE / folder).iterdir()) if path.suffix in suffixes]
    return sources_digest(PACKAGE / "pipeline" / "stages" / f"{stage}.py", *others)

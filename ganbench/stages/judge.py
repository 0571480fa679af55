"""judge: fit the judge of a data set's modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.core import store
from ganbench.stages.parts import CPU, examples, make, verify
from ganbench.stages.provenance import versions
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    verify(slice["sources"], [("judge", slice["judge"])])
    memory = make("judge", slice["judge"]).fit(examples(Path(slice["prepared"])))
    with store.writing(path, "judge") as file:
        store.save(file.create_group("memory"), memory)
        store.save(file.create_group("about"), versions(CPU))

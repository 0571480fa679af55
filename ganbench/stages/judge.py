"""judge: fit the judge of a data set's modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.core import store
from ganbench.stages import one_thread, packs
from ganbench.stages.parts import examples, make, verify
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    one_thread()
    verify(slice["sources"], [("judge", slice["judge"])])
    judge, known = make("judge", slice["judge"]), examples(Path(slice["prepared"]))
    with work.progress(f"judge {path.stem[: -packs.DIGEST]}", 100, "%") as report:
        memory = judge.fit(known, lambda done, total: report(100 * done / total))
        report(100)
    with store.writing(path, "judge") as file:
        store.save(file.create_group("memory"), memory)

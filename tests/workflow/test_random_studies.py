"""Whole studies at random: what `check` lets pass runs to a report, and the rest is refused at once, in words."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from random_studies import hostile_studies, studies

from ganbench.core.errors import GanbenchError
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.stage_names import STAGES
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse

EXAMPLES = int(os.environ.get("GANBENCH_STUDIES", "20"))  # `make soak` asks for 500
REFUSED_SECONDS = 10.0  # of processor time, within which a refusal comes
SHARED = ("prepare", "judge", "reference")  # whose files serve all studies of the same data set
STAGES_RUN = [stage for stage in STAGES if stage != "track"]  # MLflow's store takes seconds to open


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where data sets and judges are kept for the studies that come."""
    return tmp_path_factory.mktemp("known")


def checked(study: dict[str, Any], results: Path, known: Path) -> Plan | str:
    """The plan of a study that `check` lets pass; what it says of one that it refuses."""
    try:
        plan = Plan(parse({**study, "results": str(results)}, origin="study"))
        shutil.copytree(known, plan.folder, dirs_exist_ok=True)
        results_folder.prepare(plan)
        try_study(plan)
    except GanbenchError as error:
        return str(error)
    return plan


def run_all(plan: Plan, known: Path) -> None:
    """Run all jobs of a study; leave what serves other studies too in the folder `known`."""
    for stage in STAGES_RUN:
        for job in plan.jobs(stage).values():
            if not job.done:
                run(job)
                if stage in SHARED:
                    (known / stage).mkdir(exist_ok=True)
                    shutil.copy(job.path, known / stage)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(study=st.one_of(studies(), studies(), hostile_studies()))
def test_a_study_runs_to_its_report_or_is_refused_in_words(study, known):
    with tempfile.TemporaryDirectory() as place:
        began = time.process_time()
        found = checked(study, Path(place), known)
        event("runs to its report" if isinstance(found, Plan) else f"refused: {found.split(':')[0]}")
        if isinstance(found, Plan):
            run_all(found, known)
            assert (found.folder / "report.html").stat().st_size > 1000
        else:
            assert time.process_time() - began < REFUSED_SECONDS, found
            assert len(found) > 20, found
            assert "Traceback" not in found, found

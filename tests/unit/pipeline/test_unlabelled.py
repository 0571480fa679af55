"""Data without labels, from the study to the tables; and the judges that a study chooses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from own_data import study, write_bars

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.preflight.trial_messages import Note
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("hurried")]


def plan(content) -> Plan:
    return Plan(parse(content, origin="study.yaml"))


def played(found: Plan) -> dict[str, pd.DataFrame]:
    """The tables of a study whose stages have run."""
    for stage in ("prepare", "judge", "reference", "train", "evaluate", "collect"):
        for job in found.jobs(stage).values():
            run(job)
    folder = found.collect.path.parent
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("runs", "snapshots", "references", "nulls")}


def test_data_without_labels_are_trained_scored_and_judged_but_for_their_modes(tmp_path):
    found = plan(study(write_bars(tmp_path), tmp_path))
    tables = played(found)
    runs, snapshots = tables["runs"], tables["snapshots"]
    assert np.isfinite(snapshots["fd"]).all()
    assert snapshots["mode_reverse_kl"].isna().all()
    assert set(runs["outcome"]) == {"not-learned-yet"}
    assert all("collapsed" in text.split(", ") for text in runs["outcomes_judged"])  # by diversity
    why = "partly-collapsed: the data have no labels, or their judge tells no modes apart"
    assert all(why in text.split("; ") for text in runs["failures_not_judged"]), set(runs["failures_not_judged"])
    assert set(runs["evaluate_judge"]) == {"random_features(features=8)"}
    references = tables["references"].set_index("quantity")["value"]
    (how,) = set(tables["references"]["sampling"])
    assert how.startswith("32 held-out examples are too few for 64 samples: 20 random splits of all 128 real examples")
    assert how.endswith(", by random_features(features=8)")
    nulls = tables["nulls"].set_index("metric", drop=False)
    assert set(nulls.index) == {"fd", "diversity"}
    null = nulls.loc["fd"]
    assert (null["metric"], null["samples"], null["examples"], null["draws"]) == ("fd", 64, 128, 20)
    assert null["low"] <= references["fd"] == null["mean"] <= null["high"]
    assert references["fd"] < snapshots["fd"].min()  # held-out images are nearer than what a network draws
    assert "judge_accuracy" not in references
    with result_files.open_file(next(iter(found.judge.values())).path, "judge") as file:
        assert "accuracy" not in result_files.read_tree(result_files.descend(file, "state"))


def test_a_study_chooses_a_judge_and_sets_its_options(tmp_path):
    content = study(write_bars(tmp_path), tmp_path, labels=True)
    chosen = {"name": "classifier", "min_accuracy": 0.5, "features": 5, "max_steps": 30}
    with_judge = content | {"evaluate": content["evaluate"] | {"judge": chosen}}
    own, set_ = plan(content), plan(with_judge)
    (before,), (after,) = own.judge.values(), set_.judge.values()
    assert before.task.judge.options["max_steps"] == 40  # as the data set says
    assert {"name": "classifier", **after.task.judge.options}.items() >= chosen.items()
    assert before.digest != after.digest
    assert {job.digest for job in own.train.values()} == {job.digest for job in set_.train.values()}
    assert {job.digest for job in own.evaluate.values()}.isdisjoint(job.digest for job in set_.evaluate.values())
    runs = played(set_)["runs"]
    assert set(runs["evaluate_judge"]) == {"classifier(features=5, max_steps=30, min_accuracy=0.5)"}


def test_labelled_data_may_be_judged_by_features_alone(tmp_path):
    content = study(write_bars(tmp_path), tmp_path, labels=True)
    found = plan(content | {"evaluate": content["evaluate"] | {"judge": "random_features"}})
    tables = played(found)
    assert np.isfinite(tables["snapshots"]["fd"]).all()
    assert tables["snapshots"]["modes"].isna().all()
    assert set(tables["runs"]["outcome"]) == {"not-learned-yet"}
    assert not tables["runs"]["outcomes_judged"].str.contains("partly-collapsed").any()


def test_each_data_set_has_the_first_judge_that_fits_it(tmp_path):
    content = study(write_bars(tmp_path), tmp_path, labels=True)
    points = {"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": 0}
    judges = ["random_features", {"name": "mixture", "max_sigmas": 2.0}]
    found = plan(content | {"grid": [*content["grid"], points], "evaluate": {"judge": judges}})
    assert {job.task.judge.name for job in found.judge.values()} == {"random_features", "mixture"}
    assert found.judge["ring8"].task.judge.options == {"max_sigmas": 2.0}


@pytest.mark.parametrize(
    ("judge", "labels", "message"),
    [
        ("mixture", True, r"evaluate.judge: mixture judges no data set of the study \(.*1 axes, and these have 3"),
        ("classifier", False, "evaluate.judge: classifier judges no data set of the study .* needs labels"),
        ({"name": "classifier", "width": 3}, True, "unknown option 'width'"),
        ({"name": "classifier", "min_accuracy": 2}, True, "min_accuracy"),
        ("clasifier", True, "unknown judge 'clasifier'. Did you mean 'classifier'"),
        (["random_features", "random_features"], True, "more than once"),
    ],
)
def test_a_judge_that_does_not_fit_is_refused_before_any_work(tmp_path, judge, labels, message):
    content = study(write_bars(tmp_path), tmp_path, labels=labels)
    with pytest.raises(GanbenchError, match=message):
        plan(content | {"evaluate": {"judge": judge}})


def test_a_data_set_s_own_judge_must_fit_its_data(tmp_path):
    path = write_bars(tmp_path)
    path.write_text(path.read_text().replace('"random_features(features=8)"', '"classifier"'))
    with pytest.raises(GanbenchError, match="its judge classifier needs labels, and these data have none"):
        plan(study(path, tmp_path))


def test_a_check_tells_what_is_left_out_and_refuses_claims_about_it(tmp_path):
    content, said = study(write_bars(tmp_path), tmp_path), []
    try_study(plan(content), say=said.append)
    left_out = "mode_coverage is left out for bars: mode coverage needs data with labels"
    assert any(left_out in each.text for each in said if isinstance(each, Note))
    lost = {"quantity": "outcome.partly_collapsed", "below": 1}
    claim = {"id": "A1", "statement": "None loses modes.", "tests": [{"bound": lost}]}
    with pytest.raises(GanbenchError, match=r"cannot be known without .* a judge that tells modes apart"):
        try_study(plan(content | {"claims": [claim]}))

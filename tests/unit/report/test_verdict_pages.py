"""The pages of verdicts and of published numbers: they say what the records say, and the list has every claim once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from repository import ROOT

from ganbench.claims.decisions import COLUMNS
from ganbench.claims.published import COLUMNS as PUBLISHED_COLUMNS
from ganbench.claims.staleness import other_claims, other_numbers
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.verdicts import studies_of
from ganbench.report import published_page, verdict_page
from ganbench.report.verdict_records import CLAIMS, PUBLISHED, Record, StudyRun, read_records, write_record
from ganbench.study.claim_list import load_list
from ganbench.study.claims import Claim
from ganbench.study.schema import load

LISTED = load_list(ROOT / "config/claims.yaml")
SIZES = {"A": 10, "B": 5, "C": 4, "D": 7, "E": 5, "F": 14, "G": 5, "H": 22}
# Claims that are asked otherwise than in the record of a study of hours, which the page marks: E3 and E3a were bounds
# on p-values, by which nothing found was a confirmation.
OUTDATED = {"real-fully-connected": ("E3", "E3a")}
STUDIES = sorted((ROOT / "config/studies").rglob("*.yaml"))


def run(study: str = "small-things", **over) -> StudyRun:
    about = {"title": "", "file": f"{study}.yaml", "date": "2026-01-01", "machine": "a processor"}
    numbers = {"runs": 10, "failed": 2, "core_seconds": 90.0, "elapsed_seconds": 60.0}
    return StudyRun(**{"study": study, "versions": {"torch": "2.9"}, **about, **numbers, **over})


def table(*tests: dict) -> pd.DataFrame:
    given = {"verdict": "confirmed", "scale": "full", "statement": "So it is.", "test": 1, "text": "3 of 3; asked: 1"}
    given |= {"kind": "bound", "quantity": "path.growth", "asked": "above 1", "runs": 3, "missing": 0}
    given |= {"selection": "all runs"}
    rows = [
        {**given, **test, "test_verdict": test.get("test_verdict", test.get("verdict", "confirmed"))} for test in tests
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def asking(record: Record, **over) -> list[Claim]:
    """Claims of a study that ask what the tests of a made-up record ask, as long as these are bounds."""
    about = ["id", "statement", "scale", "question"]
    found = []
    for name, tests in record.table.rename(columns={"claim": "id"}).groupby("id", sort=False):
        first = {key: value for key, value in tests.iloc[0][about].items() if pd.notna(value)}
        bounds = [{"bound": {"quantity": "path.growth", "above": 1}}] * len(tests)
        found.append(Claim.model_validate(first | {"tests": bounds} | over.get(name, {})))
    return found


def page(*records: Record, **over) -> str:
    """The page of studies that ask what was recorded, but for what is given by claim."""
    return verdict_page.page(records, LISTED, {record.run.file: asking(record, **over) for record in records})


@pytest.fixture(scope="module")
def studies():
    with pytest.MonkeyPatch.context() as context:
        context.chdir(ROOT)
        yield studies_of([*read_records(ROOT / CLAIMS), *read_records(ROOT / PUBLISHED)])


def rows(text: str, claim: str) -> list[list[str]]:
    """The rows of a claim, and of those with its number and a letter, as lists of cells."""
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| ")]
    return [each for each in cells if re.fullmatch(rf"\*\*{claim}\*\*|↳ {claim}[a-z]", each[0])]


# The list ------------------------------------------------------------------------------------------------------------


def test_every_claim_is_in_the_list_once_and_in_order():
    wanted = [f"{group}{number}" for group, count in SIZES.items() for number in range(1, count + 1)]
    assert [claim.id for claim in LISTED.claims] == wanted
    assert len(wanted) == 72
    assert list(LISTED.groups) == list(SIZES)
    assert max(Counter(claim.statement for claim in LISTED.claims).values()) == 1


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_decides_a_claim_by_the_statement_of_the_list(path):
    LISTED.refuse_other_statements(load(path).claims)


def test_another_statement_under_a_listed_id_is_refused():
    claim = {"id": "A6", "tests": [{"bound": {"quantity": "path.growth", "above": 1}}]}
    same, other = (
        Claim.model_validate(claim | {"statement": text})
        for text in ("(0, 0) is  the solution of\nthe game.\n", "(0, 0) is no solution.")
    )
    LISTED.refuse_other_statements([same, other.model_copy(update={"id": "A6a"})])
    with pytest.raises(
        GanbenchError, match=r"claims\.A6\.statement: is '\(0, 0\) is no solution\.', but config/claims"
    ):
        LISTED.refuse_other_statements([other])


def test_a_list_with_a_claim_twice_or_of_no_group_is_refused(tmp_path):
    one = "  - {id: A1, source: a blog, statement: So.}\n"
    for claims, message in (
        (one * 2, "A1 more than once"),
        (one.replace("A1", "Z1"), "Z1 is of no group; groups are A"),
    ):
        (tmp_path / "list.yaml").write_text(f"groups: {{A: First}}\nclaims:\n{claims}")
        with pytest.raises(GanbenchError, match=message):
            load_list(tmp_path / "list.yaml")


# The pages of the repository ----------------------------------------------------------------------------------------


def test_the_pages_say_what_the_records_say(studies):
    claims = {file: study.claims for file, study in studies.items()}
    verdicts = verdict_page.page(read_records(ROOT / CLAIMS), LISTED, claims)
    published = published_page.page(read_records(ROOT / PUBLISHED), studies)
    for folder, text in ((CLAIMS, verdicts), (PUBLISHED, published)):
        path = ROOT / folder.with_suffix(".md")
        assert path.read_text() == text, f"{path.name} is not made from the records: run `ganbench claims`"


@pytest.mark.parametrize("folder", [CLAIMS, PUBLISHED], ids=lambda folder: folder.name)
def test_a_record_is_of_the_study_as_it_is(folder):
    """A study whose tests or published numbers have changed needs a new record, but for those too long to run again."""
    for record in read_records(ROOT / folder):
        study = load(ROOT / record.run.file)
        assert study.study == record.run.study
        left = OUTDATED.get(study.study, ())
        mine = record.table if folder == PUBLISHED else record.table[~record.table["claim"].isin(left)]
        claims = [claim for claim in study.claims if claim.id not in left]
        asked = other_claims(mine, claims) if folder == CLAIMS else []
        asked += other_numbers(record.table, study.published) if folder == PUBLISHED else []
        asked += ["the protocol"] if record.run.protocol != study.protocol else []
        again = f"the record of {study.study} is not of the study as it is; `ganbench decide {record.run.file}` runs it"
        assert not asked, f"{again}:\n" + "\n".join(asked)


def test_something_holds_in_the_place_of_every_refuted_claim(studies):
    claims = {file: study.claims for file, study in studies.items()}
    verdicts = verdict_page.verdicts(read_records(ROOT / CLAIMS), claims)
    holds = {verdict_page.parent(each.claim) for each in verdicts if each.verdict == "confirmed"}
    refuted = {each.claim for each in verdicts if each.verdict == "refuted"} & {claim.id for claim in LISTED.claims}
    assert not {claim for claim in refuted if claim not in holds}


# Pages of made-up records -------------------------------------------------------------------------------------------


def test_a_claim_without_a_record_is_open():
    text = page()
    assert "Of 72 claims, 0 are confirmed or refuted at one scale or more, 0 are undecided wherever" in text
    assert "and 72 are open. 0 claims were asked at a smaller scale only." in text
    assert all(rows(text, claim.id)[0][2] == "open" for claim in LISTED.claims)


def test_verdicts_of_several_scales_stand_side_by_side():
    small = Record(run(), table({"claim": "D2", "scale": "small", "question": "On digits?", "verdict": "refuted"}))
    real = Record(run("real-things"), table({"claim": "D2", "scale": "real", "question": "For less?"}))
    text = page(small, real)
    found = rows(text, "D2")
    assert [(each[2], each[3], each[6]) for each in found] == [
        ("**confirmed**", "real", "real-things"),
        ("**refuted**", "small", "small-things"),
    ]
    assert "*Asked at this scale:* On digits?" in found[1][1]
    assert "1 are confirmed or refuted at one scale or more, 0 are undecided" in text
    assert "71 are open. 1 claim was asked at a smaller scale only. 1 was asked by several studies" in text
    assert "| real | 1 | 0 | 0 |" in text
    assert "| small | 0 | 1 | 0 |" in text


def test_what_holds_instead_stands_below_a_refuted_claim():
    made = table({"claim": "A10a"}, {"claim": "A4a", "text": "9 runs"}, {"claim": "A4", "verdict": "refuted"})
    text = page(Record(run(), made))
    assert [each[0] for each in rows(text, "A4")] == ["**A4**", "↳ A4a"]
    assert [each[0] for each in rows(text, "A10")] == ["**A10**", "↳ A10a"]
    assert rows(text, "A4")[1][5] == "9 runs"


def test_the_deciding_test_gives_the_numbers():
    tests = [{"claim": "A1", "verdict": "refuted", "test_verdict": "confirmed"}]
    tests += [{"claim": "A1", "verdict": "refuted", "test": 2, "text": "share 0.1 | all; asked: below"}]
    (found,) = rows(page(Record(run(), table(*tests))), "A1")
    both = "`path.growth above 1` confirmed<br>`path.growth above 1` refuted"
    assert found[4:6] == [both, r"Test 2: Share 0.1 \| all"]


@pytest.mark.parametrize(
    ("test", "asked", "numbers"),
    [
        ({"kind": "bound"}, "`sizes.error above 1`", "0.25"),
        ({"kind": "closed_form", "asked": "2 within 0.1"}, "`sizes.error = 2 within 0.1`", "0.25"),
        ({"kind": "bound", "runs": 2}, "`sizes.error above 1`", "3 of 3"),
        ({"kind": "bound", "missing": 1}, "`sizes.error above 1`", "3 of 3"),
        ({"kind": "proportion"}, "`sizes.error above 1`", "3 of 3"),
    ],
)
def test_one_measured_number_stands_for_itself(test, asked, numbers):
    made = {"claim": "A1", "quantity": "sizes.error", "runs": 1, "value": 0.25} | test
    assert rows(page(Record(run(), table(made))), "A1")[0][4:6] == [asked, numbers]


def test_claims_of_other_sources_are_kept_apart():
    text = page(Record(run(), table({"claim": "baseline"})))
    assert rows(text, "baseline")[0][2] == "**confirmed**"
    assert text.index("## Other claims") < text.index("**baseline**")
    assert "0 are undecided wherever they were asked, and 72 are open." in text


def test_notes_are_those_of_the_study_as_it_is():
    record = Record(run(), table({"claim": "A1", "note": "An old note."}, {"claim": "A2"}))
    text = page(record, A1={"note": "No run | learned."})
    assert rows(text, "A1")[0][1] == r"So it is.<br>*Note:* No run \| learned."
    assert rows(text, "A2")[0][1] == "So it is."


def test_an_exploratory_verdict_is_not_bold():
    text = page(Record(run(), table({"claim": "A1"}, {"claim": "A2"})), A1={"exploratory": True})
    assert rows(text, "A1")[0][2] == "confirmed (exploratory)"
    assert rows(text, "A2")[0][2] == "**confirmed**"
    assert "| full | 2 | 0 | 0 |" in text


def test_a_verdict_by_other_tests_counts_for_nothing():
    record = Record(run(), table({"claim": "A1"}, {"claim": "A2"}, {"claim": "A3"}))
    text = page(record, A1={"statement": "So it is not."}, A2={"note": "Another note."})
    assert [rows(text, name)[0][2] for name in ("A1", "A2")] == [
        "confirmed by other tests than the study has now",
        "**confirmed**",
    ]
    assert "The tests of A1 (small-things) have changed since: these verdicts count for nothing" in text
    assert "| full | 2 | 0 | 0 |" in text
    gone = verdict_page.page([record], LISTED, {})
    assert "The tests of A1 (small-things), A2 (small-things) and A3 (small-things) have changed" in gone


def test_studies_with_claims_and_no_record_wait():
    record = Record(run(), table({"claim": "A1"}))
    claims = asking(record)
    other = [claims[0].model_copy(update={"id": name}) for name in ("A1a", "baseline")]
    files = {record.run.file: claims, "b.yaml": claims, "a.yaml": other, "c.yaml": other[1:], "d.yaml": ()}
    text = verdict_page.page([record], LISTED, files)
    assert "and which claims they ask:\n\n- `a.yaml`: A1a\n- `b.yaml`: A1\n\nWritten by" in text
    assert "Studies without a record" not in page(record)


def test_studies_that_are_none_ask_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/studies/mine").mkdir(parents=True)
    game = "grid: [{game: bilinear, learning_rate: 0.1, seed: 0}]\ndiagnose: [path]\n"
    test = "{bound: {quantity: path.growth, above: 1}}"
    whole = f"study: a\n{game}claims: [{{id: A1, statement: So., tests: [{test}]}}]\n"
    for name, text in (("whole", whole), ("broken", whole.replace("bound", "bund"))):
        (tmp_path / f"config/studies/mine/{name}.yaml").write_text(text)
    found = studies_of([Record(run("gone"), table())])
    assert {file: [claim.id for claim in study.claims] for file, study in found.items()} == {
        "config/studies/mine/whole.yaml": ["A1"]
    }


def test_a_doctored_record_makes_another_page(tmp_path):
    made = table({"claim": "A1", "value": 0.25, "low": 0.1}, {"claim": "A2", "verdict": "undecided"})
    write_record(tmp_path, run(), made.to_csv(index=False).encode())
    honest = page(*read_records(tmp_path))
    assert "**confirmed**" in honest
    for name, old, new in (
        ("small-things.csv", "undecided", "confirmed"),
        ("small-things.csv", "3 of 3", "4 of 4"),
        ("small-things.json", '"failed": 2', '"failed": 0'),
    ):
        path = tmp_path / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        assert page(*read_records(tmp_path)) != honest
        path.write_text(text)
    assert page(*read_records(tmp_path)) == honest
    (tmp_path / "small-things.json").unlink()
    with pytest.raises(GanbenchError, match=r"the record of small-things cannot be read"):
        read_records(tmp_path)


def test_published_numbers_have_ours_and_the_protocol_beside_them():
    given = {"label": "SGD", "quantity": "final.modes", "runs": 10, "failed": 3, "missing": 0, "statistic": "mean"}
    given |= {"published_statistic": "mean", "comparison": "so | so"}
    values = {"ours": 7.0, "low": 6.5, "high": 7.5, "published": 8.0, "error": 0.1, "error_kind": "standard error"}
    one = {**given, **values, "not_learned": 4, "in_interval": False, "source": "A paper, table 1"}
    one |= {"t_statistic": -5.0, "t_critical": 2.2}
    lost = {**given, "statistic": "median", "missing": 9, "published": 1.0, "in_interval": None, "source": "B"}
    exact = {
        **one,
        "in_interval": None,
        "error_kind": "rounding",
        "error": 0.5,
        "low": None,
        "high": None,
        "t_statistic": None,
    }
    exact = [{**exact, "within_rounding": equal} for equal in (True, True, False)]
    made = pd.DataFrame([one, lost, *exact], columns=list(PUBLISHED_COLUMNS))
    waiting = load(ROOT / "config/studies/published/pacgan-ring.yaml")
    studies = {"done.yaml": waiting, "pacgan-ring.yaml": waiting, "lab.yaml": load(ROOT / "config/studies/lab.yaml")}
    text = published_page.page([Record(run("done", protocol="- Fewer *steps*.\n"), made)], studies)
    assert (
        "5 published numbers in 1 study: of 3 in which nothing is random, ours equal 2 to the digits given; of 1 with "
        "a published error, ours agree with 0 by Welch's test; our 95% intervals, 1 of them, hold 0 published values; "
        "1 cannot be compared."
    ) in text
    assert "| 7, 6.5 to 7.5 (10 runs, 3 failed, 4 had not learned) | 8 (standard error 0.1) |" in text
    assert r"| so \| so | A paper, table 1 |" in text
    assert "| median (10 runs, 3 failed, 9 without a value) | 1 |" in text
    assert r"- Fewer \*steps\*." in text
    assert [line for line in text.splitlines() if ".yaml`" in line] == [
        f"- `pacgan-ring.yaml`: {waiting.title}, {len(waiting.published)} published numbers"
    ]


def test_published_numbers_that_a_study_has_changed_since_its_record_are_told():
    record = next(each for each in read_records(ROOT / PUBLISHED) if each.run.study == "dirac")
    study = load(ROOT / record.run.file)
    first, *others = study.published
    changed = first.model_copy(update={"label": "Another", "source": "Another"})
    now = study.model_copy(update={"published": [changed, *others]})
    told = [published_page.page([record], {record.run.file: each}) for each in (study, now)]
    assert "The study has changed since" not in told[0]
    assert "The study has changed since: published number 1: label is 'Another', and was" in told[1]


def test_the_page_reads_nothing_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert page(Record(run(), table({"claim": "A1"}))).count("| **A1** |") == 1
    assert not list(Path().iterdir())

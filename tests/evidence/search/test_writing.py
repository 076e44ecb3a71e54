"""The written surface runs as it is, keeps what its owner wrote, and says what was tried."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

import schema
from evidence.arms import STUDENT
from evidence.result import Comparison, Difference, ExperimentResult, Finding
from evidence.search.result import Chosen, Fallen, Outcome, Round, SearchResult, TuneResult
from evidence.search.space import AS_IT_IS
from evidence.search.tune import CHOSEN, gains, outcome_of
from evidence.search.writing import write_surface
from evidence.verdicts import Effect
from schema.base import TaskKind
from schema.loader import load_surface

SETS = ["tasks.click.distil.head=stacked", "model.l2=0.001"]
TODAY = date(2026, 11, 28)


def difference(arm: str, low: float, high: float) -> Difference:
    return Difference(arm=arm, mean=(low + high) / 2, low=low, high=high, p_value=0.01, replicates=[])


def result(outcome: Outcome = Outcome.BETTER, between: tuple[float, float] = (0.01, 0.03)) -> TuneResult:
    findings = [
        Finding(
            candidate=candidate,
            task="click",
            slice=None,
            metric="auc",
            distilled=True,
            examples=1000,
            positives=100,
            control=difference("control", low, 0.06),
            verdict=Effect.KNOWLEDGE if low > 0 else Effect.INCONCLUSIVE,
        )
        for candidate, low in ((STUDENT, -0.02), (CHOSEN, 0.02))
    ]
    compared = ExperimentResult(
        surface="homepage",
        runs=["runs"],
        seeds=4,
        settings=[],
        confidence=0.95,
        verdicts=2,
        clusters=None,
        tasks={"click": TaskKind.BINARY},
        arms=[],
        means=[],
        findings=findings,
        comparisons=[Comparison(candidate=CHOSEN, task="click", difference=difference(STUDENT, *between))],
        small_slices=0,
        seconds=1.0,
    )
    falls = [
        Fallen(name="stacked heads", rung=1, trainings=2, gain=0.02, stays=True),
        Fallen(name="loss kl", rung=1, trainings=2, gain=None, stays=False),
    ]
    better = outcome is Outcome.BETTER
    return TuneResult(
        surface="homepage",
        search=SearchResult(
            allowed=40,
            minutes=None,
            trainings=31,
            seconds=60.0,
            rounds=[
                Round(name="control", allowed=10, ended=True, falls=[]),
                Round(name="alone", allowed=20, ended=True, falls=falls),
            ],
            refused={"loss kl": "a loss is not finite"},
            left_out={"warm start": "the surface has no <id>"},
            student=Chosen(name="stacked heads + L2 x 10", sets=SETS, gain=0.03),
            control=Chosen(name=AS_IT_IS, sets=[], gain=None),
        ),
        comparison=compared,
        outcome=outcome,
        written=SETS if better else [],
        against_control=gains(compared, CHOSEN if better else STUDENT),
        seconds=90.0,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped surface, whose teacher reads a vocabulary beside it and one elsewhere."""
    shutil.copytree(Path(schema.__path__[0]) / "homepage", tmp_path / "mine")
    (tmp_path / "mine" / "files").mkdir()
    (tmp_path / "mine" / "files" / "devices.txt").write_text("phone\ntv\n", encoding="utf-8")
    (tmp_path / "shared.txt").write_text("phone\ntv\n", encoding="utf-8")
    (tmp_path / "mine" / "part-0.gz").write_bytes(b"examples")
    path = tmp_path / "mine" / "surface.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "    device: {dtype: int}\n", "    device: {dtype: int, vocabulary: files/devices.txt, default: 0}\n"
    )
    path.write_text(
        text.replace(
            "    item_id: {dtype: int}\n", "    item_id: {dtype: int, vocabulary: ../shared.txt, default: 0}\n"
        )
    )
    return tmp_path / "mine"


def test_what_was_chosen_is_written_into_the_owner_s_file(folder: Path, tmp_path: Path):
    out = tmp_path / "out" / "surface"
    write_surface(folder, out, result(), TODAY)
    written = load_surface(out).surface
    expected = load_surface(folder, SETS).surface
    assert written.tasks == expected.tasks
    assert written.model == expected.model
    assert written.teacher.features["item_id"].vocabulary == str(tmp_path / "shared.txt")
    assert written.teacher.features["device"].vocabulary == str(out / "files" / "devices.txt")
    assert sorted(path.name for path in out.rglob("*")) == ["devices.txt", "files", "schema.pbtxt", "surface.yaml"]
    text = (out / "surface.yaml").read_text(encoding="utf-8")
    own = (folder / "surface.yaml").read_text(encoding="utf-8")
    comments = [line for line in own.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in text.splitlines() if line.lstrip().startswith("#") and "# tune: " not in line] == comments


def test_the_comment_says_what_was_tried_chosen_and_found(folder: Path, tmp_path: Path):
    write_surface(folder, tmp_path / "out", result(), TODAY)
    lines = (tmp_path / "out" / "surface.yaml").read_text(encoding="utf-8").splitlines()
    said = " ".join(line.removeprefix("# tune: ").strip() for line in lines if line.startswith("# tune: "))
    assert "`crosskd tune`, 2026-11-28." in said
    assert "31 trainings tried 2 ways: loss kl, stacked heads." in said
    assert f"Chosen there: stacked heads + L2 x 10 ({', '.join(SETS)}). For the control: as it is." in said
    assert (
        "click AUC, what was chosen: to the control +0.0400 [+0.0200, +0.0600], to the surface as it was "
        "+0.0200 [+0.0100, +0.0300]: knowledge"
    ) in said
    assert said.endswith("this file has it. It beats the control on click.")
    assert all(len(line) <= 120 for line in lines if line.startswith("# tune: "))


@pytest.mark.parametrize("outcome", [Outcome.AS_IT_IS, Outcome.NOT_SHOWN, Outcome.WORSE])
def test_where_nothing_better_was_found_the_surface_stays_and_that_is_said(folder, tmp_path, outcome):
    write_surface(folder, tmp_path / "out", result(outcome), TODAY)
    text = (tmp_path / "out" / "surface.yaml").read_text(encoding="utf-8")
    assert load_surface(tmp_path / "out").surface.tasks == load_surface(folder).surface.tasks
    text = text.replace("\n# tune:   ", " ")  # a sentence goes on in the next line
    assert "this file is that" in text
    assert "not shown to beat the control on any" in text


def test_a_second_search_takes_the_place_of_the_first_one_s_comment(folder: Path, tmp_path: Path):
    write_surface(folder, tmp_path / "first", result(), TODAY)
    write_surface(tmp_path / "first", tmp_path / "second", result(Outcome.NOT_SHOWN), TODAY)
    text = (tmp_path / "second" / "surface.yaml").read_text(encoding="utf-8")
    assert text.count("`crosskd tune`") == 1
    assert load_surface(tmp_path / "second").surface.model.l2 == 0.001


class Chose:
    """As much of what a search found as the outcome hangs on."""

    def __init__(self, name: str):
        self.student = type("Way", (), {"name": name})()


@pytest.mark.parametrize(
    ("name", "between", "expected"),
    [
        (AS_IT_IS, (0.01, 0.03), Outcome.AS_IT_IS),
        ("stacked heads", (0.01, 0.03), Outcome.BETTER),
        ("stacked heads", (-0.01, 0.03), Outcome.NOT_SHOWN),
        ("stacked heads", (-0.03, -0.01), Outcome.WORSE),
    ],
)
def test_the_outcome_is_what_the_comparison_shows(name, between, expected):
    assert outcome_of(Chose(name), result(between=between).comparison) is expected


def test_a_gain_on_one_task_does_not_outweigh_a_loss_on_another():
    compared = result().comparison
    lost = Comparison(candidate=CHOSEN, task="discovery", difference=difference(STUDENT, -0.03, -0.01))
    both = compared.model_copy(update={"comparisons": [*compared.comparisons, lost]})
    assert outcome_of(Chose("stacked heads"), both) is Outcome.WORSE


def test_gains_over_the_control_are_those_that_are_shown():
    assert gains(result().comparison, CHOSEN) == ["click"]
    assert gains(result().comparison, STUDENT) == []

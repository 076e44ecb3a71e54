from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from evidence.live import Lift, LiveResult
from evidence.plot import _rows, forest, lifts
from evidence.result import Difference, ExperimentResult, Finding
from evidence.verdicts import Effect
from schema.base import TaskKind


@pytest.fixture
def result() -> ExperimentResult:
    differences = [
        Difference(arm=name, mean=0.0, low=low, high=high, p_value=1.0, replicates=[])
        for name, low, high in (("control", -0.1, 0.1), ("shuffled", -0.05, 0.05), ("gaussian", 0.0, 0.1))
    ]
    finding = Finding(
        candidate="a<b",
        task="click",
        slice=None,
        metric="auc",
        distilled=True,
        examples=10,
        positives=5,
        control=differences[0],
        placebos=differences[1:],
        verdict=Effect.NONE,
    )
    undefined = finding.model_copy(update={"task": "empty", "control": None, "placebos": [], "verdict": None})
    return ExperimentResult(
        surface="tiny",
        runs=["one"],
        seeds=5,
        settings=[],
        confidence=0.95,
        verdicts=1,
        clusters=None,
        tasks={"click": TaskKind.BINARY},
        arms=[],
        means=[],
        findings=[finding, undefined],
        small_slices=0,
        seconds=0.0,
    )


def test_every_defined_finding_is_drawn_against_every_arm(result):
    rows = [row for finding in result.findings for row in _rows(finding)]
    assert [(row["finding"], row["arm"], row["low"], row["high"]) for row in rows] == [
        ("a<b: click AUC: none", "minus control", -0.1, 0.1),
        ("a<b: click AUC: none", "minus shuffled", -0.05, 0.05),
        ("a<b: click AUC: none", "minus gaussian", 0.0, 0.1),
    ]


def test_the_plot_is_one_svg_without_scripts_or_links(result):
    root = ElementTree.fromstring(forest(result))
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("tiny: candidate minus another arm, 95% joint intervals, 5 seeds" in text for text in texts)
    assert "a<b: click AUC: none" in texts
    assert not any("empty" in text for text in texts)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert not list(root.iter("{http://www.w3.org/2000/svg}image"))


def test_lifts_are_drawn_beside_the_same_model():
    lift = Lift(
        metric="discovery",
        control=1.0,
        mean=0.02,
        low=0.01,
        high=0.03,
        p_value=0.01,
        replicates=[0.02],
        same_model=(0.0, -0.02, 0.02),
        same_model_held=20,
    )
    found = LiveResult(
        surface="radio", slates=9, people=3, pairs=[("a", "b")], confidence=0.95, draws=20, lifts=[lift], seconds=1.0
    )
    text = "".join(ElementTree.fromstring(lifts(found)).itertext())
    assert "radio: lift in percent, 95% joint intervals, 1 pairs" in text
    assert "student against control" in text
    assert "control against itself (A/A)" in text

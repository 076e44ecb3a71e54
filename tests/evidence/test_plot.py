from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from evidence.plot import forest
from evidence.result import Difference, ExperimentResult, Finding
from evidence.verdicts import Verdict
from schema.surface import TaskKind


def test_the_plot_is_an_svg_with_every_interval_in_its_place():
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
        verdict=Verdict.NONE,
    )
    undefined = finding.model_copy(update={"task": "empty", "control": None, "placebos": [], "verdict": None})
    result = ExperimentResult(
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
    root = ElementTree.fromstring(forest(result))
    space = {"svg": "http://www.w3.org/2000/svg"}
    bars = root.findall("svg:g/svg:line", space)
    assert [(line.get("x1"), line.get("x2")) for line in bars] == [
        ("300.0", "860.0"),
        ("440.0", "720.0"),
        ("580.0", "860.0"),
    ]
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a<b: click AUC" in texts
    assert not any("empty" in (text or "") for text in texts)

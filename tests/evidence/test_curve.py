from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from evidence import curve, data, plot
from evidence.curve import CurveResult, stops
from evidence.levels import Over
from evidence.paths import RunPaths
from evidence.verdicts import Effect
from schema.errors import InputError
from tests.evidence.conftest import SURFACE

PATHS = RunPaths("drawn", "", (), "")


@pytest.fixture(scope="module")
def result(knowing) -> CurveResult:
    """Really trained, on data that are drawn instead of read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", lambda *_: knowing)
        return _run(seeds=3)


def _run(seeds: int) -> CurveResult:
    return curve.run(
        SURFACE,
        PATHS,
        Over.NOISE,
        [0.0, 50.0],
        seeds=seeds,
        budget=1,
        confidence=0.95,
        clusters=None,
        progress=lambda _: None,
    )


def test_knowledge_ends_where_noise_drowns_it(result: CurveResult):
    verdicts = {(each.level, each.task): each.verdict for each in result.points}
    assert verdicts[0.0, "click"] is Effect.KNOWLEDGE
    assert verdicts[50.0, "click"] is not Effect.KNOWLEDGE
    assert result.verdicts == 4
    assert [each.level for each in result.points] == [0.0, 0.0, 50.0, 50.0]
    first = result.points[0]
    assert first.rows == 320
    assert first.difference.mean == pytest.approx(first.student - first.control)
    assert first.placebo.arm == "shuffled"
    assert stops(result)[0] == "click: of noise 0, 50, distillation pays at 0."


def test_the_json_reads_back(result: CurveResult):
    assert CurveResult.model_validate_json(result.model_dump_json()) == result


def test_the_plot_shows_all_tasks(result: CurveResult):
    text = "".join(ElementTree.fromstring(plot.curve(result)).itertext())
    assert "noise on the teacher's logits" in text
    assert "click AUC" in text


def test_one_seed_is_refused():
    with pytest.raises(InputError, match="needs two seeds or more"):
        _run(seeds=1)

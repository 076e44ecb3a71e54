from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from evidence import analysis, curve, data, plot
from evidence.analysis import Analysis
from evidence.choosing import Budget
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
        budget=Budget(settings=1, widen=0),
        confidence=0.95,
        clusters=None,
        margin=0.005,
        few=True,
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
    assert stops(result)[0].startswith("click: of noise 0, 50, distillation pays at 0; ")


def test_it_says_how_new_people_are_to_the_rows_that_choose(result: CurveResult, knowing):
    assert result.held_out_rows == []  # these data have no slice of people without a row
    apart = replace(knowing, slices={**knowing.slices, "user without a training row": np.arange(1500) < 900})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", lambda *_: apart)
        patch.setattr(curve, "_train", lambda *_: {})
        patch.setattr(analysis, "analyse", lambda *_: Analysis([], [], [], 0))
        (found,) = _run(seeds=2).held_out_rows
    assert (found.evaluation, found.last, found.unlike) == (0.6, False, True)
    assert 0 <= found.held_out < 0.2


def test_what_is_not_decided_is_not_called_paying(result: CurveResult):
    """Intervals of +-1 once closed with "distillation pays at 0.5", and said nothing of the other levels."""
    effects = [Effect.KNOWLEDGE, Effect.INCONCLUSIVE, Effect.REGULARISATION, Effect.HARM]
    points = [
        result.points[0].model_copy(update={"level": float(level), "verdict": effect})
        for level, effect in enumerate(effects)
    ]
    assert stops(result.model_copy(update={"points": points})) == [
        "click: of noise 0, 1, 2, 3, distillation pays at 0; does no more than noise at 2; harms at 3; "
        "is not decided at 1."
    ]


def test_the_json_reads_back(result: CurveResult):
    assert CurveResult.model_validate_json(result.model_dump_json()) == result


def test_the_plot_shows_all_tasks(result: CurveResult):
    text = "".join(ElementTree.fromstring(plot.curve(result)).itertext())
    assert "noise on the teacher's logits" in text
    assert "click AUC" in text


def test_one_seed_is_refused():
    with pytest.raises(InputError, match="needs two seeds or more"):
        _run(seeds=1)

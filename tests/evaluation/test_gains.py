from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from evaluation.gains import gains_of
from schema.errors import InputError
from schema.score import Score, parse
from tests.evaluation.evaluating import evaluate, metrics_of, surface_of, write_examples, write_model

NAN = float("nan")


def test_absent_labels_count_as_nothing_unless_all_are() -> None:
    labels = {"click": np.array([1.0, 0.0, NAN, 1.0]), "trail": np.array([2.0, NAN, NAN, NAN])}
    found = gains_of(parse("click * exp(weight * trail)"), labels, {"weight": 0.5})
    np.testing.assert_allclose(found, [np.e, 0, NAN, 1])


def test_a_constant_beside_a_task_counts_where_the_task_is_known() -> None:
    np.testing.assert_array_equal(gains_of(parse("click + 1"), {"click": np.array([NAN, 1.0])}, {}), [NAN, 2])


@pytest.mark.parametrize(("text", "shown"), [("click - 1", "-1"), ("1 / click", "inf"), ("log(click)", "-inf")])
def test_a_gain_is_a_number_from_0_up(text: str, shown: str) -> None:
    with pytest.raises(InputError, match=f"expected gains of 0 or more, found {shown} by"):
        gains_of(parse(text), {"click": np.array([1.0, 0.0])}, {})


def test_a_model_that_serves_no_score_yet_is_judged_by_the_formula(tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    rows = [
        {"user": int(place % 9), "clicked": int(rng.random() < 0.3), "p": float(np.float32(rng.random()))}
        for place in range(200)
    ]
    told = surface_of({"click": {"kind": "binary", "label": "clicked", "ungated": "for the test"}})
    surface = told.model_copy(update={"group": "user", "score": Score(formula="1 - click", gain="click")})
    student = write_model(tmp_path / "student", {"click": "p"})
    examples = write_examples(tmp_path / "examples", rows)
    found = metrics_of(evaluate(tmp_path, surface, examples, student))[()]
    assert found[("", "score", "mean_prediction")] == pytest.approx(1 - np.mean([row["p"] for row in rows]))


def test_the_score_is_judged_by_how_it_ranks_its_gains(tmp_path: Path) -> None:
    rng = np.random.default_rng(15)
    rows = [
        {
            "user": int(user),
            "clicked": int(rng.random() < 0.3),
            "found": int(rng.random() < 0.2) if user % 7 else None,
            **{column: float(np.float32(rng.random())) for column in ("p", "q", "s")},
            "new": int(user % 2),
        }
        for user in rng.permutation(np.repeat(np.arange(50), 12))
    ]
    tasks = {
        "click": {"kind": "binary", "label": "clicked", "ungated": "for the test"},
        "discovery": {"kind": "binary", "label": "found", "ungated": "for the test"},
    }
    told = surface_of(tasks, {"new": {"features": {"new": 1}}}).model_dump(mode="json", by_alias=True)
    gates = [{"metric": "ndcg_at_10", "at_least": 0.99}, {"metric": "mrr", "at_most": 0.01, "slice": "new"}]
    told |= {
        "group": "user",
        "score": {"formula": "click + discovery", "gain": "click + 2 * discovery", "gates": gates},
    }
    surface = type(surface_of(tasks)).model_validate(told)
    student = write_model(tmp_path / "student", {"click": "p", "discovery": "q", "score": "s"})
    examples = write_examples(tmp_path / "examples", rows)
    evaluation = evaluate(tmp_path, surface, examples, student)
    found = metrics_of(evaluation)

    def expected(kept: int | None) -> tuple[float, float]:
        ndcg, reciprocal = [], []
        for user in range(50):
            mine = [row for row in rows if row["user"] == user and kept in (None, row["new"])]
            gains = np.array([row["clicked"] + 2 * (row["found"] or 0) for row in mine], float)
            if len(mine) and gains.any():
                scores = np.array([row["s"] for row in mine])
                ndcg.append(ndcg_score([gains], [scores], k=10))
                reciprocal.append(1 / (1 + np.flatnonzero(gains[np.argsort(-scores)])[0]))
        return float(np.mean(ndcg)), float(np.mean(reciprocal))

    for key, kept in (((), None), ((("new", 1),), 1)):
        told_ndcg, told_mrr = expected(kept)
        assert found[key][("", "score", "ndcg_at_10")] == pytest.approx(told_ndcg, abs=1e-6)
        assert found[key][("", "score", "mrr")] == pytest.approx(told_mrr, abs=1e-6)
    assert found[()][("", "score", "labelled_examples")] == len(rows)
    assert found[()][("", "score", "mean_prediction")] == pytest.approx(np.mean([row["s"] for row in rows]))
    assert ("", "score", "auc") not in found[()]

    from evaluation import results

    read = results.read(evaluation.uri)
    assert {(each.bound.metric, each.bound.at_least, each.bound.at_most) for each in read.failures} == {
        ("ndcg_at_10", 0.99, None),
        ("mrr", None, 0.01),
    }

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import ndcg_score, r2_score, roc_auc_score
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from contracts.roles import ModelRole
from evaluation.labels import label_column, weight_column
from evaluation.scoring import groups_of
from evaluation.slice_finder import MOST_SLICES, SliceFinder
from evaluation.slices import slicing_spec
from schema.errors import InputError
from schema.slice import Slice
from tests.evaluation.evaluating import evaluate, evaluate_as_usual, metrics_of, surface_of, write_examples, write_model

Row = dict[str, Any]


def batch(**columns: list[list[Any] | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_labels_may_be_absent_in_every_way() -> None:
    rows = batch(click=[[1], None, [], [0]], trail=[None, None, [2.5], [float("nan")]], nothing=[None] * 4)
    np.testing.assert_array_equal(label_column(rows, "click"), [1, np.nan, np.nan, 0])
    np.testing.assert_array_equal(label_column(rows, "trail"), [np.nan, np.nan, 2.5, np.nan])
    np.testing.assert_array_equal(label_column(rows, "nothing"), [np.nan] * 4)
    np.testing.assert_array_equal(label_column(rows, "no_such_column"), [np.nan] * 4)


def test_a_label_is_one_number() -> None:
    with pytest.raises(InputError, match="label 'click': expected at most one value per example, found 2"):
        label_column(batch(click=[[1, 0]]), "click")
    with pytest.raises(InputError, match="label 'click': expected a number, found type string"):
        label_column(batch(click=[["yes"]]), "click")


def test_slices_are_those_of_tfma() -> None:
    rng = np.random.default_rng(6)
    rows = batch(
        shelf=[[int(value)] if value < 5 else None for value in rng.integers(0, 6, 200)],
        familiar=[[float(value)] for value in rng.integers(0, 2, 200)],
        tags=[[str(tag) for tag in rng.choice(["a", "b", "c"], size)] for size in rng.integers(0, 3, 200)],
    )
    specs = [
        config_pb2.SlicingSpec(),
        config_pb2.SlicingSpec(feature_values={"familiar": "1"}),
        config_pb2.SlicingSpec(feature_keys=["shelf"], feature_values={"familiar": "0"}),
        config_pb2.SlicingSpec(feature_keys=["tags"]),
    ]
    expected: dict[Any, list[int]] = {}
    for index, row in enumerate(rows.to_pylist()):
        features = {name: np.array(values) for name, values in row.items() if values}
        keys = slicer_lib.get_slices_for_features_dicts(
            [], features, [slicer_lib.SingleSliceSpec(spec=spec) for spec in specs]
        )
        for key in set(keys):
            expected.setdefault(key, []).append(index)
    found = SliceFinder(specs).rows_by_slice(rows)
    assert {key: list(indices) for key, indices in found.items()} == expected
    assert len(expected) == 1 + 1 + 5 + 3


def test_without_slices_there_is_the_overall_one() -> None:
    found = SliceFinder([]).rows_by_slice(batch(x=[[1.0], [2.0]]))
    assert {key: list(rows) for key, rows in found.items()} == {(): [0, 1]}


@pytest.mark.parametrize(
    ("value", "column"), [("3", [["3"], ["4"]]), (0.1, [[np.float32(0.1)], [np.float32(0.2)]]), (3, [[3.0], [4.0]])]
)
def test_a_slice_value_finds_its_examples(value: Any, column: list[Any]) -> None:
    kind = pa.list_(pa.string() if isinstance(value, str) else pa.float32())
    rows = pa.RecordBatch.from_arrays([pa.array(column, kind)], ["feature"])
    spec = slicing_spec("part", Slice(features={"feature": value}))
    ((key, indices),) = SliceFinder([spec]).rows_by_slice(rows).items()
    assert list(indices) == [0]
    assert slicer_lib.SingleSliceSpec(spec=spec).is_slice_applicable(key)


def test_a_slice_value_that_tfma_would_misread_is_refused() -> None:
    with pytest.raises(InputError, match=r"slices.part.features.zip: TFMA reads '0815' as the number 815"):
        slicing_spec("part", Slice(features={"zip": "0815"}))


def test_groups_are_equal_where_their_values_are() -> None:
    rows = batch(user=[[7], [8], [7], None, None])
    found = groups_of(rows, "user", [b"a", b"b", b"c", b"d", b"e"])
    assert found[0] == found[2]
    assert len(set(found)) == 4
    assert found.min() >= 0
    alone = groups_of(rows, None, [b"a", b"b", b"a", b"d", b"e"])
    assert alone[0] == alone[2]
    assert len(set(alone)) == 4


def test_ndcg_over_groups_that_are_spread_over_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    rows = [
        {"user": int(user), "clicked": int(rng.random() < 0.3), "p": float(rng.random())}
        for user in rng.permutation(np.repeat(np.arange(60), 12))
    ]
    surface = surface_of({"click": {"kind": "binary", "label": "clicked", "ungated": "for the test"}})
    surface = surface.model_copy(update={"group": "user"})
    examples = write_examples(tmp_path / "examples", rows)
    student = write_model(tmp_path / "student", {"click": "p"})
    found = metrics_of(evaluate(tmp_path, surface, examples, student))[()][("", "click", "ndcg_at_10")]
    users = [[row for row in rows if row["user"] == user] for user in range(60)]
    expected = [
        ndcg_score([[row["clicked"] for row in of_user]], [[row["p"] for row in of_user]], k=10)
        for of_user in users
        if any(row["clicked"] for row in of_user)
    ]
    assert found == pytest.approx(np.mean(expected), abs=1e-6)


def test_metrics_weigh_examples_where_the_surface_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    rows: list[Row] = [
        {
            "user": int(user),
            "clicked": int(rng.random() < 0.4),
            "p": float(np.float32(rng.random())),
            "q": float(np.float32(rng.random())),
            "w": None if user == 3 else float(np.float32(rng.uniform(0, 3))),
        }
        for user in rng.permutation(np.repeat(np.arange(40), 10))
    ]
    surface = surface_of({"click": {"kind": "binary", "label": "clicked", "ungated": "for the test"}})
    told = {"group": "user", "weight_column": "w", "weighted_evaluation": True}
    examples = write_examples(tmp_path / "examples", rows)
    models = [write_model(tmp_path / column, {"click": column}, ident) for ident, column in enumerate("pq", 1)]
    found = metrics_of(evaluate(tmp_path, surface.model_copy(update=told), examples, *models))[()]

    labels, weights = [row["clicked"] for row in rows], [1.0 if row["w"] is None else row["w"] for row in rows]
    aucs = [roc_auc_score(labels, [row[column] for row in rows], sample_weight=weights) for column in "pq"]
    assert found[("candidate", "click", "auc")] == pytest.approx(aucs[0], abs=1e-4)
    assert found[("candidate", "click", "auc", "diff")] == pytest.approx(aucs[0] - aucs[1], abs=1e-4)
    assert found[("candidate", "click", "mean_label")] == pytest.approx(np.average(labels, weights=weights))
    assert found[("candidate", "click", "labelled_examples")] == len(rows)
    of_users, counts = [], []
    for user in range(40):
        mine = [place for place, row in enumerate(rows) if row["user"] == user]
        if 0 < sum(labels[place] for place in mine) < len(mine):
            told_of = ([each[place] for place in mine] for each in (labels, [row["p"] for row in rows], weights))
            truth, said, weighed = told_of
            of_users.append(roc_auc_score(truth, said, sample_weight=weighed))
            counts.append(sum(weighed))
    assert found[("candidate", "click", "grouped_auc")] == pytest.approx(np.average(of_users, weights=counts), abs=1e-6)


def test_slices_by_buckets_and_most_frequent_values_and_their_crosses(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    cities = ["oslo", "rome", "bonn", "bern"]
    rows: list[Row] = [
        {
            "clicked": int(rng.random() < 0.5),
            "p": float(np.float32(rng.random())),
            "city": str(rng.choice(cities, p=[0.5, 0.3, 0.15, 0.05])) if place % 9 else None,
            "age": float(rng.integers(10, 60)) if place % 7 else None,
        }
        for place in range(2000)
    ]
    slices = {
        "age": {"buckets": {"age": [18, 40]}},
        "city": {"most_frequent": {"city": 2}},
        "both": {"buckets": {"age": [18, 40]}, "most_frequent": {"city": 2}},
        "rome": {"features": {"city": "rome"}, "buckets": {"age": [18, 40]}},
    }
    surface = surface_of({"click": {"kind": "binary", "label": "clicked", "ungated": "for the test"}}, slices)
    student = write_model(tmp_path / "student", {"click": "p"})
    found = metrics_of(evaluate(tmp_path, surface, write_examples(tmp_path / "examples", rows), student))

    def bucket(age: float) -> str:
        return "under 18" if age < 18 else "18 to under 40" if age < 40 else "40 or more"

    expected: Counter[Any] = Counter({(): len(rows)})
    for row in rows:
        age = () if row["age"] is None else (("age (bucket)", bucket(row["age"])),)
        kept = row["city"] if row["city"] in ("oslo", "rome") else "others"
        city = () if row["city"] is None else (("city (top 2)", kept),)
        for key in {age, city, age + city} - {()}:
            expected[key] += 1
        if row["city"] == "rome" and age:
            expected[(*age, ("city", "rome"))] += 1
    counts = {tuple(sorted(key)): each[("", "click", "labelled_examples")] for key, each in found.items()}
    assert counts == {tuple(sorted(key)): count for key, count in expected.items()}
    assert len(counts) == 1 + 3 + 3 + 9 + 3


def test_labels_are_derived_where_the_surface_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    rows: list[Row] = [
        {"rating": int(rng.integers(1, 6)) if place % 5 else None, "p": float(np.float32(rng.random()))}
        for place in range(300)
    ]
    tasks = {
        "like": {"kind": "binary", "label": "rating", "positive": {"at_least": 4}, "ungated": "for the test"},
        "hate": {"kind": "binary", "label": "rating", "positive": {"any_of": [1]}, "ungated": "for the test"},
        "rating": {"kind": "regression", "label": "rating", "clip": {"min": 2}, "ungated": "for the test"},
    }
    student = write_model(tmp_path / "student", dict.fromkeys(tasks, "p"))
    examples = write_examples(tmp_path / "examples", rows)
    found = metrics_of(evaluate(tmp_path, surface_of(tasks), examples, student))[()]

    known = [row for row in rows if row["rating"] is not None]
    said = [row["p"] for row in known]
    like, hate = [row["rating"] >= 4 for row in known], [row["rating"] == 1 for row in known]
    assert found[("", "like", "labelled_examples")] == len(known) == 240
    assert found[("", "like", "auc")] == pytest.approx(roc_auc_score(like, said), abs=1e-4)
    assert found[("", "hate", "auc")] == pytest.approx(roc_auc_score(hate, said), abs=1e-4)
    assert found[("", "hate", "positives")] == sum(hate)
    assert found[("", "rating", "mean_label")] == pytest.approx(np.mean([max(row["rating"], 2) for row in known]))


@pytest.mark.parametrize("weighted", [False, True])
def test_calibration_is_judged_as_if_no_negative_had_been_left_out(tmp_path: Path, weighted: bool) -> None:
    """A model that knows the true probabilities is calibrated, although nine of ten negatives are gone."""
    rng = np.random.default_rng(16)
    rows: list[Row] = []
    while len(rows) < 4000:
        p = float(np.float32(rng.uniform(0.01, 0.2)))
        clicked = int(rng.random() < p)
        if clicked or rng.random() < 0.1:
            rows.append({"clicked": clicked, "shown": clicked, "p": p, "w": 2.0})
    tasks = {
        "click": {"kind": "binary", "label": "clicked", "sampled": {"negatives": 0.1}, "ungated": "for the test"},
        "raw": {"kind": "binary", "label": "shown", "ungated": "for the test"},
    }
    told = {"weight_column": "w", "weighted_evaluation": True} if weighted else {}
    surface = surface_of(tasks).model_copy(update=told)
    student = write_model(tmp_path / "student", {"click": "p", "raw": "p"})
    found = metrics_of(evaluate(tmp_path, surface, write_examples(tmp_path / "examples", rows), student))[()]
    assert found[("", "click", "calibration")] == pytest.approx(1, abs=0.08)
    assert found[("", "raw", "calibration")] < 0.3
    assert found[("", "click", "auc")] == pytest.approx(found[("", "raw", "auc")], abs=1e-6)
    assert found[("", "click", "positives")] == sum(row["clicked"] for row in rows)


def test_a_weight_is_a_number_from_0_up() -> None:
    np.testing.assert_array_equal(weight_column(batch(w=[[2.0], None, [0.0]]), "w"), [2, 1, 0])
    np.testing.assert_array_equal(weight_column(batch(v=[[1]]), "w"), [1])
    with pytest.raises(InputError, match="weight_column 'w': expected finite numbers from 0 up, found -1"):
        weight_column(batch(w=[[2.0], [-1.0]]), "w")


SURFACE = surface_of(
    {
        "click": {"kind": "binary", "label": "clicked", "gates": [{"metric": "auc", "at_least": 0.5}]},
        "trail": {"kind": "regression", "label": "minutes", "ungated": "for the test"},
    },
    {"new": {"features": {"new": 1}}, "city": {"features": {"city": None}}},
)


def world(rows: int) -> list[Row]:
    """Clicks absent from a fifth of the rows, minutes wherever there was no click."""
    rng = np.random.default_rng(7)
    made = []
    for index in range(rows):
        signal = rng.normal()
        clicked = int(rng.random() < 1 / (1 + np.exp(1 - signal)))
        row = {"p": 1 / (1 + np.exp(2 - signal)), "q": rng.random(), "m": 3 + 0.7 * signal}
        row |= {"clicked": None if index % 5 == 0 else clicked, "minutes": None, "new": int(index % 3 == 0)}
        row["minutes"] = float(3 + signal + rng.normal()) if clicked else None
        made.append({**row, "city": "ab"[index % 2]})
    return made


def expected(rows: list[Row], prediction: str) -> dict[str, float]:
    labelled = [row for row in rows if row["clicked"] is not None]
    timed = [row for row in rows if row["minutes"] is not None]
    return {
        "auc": roc_auc_score([row["clicked"] for row in labelled], [row[prediction] for row in labelled]),
        "positives": sum(row["clicked"] for row in labelled),
        "labelled clicks": len(labelled),
        "r2": r2_score([row["minutes"] for row in timed], [row["m"] for row in timed]),
        "labelled minutes": len(timed),
    }


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return world(600)


@pytest.fixture(scope="module")
def metrics(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    root = tmp_path_factory.mktemp("two_models")
    examples = write_examples(root / "examples", rows)
    student = write_model(root / "student", {"click": "p", "trail": "m"})
    other = write_model(root / "other", {"click": "q", "trail": "m"})
    return metrics_of(evaluate(root, SURFACE, examples, student, other))


@pytest.mark.parametrize(
    ("key", "belongs"),
    [
        ((), lambda row: True),
        ((("new", 1),), lambda row: row["new"] == 1),
        ((("city", "a"),), lambda row: row["city"] == "a"),
        ((("city", "b"),), lambda row: row["city"] == "b"),
    ],
)
@pytest.mark.parametrize(("model", "prediction"), [("candidate", "p"), ("baseline", "q")])
def test_metrics_equal_scikit_learn(
    key: Any, belongs: Any, model: str, prediction: str, rows: list[Row], metrics: dict[Any, Any]
) -> None:
    should = expected([row for row in rows if belongs(row)], prediction)
    found = metrics[key]
    assert found[(model, "click", "auc")] == pytest.approx(should["auc"], abs=1e-4)
    assert found[(model, "click", "positives")] == should["positives"]
    assert found[(model, "click", "labelled_examples")] == should["labelled clicks"]
    assert found[(model, "trail", "r2")] == pytest.approx(should["r2"], abs=1e-6)
    assert found[(model, "trail", "labelled_examples")] == should["labelled minutes"]


def test_changes_are_candidate_less_baseline(metrics: dict[Any, Any]) -> None:
    assert set(metrics) == {(), (("new", 1),), (("city", "a"),), (("city", "b"),)}
    for found in metrics.values():
        candidate, baseline = found[("candidate", "click", "auc")], found[("baseline", "click", "auc")]
        assert found[("candidate", "click", "auc", "diff")] == pytest.approx(candidate - baseline)
        assert found[("candidate", "trail", "r2", "diff")] == 0.0


def test_agrees_with_tfma_where_tfma_can_tell(rows: list[Row], tmp_path: Path) -> None:
    """TFX's Evaluator with TFMA's own AUC, calibration and extractors, on rows whose label is there."""
    surface = surface_of({"click": {"kind": "binary", "label": "clicked", "ungated": "for the test"}})
    examples = write_examples(tmp_path / "examples", [row for row in rows if row["clicked"] is not None])
    models = [write_model(tmp_path / column, {"click": column}, ident) for ident, column in enumerate("pq", 1)]
    plain = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(signature_name="serving_default", label_key="clicked")],
        metrics_specs=[config_pb2.MetricsSpec(metrics=[{"class_name": "AUC"}, {"class_name": "Calibration"}])],
    )
    found = metrics_of(evaluate(tmp_path / "ours", surface, examples, *models))[()]
    tfma = metrics_of(evaluate_as_usual(tmp_path / "tfma", plain, examples, *models))[()]
    for model in ("candidate", "baseline"):
        assert found[(model, "click", "auc")] == pytest.approx(tfma[(model, "", "auc")], abs=1e-4)
        assert found[(model, "click", "calibration")] == pytest.approx(tfma[(model, "", "calibration")], abs=1e-6)
    assert found[("candidate", "click", "auc", "diff")] == pytest.approx(
        tfma[("candidate", "", "auc", "diff")], abs=1e-4
    )


def test_a_model_without_an_output_for_a_task_is_refused(tmp_path: Path) -> None:
    examples = write_examples(tmp_path / "examples", world(10))
    student = write_model(tmp_path / "student", {"click": "p"})
    with pytest.raises(Exception, match=r"the student, .* expected an output for task 'trail', found click"):
        evaluate(tmp_path, SURFACE, examples, student)
    whole = write_model(tmp_path / "whole", {"click": "p", "trail": "m"})
    with pytest.raises(Exception, match=r"the control, .* expected an output for task 'trail', found click"):
        evaluate(tmp_path, SURFACE, examples, whole, student, ModelRole.CONTROL)


def test_a_feature_with_very_many_values_is_no_slice() -> None:
    spec = config_pb2.SlicingSpec(feature_keys=["item"])
    finder = SliceFinder([config_pb2.SlicingSpec(), spec])
    finder.rows_by_slice(batch(item=[[value] for value in range(MOST_SLICES - 1)]))
    said = r"slices: item: expected at most 1,000 slices in the evaluation data, found more, 1,00\d of them by this"
    with pytest.raises(InputError, match=said):
        finder.rows_by_slice(batch(item=[[value] for value in range(MOST_SLICES - 1, MOST_SLICES + 9)]))


@pytest.mark.parametrize(
    ("outputs", "undefined"),
    [({"click": "q"}, {"trail"}), ({"click": "q", "trail": "gone"}, {"click", "trail"})],
    ids=["a task that it does not know", "a column that is gone"],
)
def test_what_serves_may_be_of_another_surface(
    outputs: dict[str, str], undefined: set[str], rows: list[Row], tmp_path: Path
) -> None:
    """Its metrics are not defined where it cannot be asked, and the student's are."""
    examples = write_examples(tmp_path / "examples", rows[:200])
    student = write_model(tmp_path / "student", {"click": "p", "trail": "m"})
    served = write_model(tmp_path / "served", outputs)
    found = metrics_of(evaluate(tmp_path, SURFACE, examples, student, served))[()]
    for task, metric in (("click", "auc"), ("trail", "r2")):
        assert np.isfinite(found[("candidate", task, metric)])
        assert np.isnan(found[("baseline", task, metric)]) == (task in undefined)
        assert np.isnan(found[("candidate", task, metric, "diff")]) == (task in undefined)

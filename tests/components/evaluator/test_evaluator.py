"""One pass compares the student with both others, as two would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfx.types import standard_artifacts

from components.evaluator.component import Evaluator
from components.evaluator.executor import Executor
from contracts.roles import ModelRole
from evaluation import results, scoring
from schema.errors import InputError
from tests.evaluation.evaluating import evaluate, metrics_of, run_evaluator, surface_of, write_examples, write_model

EVALUATION, CONTROL_EVALUATION = "evaluation", "control_evaluation"
GATES = [
    {"metric": "auc", "at_least": 0.7, "vs_control": {"at_least": 0.9}, "vs_last_blessed": {"at_least": -0.9}},
]
SURFACE = surface_of(
    {"click": {"kind": "binary", "label": "clicked", "gates": GATES}},
    {"city": {"features": {"city": None}}, "top": {"most_frequent": {"city": 2}}},
).model_copy(update={"group": "user"})


def examples(folder: Path) -> standard_artifacts.Examples:
    rng = np.random.default_rng(5)
    rows = [
        {
            "user": int(rng.integers(0, 90)),
            "clicked": int(rng.random() < 0.4) if place % 11 else None,
            "city": "abc"[place % 3] if place % 5 else None,
            **{column: float(np.float32(rng.random())) for column in "pqr"},
        }
        for place in range(1000)
    ]
    return write_examples(folder, rows)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    root = tmp_path_factory.mktemp("evaluator")
    roles = zip(("model", "control", "baseline_model"), "pqr", strict=True)
    models = {key: [write_model(root / column, {"click": column})] for key, column in roles}
    return {"examples": [examples(root / "examples")], **models}


@pytest.fixture(scope="module")
def asked() -> Counter[ModelRole]:
    """How often each model was asked by `together`."""
    return Counter()


@pytest.fixture(scope="module")
def together(
    inputs: dict[str, list[Any]], asked: Counter[ModelRole], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    predict = scoring.ScoreSlices._predict

    def counted(self: Any, role: ModelRole, *rest: Any) -> Any:
        asked[role] += 1
        return predict(self, role, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring.ScoreSlices, "_predict", counted)
        root = tmp_path_factory.mktemp("together")
        return run_evaluator(root, SURFACE, inputs, EVALUATION, CONTROL_EVALUATION)


@pytest.fixture
def apart(inputs: dict[str, list[Any]], tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Each comparison by itself, of few rows at a time."""
    given = (inputs["examples"][0], inputs["model"][0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.evaluator.executor._BATCH", 100)
        patch.setattr(scoring, "_ROWS", 300)
        yield {
            EVALUATION: evaluate(tmp_path, SURFACE, *given, inputs["baseline_model"][0]),
            CONTROL_EVALUATION: evaluate(tmp_path, SURFACE, *given, inputs["control"][0], ModelRole.CONTROL),
        }


def test_both_comparisons_are_what_they_are_by_themselves(together: dict[str, Any], apart: dict[str, Any]) -> None:
    for key, alone in apart.items():
        found, expected = metrics_of(together[key]), metrics_of(alone)
        assert len(expected) == 1 + 3 + 3
        assert found.keys() == expected.keys()
        for part, metrics in expected.items():
            assert found[part] == pytest.approx(metrics, abs=1e-12, nan_ok=True)


def test_student_and_others_are_told_apart(together: dict[str, Any]) -> None:
    last, control = (metrics_of(together[key])[()] for key in (EVALUATION, CONTROL_EVALUATION))
    auc = ("click", "auc")
    assert last["candidate", *auc] == control["candidate", *auc]
    assert last["baseline", *auc] != control["baseline", *auc]
    for each in (last, control):
        assert each["candidate", *auc, "diff"] == pytest.approx(each["candidate", *auc] - each["baseline", *auc])


def test_each_comparison_has_its_own_thresholds_and_models(
    together: dict[str, Any], inputs: dict[str, list[Any]]
) -> None:
    last, control = (results.read(together[key].uri) for key in (EVALUATION, CONTROL_EVALUATION))
    # An AUC of about one half is below .7, and not .9 above the control's; it is within .9 of what serves.
    assert [(each.bound.metric, each.bound.change) for each in last.failures] == [("auc", False)]
    assert [(each.bound.metric, each.bound.change) for each in control.failures] == [("auc", True)]
    assert last.has_baseline
    assert last.model == control.model == f"{inputs['model'][0].uri}/Format-Serving"


def test_each_model_is_asked_once_a_batch(together: dict[str, Any], asked: Counter[ModelRole]) -> None:
    assert together
    assert asked == {ModelRole.STUDENT: 1, ModelRole.CONTROL: 1, ModelRole.LAST_BLESSED: 1}


def test_where_nothing_serves_the_student_is_evaluated_by_itself(
    inputs: dict[str, list[Any]], together: dict[str, Any], tmp_path: Path
) -> None:
    without = {**inputs, "baseline_model": []}
    found = run_evaluator(tmp_path, SURFACE, without, EVALUATION, CONTROL_EVALUATION)
    assert not results.read(found[EVALUATION].uri).has_baseline
    auc = metrics_of(together[EVALUATION])[()]["candidate", "click", "auc"]
    assert metrics_of(found[EVALUATION])[()]["", "click", "auc"] == auc
    control, expected = (metrics_of(each[CONTROL_EVALUATION])[()] for each in (found, together))
    assert control == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    rows = examples(tmp_path / "examples")
    file = tmp_path / "examples" / "Split-eval" / "data-00000-of-00001.gz"
    file.write_bytes(file.read_bytes()[:-20])
    student = write_model(tmp_path / "student", {"click": "p"})
    with pytest.raises(InputError, match=r"data-00000-of-00001\.gz"):
        evaluate(tmp_path, SURFACE, rows, student)


def test_the_component_wants_a_surface() -> None:
    assert Evaluator.EXECUTOR_SPEC.executor_class is Executor
    with pytest.raises(InputError, match="Evaluator: surface"):
        Evaluator(examples=None, model=None, control=None, surface="{}")

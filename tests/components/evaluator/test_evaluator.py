"""Evaluator finds what TFX's finds, by reading in batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfx.components.evaluator import component
from tfx.components.evaluator import executor as usual
from tfx.types import standard_artifacts

from components.evaluator.component import Evaluator
from components.evaluator.executor import Executor
from contracts.roles import ModelRole
from evaluation import extractors
from pipeline.eval_config import eval_config
from schema.errors import InputError
from tests.evaluation.evaluating import evaluate, metrics_of, surface_of, write_examples, write_model

SURFACE = surface_of(
    {"click": {"kind": "binary", "label": "clicked", "gates": [{"metric": "auc", "at_least": 0.5}]}},
    {"city": {"features": {"city": None}}, "top": {"most_frequent": {"city": 2}}},
).model_copy(update={"group": "user"})


def examples(folder: Path) -> standard_artifacts.Examples:
    rng = np.random.default_rng(5)
    rows = [
        {
            "user": int(rng.integers(0, 90)),
            "clicked": int(rng.random() < 0.4) if place % 11 else None,
            "city": "abc"[place % 3] if place % 5 else None,
            "p": float(np.float32(rng.random())),
            "q": float(np.float32(rng.random())),
        }
        for place in range(1000)
    ]
    return write_examples(folder, rows)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[Any, Any]]:
    """Metrics by TFX's executor, by ours, and by ours with 300 rows at a time."""
    root = tmp_path_factory.mktemp("evaluator")
    rows, config = examples(root / "examples"), eval_config(SURFACE, ModelRole.LAST_BLESSED)
    models = [write_model(root / column, {"click": column}, ident) for ident, column in enumerate("pq", 1)]
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in (("usual", usual.Executor), ("ours", Executor), ("in parts", Executor)):
            if name == "in parts":
                patch.setattr("components.evaluator.executor._BATCH", 100)
                patch.setattr(extractors, "_ROWS", 300)
            made[name] = metrics_of(evaluate(root / name, config, rows, *models, kind=kind))
    return made


@pytest.mark.parametrize("name", ["ours", "in parts"])
def test_metrics_are_those_of_tfx(found: dict[str, dict[Any, Any]], name: str) -> None:
    assert len(found["usual"]) == 1 + 3 + 3
    assert found[name].keys() == found["usual"].keys()
    for key, metrics in found["usual"].items():
        assert found[name][key] == pytest.approx(metrics, abs=1e-12, nan_ok=True)


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    rows = examples(tmp_path / "examples")
    file = tmp_path / "examples" / "Split-eval" / "data-00000-of-00001.gz"
    file.write_bytes(file.read_bytes()[:-20])
    student = write_model(tmp_path / "student", {"click": "p"})
    with pytest.raises(InputError, match=r"data-00000-of-00001\.gz"):
        evaluate(tmp_path, eval_config(SURFACE, ModelRole.LAST_BLESSED), rows, student, kind=Executor)


def test_the_component_is_tfx_s_with_this_executor() -> None:
    assert issubclass(Evaluator, component.Evaluator)
    assert Evaluator.EXECUTOR_SPEC.executor_class is Executor

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

import schema
from contracts.roles import ModelRole
from evaluation.config import eval_config, evaluated, slicing_specs
from evaluation.registry import COMPUTATIONS, PLOTS
from schema.base import TaskKind
from schema.errors import InputError
from schema.loader import load_surface
from schema.metrics import metrics_of
from schema.serving import Serving
from schema.surface import Surface
from schema.training import Training

SURFACE = Surface.model_validate(
    {
        "name": "tiny",
        "features": {"x": {"kind": "numeric"}},
        "tasks": {
            "click": {
                "kind": "binary",
                "label": "clicked",
                "gates": [
                    {
                        "metric": "auc",
                        "at_least": 0.6,
                        "vs_last_blessed": {"at_least": -0.01},
                        "vs_control": {"at_least": 0.002},
                    },
                    {"metric": "auc", "slice": "new", "at_least": 0.5, "min_examples": 300, "min_positives": 30},
                ],
            },
            "trail": {
                "kind": "regression",
                "label": "minutes",
                "gates": [{"metric": "r2", "slice": "shelf", "vs_last_blessed": {"at_least": -0.02}}],
            },
            "skip": {"kind": "binary", "label": "skipped", "ungated": "only watched"},
        },
        "slices": {"new": {"features": {"new_release": 1}}, "shelf": {"features": {"shelf": None, "device": "tv"}}},
    }
)


def metric(config: config_pb2.EvalConfig, task: str, class_name: str) -> config_pb2.MetricConfig:
    (spec,) = [spec for spec in config.metrics_specs if list(spec.output_names) == [task]]
    (found,) = [one for one in spec.metrics if one.class_name == class_name]
    return found


def bounds(config: config_pb2.MetricConfig) -> list[tuple[config_pb2.SlicingSpec, str, float]]:
    """(slice, kind, bound) of each threshold."""
    found = []
    for one in config.per_slice_thresholds:
        (spec,) = one.slicing_specs
        if one.threshold.HasField("value_threshold"):
            assert not one.threshold.value_threshold.HasField("upper_bound")
            found.append((spec, "value", one.threshold.value_threshold.lower_bound.value))
        if one.threshold.HasField("change_threshold"):
            assert one.threshold.change_threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER
            assert not one.threshold.change_threshold.HasField("relative")
            found.append((spec, "change", one.threshold.change_threshold.absolute.value))
    return found


OVERALL = config_pb2.SlicingSpec()
NEW = config_pb2.SlicingSpec(feature_values={"new_release": "1"})
SHELF = config_pb2.SlicingSpec(feature_keys=["shelf"], feature_values={"device": "tv"})


def test_the_model_is_named_once_and_labels_are_by_task() -> None:
    (spec,) = eval_config(SURFACE, ModelRole.LAST_BLESSED).model_specs
    assert spec.signature_name == "serving_default"
    assert spec.name == ""
    assert dict(spec.label_keys) == {"click": "clicked", "trail": "minutes", "skip": "skipped"}


def test_slices_are_the_overall_one_and_the_surfaces() -> None:
    config = eval_config(SURFACE, ModelRole.CONTROL)
    assert list(config.slicing_specs) == [OVERALL, NEW, SHELF]
    assert slicing_specs(SURFACE) == {"new": NEW, "shelf": SHELF}


def test_bounds_against_the_last_blessed_model() -> None:
    config = eval_config(SURFACE, ModelRole.LAST_BLESSED)
    assert bounds(metric(config, "click", "RocAuc")) == [
        (OVERALL, "value", 0.6),
        (OVERALL, "change", -0.01),
        (NEW, "value", 0.5),
    ]
    assert bounds(metric(config, "trail", "R2")) == [(SHELF, "change", -0.02)]
    assert bounds(metric(config, "skip", "RocAuc")) == []


def test_bounds_against_the_control() -> None:
    config = eval_config(SURFACE, ModelRole.CONTROL)
    assert bounds(metric(config, "click", "RocAuc")) == [(OVERALL, "change", 0.002)]
    assert bounds(metric(config, "trail", "R2")) == []


@pytest.mark.parametrize("baseline", list(ModelRole))
def test_no_threshold_holds_for_every_slice_unasked(baseline: ModelRole) -> None:
    for spec in eval_config(SURFACE, baseline).metrics_specs:
        assert not spec.thresholds
        assert not spec.per_slice_thresholds
        for one in spec.metrics:
            assert not one.HasField("threshold")


def test_tfma_resolves_metrics_and_thresholds() -> None:
    config = tfma.utils.update_eval_config_with_defaults(
        eval_config(SURFACE, ModelRole.LAST_BLESSED), has_baseline=True, rubber_stamp=True
    )
    tfma.utils.verify_eval_config(config)
    thresholds = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, eval_config=config)
    auc = metric_types.MetricKey("auc", model_name="candidate", output_name="click")
    r2 = metric_types.MetricKey("r2", model_name="candidate", output_name="trail")
    mine = {key: [spec for spec, _ in found] for key, found in thresholds.items() if key.model_name == "candidate"}
    assert mine == {auc: [OVERALL, NEW], auc.make_diff_key(): [OVERALL], r2.make_diff_key(): [SHELF]}


def test_on_the_first_run_absolute_bounds_stay() -> None:
    config = tfma.utils.update_eval_config_with_defaults(
        eval_config(SURFACE, ModelRole.LAST_BLESSED), has_baseline=False, rubber_stamp=True
    )
    assert [spec.name for spec in config.model_specs] == [""]
    assert bounds(metric(config, "click", "RocAuc")) == [(OVERALL, "value", 0.6), (NEW, "value", 0.5)]


def test_metrics_by_kind_of_task() -> None:
    config = eval_config(SURFACE, ModelRole.CONTROL)
    names = {spec.output_names[0]: {one.class_name for one in spec.metrics} for spec in config.metrics_specs}
    common = {"LabelledExamples", "LabelMean", "PredictionMean", "CalibrationRatio", "CalibrationCurve"}
    assert {"RocAuc", "Positives", "BrierScore"} | common <= names["click"]
    assert {"R2", "SquaredError"} | common <= names["trail"]
    assert not {"RocAuc", "Positives"} & names["trail"]
    assert "R2" not in names["click"]
    plots = [each.class_name for each in PLOTS]
    for task, kind in (("click", TaskKind.BINARY), ("trail", TaskKind.REGRESSION)):
        found = [COMPUTATIONS[each.name].class_name for each in metrics_of(kind, grouped=False)]
        assert names[task] == {*found, *plots}


def named(config: config_pb2.EvalConfig, place: int) -> set[str]:
    """The metrics of groups among those of the task in this place."""
    found = [json.loads(one.config) for one in config.metrics_specs[place].metrics if one.class_name == "GroupMetric"]
    assert all(each["group"] == "request_id" for each in found)
    return {each["name"] for each in found}


def test_a_group_adds_ranking_metrics() -> None:
    assert named(eval_config(SURFACE, ModelRole.CONTROL), 0) == set()
    config = eval_config(SURFACE.model_copy(update={"group": "request_id"}), ModelRole.CONTROL)
    assert named(config, 0) == {"grouped_auc", "ndcg_at_10", "mrr", "recall_at_10"}
    assert named(config, 1) == {"grouped_spearman"}


def test_our_metrics_are_not_taken_for_tfmas_of_the_same_name() -> None:
    """TFMA prefers a registered class over the one in the module that the config names."""
    config = eval_config(SURFACE, ModelRole.CONTROL)
    ours = {one.class_name for spec in config.metrics_specs for one in spec.metrics}
    assert not ours & set(metric_types.registered_metrics())


def test_a_slice_value_that_tfma_cannot_express() -> None:
    surface = Surface.model_validate(
        {
            "name": "tiny",
            "features": {"x": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary", "label": "clicked", "ungated": "for the test"}},
            "slices": {"zip": {"features": {"zip": "0815"}}},
        }
    )
    with pytest.raises(InputError, match=r"slices\.zip\.features\.zip"):
        eval_config(surface, ModelRole.CONTROL)


SHIPPED = [load_surface(path.parent).surface for path in sorted(Path(schema.__path__[0]).glob("*/surface.yaml"))]


@pytest.mark.parametrize("surface", [SURFACE, *SHIPPED], ids=lambda surface: surface.name)
def test_what_an_evaluation_depends_on_is_a_surface_that_evaluates_alike(surface: Surface) -> None:
    found = Surface.model_validate_json(evaluated(surface).model_dump_json(by_alias=True))
    assert found == evaluated(surface)
    for baseline in (ModelRole.CONTROL, ModelRole.LAST_BLESSED):
        assert eval_config(found, baseline) == eval_config(surface, baseline)


def with_gate(**changes: Any) -> Surface:
    click = SURFACE.tasks["click"]
    gates = (click.gates[0].model_copy(update=changes), *click.gates[1:])
    return SURFACE.model_copy(update={"tasks": {**SURFACE.tasks, "click": click.model_copy(update={"gates": gates})}})


def ungated(words: str) -> Surface:
    skip = SURFACE.tasks["skip"].model_copy(update={"ungated": words})
    return SURFACE.model_copy(update={"tasks": {**SURFACE.tasks, "skip": skip}})


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        (ungated("in other words"), False),
        (with_gate(min_examples=70), False),
        (SURFACE.model_copy(update={"serving": Serving(max_size_mb=3.0)}), False),
        (SURFACE.model_copy(update={"training": Training(seed=9)}), False),
        (with_gate(at_least=0.65), True),
        (SURFACE.model_copy(update={"slices": {}}), True),
        (SURFACE.model_copy(update={"group": "request_id"}), True),
    ],
)
def test_it_is_evaluated_again_only_for_what_matters(changed: Surface, again: bool) -> None:
    assert changed != SURFACE
    assert (evaluated(changed) != evaluated(SURFACE)) == again

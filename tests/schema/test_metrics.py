from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from schema import metrics
from schema.base import TaskKind
from schema.gates import Gate
from schema.metrics import METRICS, Direction, GatedMetric, MetricName
from schema.reference import json_schema
from schema.surface import Task


def test_each_kind_of_task_has_its_main_metric() -> None:
    assert metrics.main_metric(TaskKind.BINARY).name == "auc"
    assert metrics.main_metric(TaskKind.REGRESSION).name == "r2"
    assert metrics.main_metric(TaskKind.MULTICLASS).name == "accuracy"
    assert [name for name in METRICS if metrics.is_main(name)] == ["auc", "r2", "accuracy"]


def test_titles_are_for_people_and_unknown_names_stand_for_themselves() -> None:
    assert [metrics.title_of(name) for name in ("auc", "r2", "of_tomorrow")] == ["AUC", "R2", "of_tomorrow"]


def test_metrics_of_groups_need_a_group() -> None:
    alone, grouped = (metrics.metrics_of(TaskKind.BINARY, grouped=each) for each in (False, True))
    assert [each.name for each in grouped if each not in alone] == [
        *("grouped_auc", "ndcg_at_10", "mrr", "recall_at_10")
    ]
    assert metrics.R2 not in grouped
    assert metrics.SPEARMAN in metrics.metrics_of(TaskKind.REGRESSION, grouped=True)
    assert not any(each.by_group for each in metrics.metrics_of(TaskKind.REGRESSION, grouped=False))


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda each: each.name)
def test_facts_do_not_contradict_each_other(metric: metrics.Metric) -> None:
    assert metric.kinds
    assert metric.least < metric.most
    assert (metric.target is not None) == (metric.direction is Direction.TARGET)
    for known in (metric.target, metric.no_skill):
        assert known is None or metric.least <= known <= metric.most


def test_a_gate_names_a_metric_that_tells_better_from_worse() -> None:
    assert Gate(metric="auc", at_least=0.5).metric == "auc"
    with pytest.raises(ValidationError, match="Input should be 'auc', 'r2', 'calibration'"):
        Gate(metric="mean_label", at_least=0.5)
    with pytest.raises(ValidationError, match=r"a binary task is gated on one of auc, calibration, .*; found r2"):
        Task(kind=TaskKind.BINARY, label="y", gates=(Gate(metric="r2", at_least=0.5),))
    told = json_schema()["$defs"]["Gate"]["properties"]["metric"]["enum"]
    assert set(METRICS) - set(told) == {"labelled_examples", "positives", "mean_label", "mean_prediction"}


def test_documents_may_name_any_metric_and_none_that_is_not_known() -> None:
    names = TypeAdapter(MetricName)
    assert [names.validate_python(name) for name in METRICS] == list(METRICS)
    with pytest.raises(ValidationError):
        names.validate_python("accuracy of yesterday")
    assert {each for each in METRICS if METRICS[each].gateable} == set(TypeAdapter(GatedMetric).json_schema()["enum"])

"""Evaluations made by hand, as if TFMA had agreed with every bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.blessing_gate.checks import Evidence, asked_bounds, tfma_bound
from contracts.decision import BoundKind, Measurement
from evaluation.results import OVERALL, Evaluation, SliceKey, StandardError, TaskMetrics, ViolatedBound
from schema.metrics import METRICS, main_metric
from schema.surface import Surface

NEW = (("new_release", 1),)
NAN = float("nan")
BOTH = (BoundKind.ABSOLUTE, BoundKind.LAST_BLESSED)


def surface(**tasks: Mapping[str, Any]) -> Surface:
    """A surface whose slices are `new` (new_release=1) and `shelf` (one per value)."""
    return Surface.model_validate(
        {
            "name": "tiny",
            "features": {"x": {"kind": "numeric"}},
            "tasks": tasks,
            "slices": {"new": {"features": {"new_release": 1}}, "shelf": {"features": {"shelf": None}}},
        }
    )


def binary(*gates: Mapping[str, Any], label: str = "clicked") -> dict[str, Any]:
    return _task("binary", "auc", label, gates)


def regression(*gates: Mapping[str, Any], label: str = "minutes") -> dict[str, Any]:
    return _task("regression", "r2", label, gates)


def _task(kind: str, metric: str, label: str, gates: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    listed = [{"metric": metric, **gate} for gate in gates]
    return {"kind": kind, "label": label} | ({"gates": listed} if listed else {"ungated": "for the test"})


@dataclass(frozen=True)
class Found:
    """What was measured of one task in one slice; NaN is undefined, None is missing."""

    student: float | None
    baseline: float | None = None
    examples: int = 1000
    positives: int = 100
    margin: float = 0.01
    mean_prediction: float = 0.1


def metrics(found: Found, metric: str) -> TaskMetrics:
    student = {
        "labelled_examples": Measurement(value=found.examples),
        "positives": Measurement(value=found.positives),
        "mean_prediction": _measured(found.mean_prediction, 0),
    }
    if found.student is not None:
        student[metric] = _measured(found.student, found.margin)
    if found.baseline is None or found.student is None:
        return TaskMetrics(student)
    baseline = {metric: _measured(found.baseline, found.margin)}
    target = METRICS[metric].target
    change = found.student - found.baseline
    if target is not None:
        change = abs(found.baseline - target) - abs(found.student - target)
    errors = {metric: StandardError(found.margin / 2, 19)}
    return TaskMetrics(student, baseline, {metric: _measured(change, found.margin)}, errors)


def _measured(value: float, margin: float) -> Measurement:
    if value != value:
        return Measurement(value=None)
    return Measurement(value=value, lower=value - margin, upper=value + margin)


def evaluation(
    of: Surface,
    kinds: tuple[BoundKind, ...],
    slices: Mapping[SliceKey, Mapping[str, Found]],
    has_baseline: bool = True,
    failures: tuple[ViolatedBound, ...] = (),
) -> Evaluation:
    names = {
        name: task.gates[0].metric if task.gates else main_metric(task.kind).name for name, task in of.tasks.items()
    }
    asked = [one for one in asked_bounds(of) if one.kind in kinds and (has_baseline or one.kind is BoundKind.ABSOLUTE)]
    return Evaluation(
        slices={
            key: {task: metrics(found, names[task]) for task, found in tasks.items()} for key, tasks in slices.items()
        },
        has_baseline=has_baseline,
        bounds=frozenset(tfma_bound(of, one) for one in asked if one.limits.also_of_the_point),
        failures=failures,
        model="/student/Format-Serving",
    )


def evidence(
    of: Surface,
    last_blessed: Mapping[SliceKey, Mapping[str, Found]] | None = None,
    control: Mapping[SliceKey, Mapping[str, Found]] | None = None,
    first_run: bool = False,
    **more: Any,
) -> Evidence:
    """Both evaluations; by default a good student everywhere, just better than both others."""
    good = {OVERALL: dict.fromkeys(of.tasks, Found(0.7, 0.69))}
    return Evidence(
        last_blessed=evaluation(of, BOTH, last_blessed or good, has_baseline=not first_run, **more),
        control=evaluation(of, (BoundKind.CONTROL,), control or good),
    )


def failed(of: Surface, task: str, kind: BoundKind, slice_name: str | None, key: SliceKey | None) -> ViolatedBound:
    """TFMA finds the first bound of that task, kind and slice violated."""
    found = [one for one in asked_bounds(of) if (one.task, one.kind, one.gate.slice) == (task, kind, slice_name)]
    return ViolatedBound(tfma_bound(of, found[0]), key)

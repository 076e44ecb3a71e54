"""What a run leaves, made by hand: a surface of two tasks, its decision, and everything beside it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from components.blessing_gate.judge import decide
from components.evaluation_report.sources import Bin, HardLabels, Shift, ShiftEnd, Sources
from contracts.decision import BoundKind, Check, Decision, Verdict
from contracts.label_report import (
    CounterpartReport,
    FeatureReport,
    LabelReport,
    SplitReport,
    TaskReport,
)
from contracts.measurements import Measurements, NodeMeasurement
from contracts.serving_report import Cost, Latency, ServingReport
from evaluation.results import OVERALL, Evaluation
from schema.surface import Surface
from tests.components.blessing_gate.handmade import BOTH, Found, binary, evaluation, evidence, regression, surface

NEW = (("new_release", 1),)
SHELVES = tuple((("shelf", number),) for number in range(3))
FIRST_DAY = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
MEASURED = Measurements(
    nodes={
        "ImportExampleGen": NodeMeasurement(seconds=None, peak_memory=None),
        "TeacherLabeler": NodeMeasurement(seconds=4.0, peak_memory=700 * 2**20),
        "Transform": NodeMeasurement(seconds=20.0, peak_memory=900 * 2**20),
        "Trainer.student": NodeMeasurement(seconds=6.0, peak_memory=800 * 2**20),
        "Evaluator": NodeMeasurement(seconds=10.0, peak_memory=850 * 2**20),
        "Pusher": NodeMeasurement(seconds=0.5, peak_memory=850 * 2**20),
    }
)
MOVED = [
    Shift("fresh", None, None, ShiftEnd(0.0, None, 12)),
    Shift("old", None, ShiftEnd(0.5, 1.0, None), None),
    Shift("age", 0.25, ShiftEnd(0.0, -30.0, None), ShiftEnd(0.125, 1234567.0, None)),
]


def two_tasks() -> Surface:
    """Click, which a teacher's task of that name labels, and minutes, which nobody does."""
    gate = {"at_least": 0.6, "vs_last_blessed": {"at_least": -0.01}, "vs_control": {"at_least": 0.0}}
    plain = surface(
        click=binary(gate, {"slice": "new", "at_least": 0.5, "min_positives": 500}),
        minutes=regression({"at_least": 0.1}),
    )
    content = plain.model_dump(by_alias=True)
    content["tasks"]["click"]["distil"] = {"from": "click"}
    content["teacher"] = {
        "tasks": {"click": {"kind": "binary"}},
        "features": {"x": {"dtype": "float"}, "z<1>": {"dtype": "float", "default": 0.0}},
    }
    return Surface.model_validate(content)


def measured(student: float = 0.7) -> dict[Any, dict[str, Found]]:
    """Click is better than another model by .0123 overall, worse among new releases."""
    return {
        OVERALL: {"click": Found(student, student - 0.0123), "minutes": Found(0.3, 0.25, positives=0)},
        NEW: {"click": Found(0.65, 0.7, examples=90), "minutes": Found(0.2, 0.25, examples=20)},
        **{key: {"click": Found(0.7 + number / 100, 0.7)} for key, number in zip(SHELVES, (1, -3, 2), strict=True)},
    }


def evaluations(of: Surface, student: float = 0.7) -> dict[str, Evaluation]:
    return {
        "against_last": evaluation(of, BOTH, measured(student)),
        "against_control": evaluation(of, (BoundKind.CONTROL,), measured(student)),
    }


def decision(of: Surface, student: float = 0.7) -> Decision:
    found = evidence(of, measured(student), measured(student))
    check = Check(name="serving", verdict=Verdict.PASS, sentence="The student can be served: 9 checks passed.")
    return decide(of, dataclasses.replace(found, checks=(check,)))


def labels(mean: float = -2.0) -> LabelReport:
    """One teacher task over 1,000 examples; one of the two inputs is filled in half of them."""
    task = TaskReport(
        count=1000,
        non_finite=0,
        mean=mean,
        std=0.8,
        min=-4.0,
        max=1.0,
        quantiles={"0.01": -3.8, "0.05": -3.2, "0.25": -2.6, "0.5": mean, "0.75": -1.4, "0.95": 0.0, "0.99": 0.8},
    )
    counterpart = CounterpartReport(
        teacher_task="click",
        metric="auc",
        value=0.655,
        lower=0.605,
        upper=0.705,
        rows=1000,
        labelled=1000,
        mean_label=0.15,
    )
    split = SplitReport(
        read=1000,
        labelled=998,
        bad={"missing_feature": 2},
        features={
            "x": FeatureReport(present=1000, filled=0, fill_rate=0.0),
            "z<1>": FeatureReport(present=500, filled=500, fill_rate=0.5),
        },
        fill_rate=0.0,
        mean_fill_rate=0.25,
        tasks={"click": task},
        counterparts={"click": counterpart},
        sampled=998,
    )
    return LabelReport(
        surface="tiny",
        teacher="/teacher",
        teacher_fingerprint="of-the-teacher",
        signature="serving_default",
        splits={"train": split, "eval": split},
        overall=split,
        seconds=1.0,
        examples_per_second=1000.0,
    )


def serving() -> ServingReport:
    pair = {"calls": 100, "student_p50_ms": 0.4, "student_p99_ms": 0.7, "other_p50_ms": 0.41, "other_p99_ms": 0.69}
    latencies = [
        Latency(against="control", batch_size=size, p50_ratio=0.98, p99_ratio=ratio, limit=1.25, **pair)
        for size, ratio in ((1, 1.0145), (16, 0.97))
    ]
    return ServingReport(
        surface="tiny",
        blessed=True,
        sentence="The student can be served: 9 checks passed.",
        model="/student",
        model_fingerprint="of-the-student",
        requests=64,
        checks=(),
        models={"student": Cost(megabytes=0.7, load_seconds=0.2, first_request_seconds=None)},
        latencies=tuple(latencies),
    )


def sources(*, student: float = 0.7, runs: int = 3, **changes: Any) -> Sources:
    """A run after `runs - 1` earlier ones; its student is worse than asked if `student` is under .6."""
    of = two_tasks()
    found = decision(of, student)
    days = [FIRST_DAY.replace(day=1 + day) for day in range(runs)]
    made = Sources(
        surface=of,
        decision=found,
        when=days[-1],
        **evaluations(of, student),
        labels=labels(),
        serving=serving(),
        histories={
            "student": {
                "hard_loss": [1.0, 0.8, 0.7],
                "val_hard_loss": [1.1, 0.9, 0.95],
                "val_selection_loss": [2.1, 1.9, 1.95],
                "soft_loss": [1.0, 0.5, 0.4],
                "val_soft_loss": [1.0, 0.6, 0.5],
                "serving_click": [0.5, 0.4, 0.3],
                "val_serving_click": [0.5, 0.45, 0.5],
            },
            "control": {
                "hard_loss": [1.0, 0.9, 0.8],
                "val_hard_loss": [1.2, 1.0, 0.97],
                "val_selection_loss": [2.2, 2.0, 1.97],
            },
        },
        curves={("student", "click"): [Bin(400, 0.1, 0.08), Bin(400, 0.3, 0.35)]},
        hard_labels={"click": HardLabels(1000, 0.15, ())},
        decisions=[*((day, decision(of, 0.69 - n / 10)) for n, day in enumerate(days[:-1])), (days[-1], found)],
        label_reports=[(day, labels(-2.0 + n / 10)) for n, day in enumerate(days)],
        facts={"git revision": "8454f7b", "teacher": "/a<b>/teacher"},
        push="Pushed as version 1795646924.",
        measurements=MEASURED,
        shifts=MOVED,
        version="1.2",
    )
    return dataclasses.replace(made, **changes)

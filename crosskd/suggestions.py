"""Bounds for gates, proposed from what earlier runs measured.  Nothing is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.decision import Decision, Measurement, MetricRow
from schema.gates import Change, Gate
from schema.metrics import CALIBRATION, METRICS, Direction, Metric, is_main

_DIGITS = 3
_LAST_DIGITS = 1e-9


@dataclass(frozen=True)
class PastRun:
    """One run that came to a decision."""

    run_id: str
    decision: Decision


@dataclass(frozen=True)
class Suggestion:
    """A gate, and how the runs so far would have fared with it.

    Attributes:
      task: The task.
      gate: The gate.
      passed: Runs that would have passed.
      failed: Ids of those that would not.
    """

    task: str
    gate: Gate
    passed: int
    failed: tuple[str, ...]

    def as_yaml(self) -> str:
        """The gate as one line of surface.yaml."""
        content = self.gate.model_dump(mode="json", exclude_defaults=True)
        return "- {" + ", ".join(f"{key}: {_flow(value)}" for key, value in content.items()) + "}"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def suggest(runs: Sequence[PastRun]) -> Iterator[Suggestion]:
    """Proposes gates for each task's main metric, for calibration, and for what is gated already.

    The bound on a metric is the worst end of a 95% interval among the runs that were blessed (among
    all, if none was): who is not clearly worse than these passes.  The bound on a change
    against the control is the least gain among them, and no more than 0.

    Args:
      runs: The runs, in any order.
    """
    known = [run for run in runs if run.decision.blessed] or list(runs)
    for task, metric in _metrics(runs):
        found = [(run, row) for run in known if (row := _row(run.decision, task, metric)) is not None]
        for gate in (_absolute(metric, [row for _, row in found]), _vs_control(metric, [row for _, row in found])):
            if gate is not None:
                yield _judged(task, gate, runs)


def _metrics(runs: Sequence[PastRun]) -> list[tuple[str, Metric]]:
    gated = {(gate.task, gate.metric) for run in runs for gate in run.decision.gates}
    listed = dict.fromkeys((row.task, row.metric) for run in runs for row in run.decision.metrics)
    return [
        (task, METRICS[name])
        for task, name in listed
        if name in METRICS
        and METRICS[name].gateable
        and (is_main(name) or name == CALIBRATION.name or (task, name) in gated)
    ]


def _row(decision: Decision, task: str, metric: Metric) -> MetricRow | None:
    rows = (row for row in decision.metrics if (row.task, row.metric, row.slice) == (task, metric.name, ""))
    return next(rows, None)


def _absolute(metric: Metric, rows: Sequence[MetricRow]) -> Gate | None:
    ends = [_ends(row.student) for row in rows if row.student is not None and row.student.value is not None]
    if not ends:
        return None
    least = max(_rounded(min(lower for lower, _ in ends), down=True), metric.least)
    most = min(_rounded(max(upper for _, upper in ends), down=False), metric.most)
    if metric.direction is Direction.HIGHER:
        return Gate(metric=metric.name, at_least=least)
    if metric.direction is Direction.LOWER:
        return Gate(metric=metric.name, at_most=most)
    return Gate(metric=metric.name, between=(least, most)) if least < most else None


def _ends(found: Measurement) -> tuple[float, float]:
    value = found.value if found.value is not None else math.nan
    return (value if found.lower is None else found.lower, value if found.upper is None else found.upper)


def _vs_control(metric: Metric, rows: Sequence[MetricRow]) -> Gate | None:
    gains = [gain for row in rows if (gain := _gain(metric, row.student, row.control)) is not None]
    if not gains:
        return None
    # A little less, since the run with the least gain is to pass, whatever its last digits.
    least = _rounded(min(gains) - _LAST_DIGITS, down=True)
    return Gate(metric=metric.name, vs_control=Change(at_least=min(least, 0.0)))


def _gain(metric: Metric, student: Measurement | None, control: Measurement | None) -> float | None:
    """How much better the student is, in the metric's own direction."""
    if student is None or control is None or student.value is None or control.value is None:
        return None
    if metric.target is not None:
        return abs(control.value - metric.target) - abs(student.value - metric.target)
    return (student.value - control.value) * (-1 if metric.direction is Direction.LOWER else 1)


def _rounded(value: float, *, down: bool) -> float:
    """To three digits, away from what was measured."""
    value = float(f"{value:.9g}")  # of .7 - .71, not the 17th digit
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    units = round(value / unit, 6)
    whole = math.floor(units) if down else math.ceil(units)
    return float(f"{whole * unit:.12g}")


def _judged(task: str, gate: Gate, runs: Sequence[PastRun]) -> Suggestion:
    verdicts = [(run.run_id, _holds(gate, _row(run.decision, task, METRICS[gate.metric]))) for run in runs]
    failed = tuple(run_id for run_id, held in verdicts if held is False)
    return Suggestion(task, gate, sum(held is True for _, held in verdicts), failed)


def _holds(gate: Gate, row: MetricRow | None) -> bool | None:
    """Whether a run would have passed; None where it did not measure the metric."""
    if row is None or row.student is None or row.student.value is None:
        return None
    if gate.vs_control is not None:
        gain = _gain(METRICS[gate.metric], row.student, row.control)
        return None if gain is None else gain >= gate.vs_control.at_least
    limits = gate.absolute()
    if limits is None:
        return None
    least, most = limits.least, limits.most
    return (least is None or row.student.value >= least) and (most is None or row.student.value <= most)

"""The sentences of a decision."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.decision import BoundKind, Check, GateResult, Measurement, Verdict
from contracts.roles import PHRASES, ModelRole
from schema.gates import JudgedOn

MODEL_OF: dict[BoundKind, str] = {
    kind: PHRASES[ModelRole(kind.value)] for kind in BoundKind if kind is not BoundKind.ABSOLUTE
}


def decision(blessed: bool, gates: Sequence[GateResult], checks: Sequence[Check]) -> str:
    """The whole decision: what failed first, or how many passed and what was left open."""
    failed = [result.sentence for result in gates if result.verdict is Verdict.FAIL]
    failed += [check.sentence for check in checks if check.verdict is Verdict.FAIL]
    open_ = [result for result in gates if result.verdict is Verdict.NOT_JUDGED]
    if not blessed:
        more = f" {len(failed) - 1} more failed." if len(failed) > 1 else ""
        return f"Not blessed: {failed[0]}{more}"
    if not gates:
        return "Blessed: no task of this surface has a gate."
    passed = _counted(len(gates) - len(open_), "gate")
    if not open_:
        return f"Blessed: {passed} passed."
    return f"Blessed: {passed} passed, {len(open_)} not judged ({open_[0].sentence.removesuffix('.')})."


def subject(task: str, metric: str, slice_name: str | None, slice_key: str, kind: BoundKind) -> str:
    """What a gate is about: `click auc, slice shelf (shelf=3), against the control`."""
    where = "overall" if slice_name is None else f"slice {slice_name}"
    value = f" ({slice_key})" if slice_key else ""
    against = f", against {MODEL_OF[kind]}" if kind in MODEL_OF else ""
    return f"{task} {metric}, {where}{value}{against}"


def gate(subject: str, measured: Sequence[str], verdict: Verdict, reason: str) -> str:
    """A gate's sentence: subject, what was measured, and why the verdict is what it is."""
    if verdict is Verdict.NOT_JUDGED:
        return f"{subject}: not judged, {reason}."
    return f"{subject}: {', '.join([*measured, reason])}."


def measured(
    student: Measurement | None,
    baseline: Measurement | None,
    judged: Measurement | None,
    kind: BoundKind,
    judged_on: JudgedOn,
    target: float | None,
) -> list[str]:
    """What was measured: the student, for a change also the other model, and the limits that are judged.

    Args:
      student: The student's metric.
      baseline: The other model's.
      judged: What the bound applies to.
      kind: What that is.
      judged_on: What of it.
      target: The metric's best value, where that lies in the middle.
    """
    if student is None:
        return []
    if kind is BoundKind.ABSOLUTE:
        parts = [number(student)]
    else:
        change = "change" if target is None else f"nearer to {target:g} by"
        parts = [f"{number(student)} against {number(baseline)}", f"{change} {number(judged, signed=True)}"]
    if judged is not None and judged.lower is not None and judged_on in (JudgedOn.LOWER_LIMIT, JudgedOn.BOTH_LIMITS):
        parts.append(f"lower limit {judged.lower:.4f}")
    if judged is not None and judged.upper is not None and judged_on in (JudgedOn.UPPER_LIMIT, JudgedOn.BOTH_LIMITS):
        parts.append(f"upper limit {judged.upper:.4f}")
    return parts


def number(measurement: Measurement | None, signed: bool = False) -> str:
    """A value with four decimals, `undefined`, or `missing`."""
    if measurement is None:
        return "missing"
    if measurement.value is None:
        return "undefined"
    return f"{measurement.value:+.4f}" if signed else f"{measurement.value:.4f}"


def range_of(least: float | None, most: float | None) -> str:
    """What is asked: `at least 0.6`, `at most 1.1`, or `between 0.9 and 1.1`."""
    if least is not None and most is not None:
        return f"between {least:g} and {most:g}"
    return f"at most {most:g}" if least is None else f"at least {least:g}"


def bound(least: float | None, most: float | None, missed: Sequence[tuple[float, float]]) -> str:
    """What was asked; a value that misses a bound by less than is shown, in full.

    Args:
      least: The bound from below.
      most: The bound from above.
      missed: A value and the bound that it misses, for each that is missed.
    """
    asked = f"{range_of(least, most)} was asked"
    if not missed:
        return asked
    close = (f"exactly {value:.17g}, " for value, limit in missed if f"{value:.4f}" == f"{limit:.4f}")
    return f"{''.join(close)}but {asked}"


def too_few(found: int, least: int, what: str) -> str:
    """Why a slice is not judged."""
    return f"{found:,} {what} and {least:,} are needed"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

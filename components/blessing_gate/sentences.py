"""The sentences of a decision."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.decision import BoundKind, Check, GateResult, Measurement, Verdict
from contracts.roles import PHRASES, ModelRole

MODEL_OF = {kind: PHRASES[ModelRole(kind.value)] for kind in BoundKind if kind is not BoundKind.ABSOLUTE}


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
    student: Measurement | None, baseline: Measurement | None, judged: Measurement | None, kind: BoundKind, limit: bool
) -> list[str]:
    """What was measured: the student, for a change also the other model, and the limit judged."""
    if student is None:
        return []
    if kind is BoundKind.ABSOLUTE:
        parts = [number(student)]
    else:
        parts = [f"{number(student)} against {number(baseline)}", f"change {number(judged, signed=True)}"]
    if limit and judged is not None and judged.lower is not None:
        parts.append(f"lower limit {judged.lower:.4f}")
    return parts


def number(measurement: Measurement | None, signed: bool = False) -> str:
    """A value with four decimals, `undefined`, or `missing`."""
    if measurement is None:
        return "missing"
    if measurement.value is None:
        return "undefined"
    return f"{measurement.value:+.4f}" if signed else f"{measurement.value:.4f}"


def bound(held: bool, value: float, at_least: float) -> str:
    """What was asked; a value that misses the bound by less than is shown, in full."""
    asked = f"at least {at_least:g} was asked"
    if held:
        return asked
    exact = f"exactly {value:.17g}, " if f"{value:.4f}" == f"{at_least:.4f}" else ""
    return f"{exact}but {asked}"


def too_few(found: int, least: int, what: str) -> str:
    """Why a slice is not judged."""
    return f"{found:,} {what} and {least:,} are needed"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

"""What tests read of a decision."""

from __future__ import annotations

from contracts.decision import BoundKind, Decision, Verdict


def verdicts(decision: Decision) -> dict[tuple[str, BoundKind, str | None, str], Verdict]:
    return {(gate.task, gate.kind, gate.slice, gate.slice_key): gate.verdict for gate in decision.gates}


def only(decision: Decision, verdict: Verdict) -> list[str]:
    return [gate.sentence for gate in decision.gates if gate.verdict is verdict]


def failed_checks(decision: Decision) -> list[str]:
    return [check.sentence for check in decision.checks if check.verdict is Verdict.FAIL]

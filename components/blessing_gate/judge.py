"""Judges the gates of a surface: a pure function of measured metrics.

TFMA's own validation is stricter and blinder: it knows no minimum counts, drops change
thresholds without a baseline, and says nothing of tasks without thresholds.  So the gates
are judged here, from the metrics, and TFMA's verdict serves as a second opinion: where it
rejects what passed here, one of the two is wrong and nothing is pushed.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.blessing_gate import sentences
from components.blessing_gate.checks import Asked, Evidence, asked_bounds, gated_slices, run_checks
from components.blessing_gate.comparison import FIRST_RUN, no_baseline
from contracts.decision import BoundKind, Decision, GateResult, Measurement, MetricRow, Verdict
from evaluation.results import OVERALL, Evaluation, SliceKey, TaskMetrics, slice_text
from records.served import ServedModel
from schema.base import TaskKind
from schema.gates import JudgedOn
from schema.metrics import COUNTS, METRICS
from schema.surface import Surface


def decide(surface: Surface, evidence: Evidence) -> Decision:
    """Decides whether the student may serve.

    It may if no gate and no check fails, every gate on all examples was judged, and every gated
    slice has labelled examples (unless the gate says `may_be_unjudged`; a gate that only waits
    for a first blessed model does not count against it), and something was judged at all,
    unless every task is declared `ungated`.

    Args:
      surface: The surface and its gates.
      evidence: The evaluations and other checks.

    Returns:
      The decision.
    """
    judged = [(asked, tuple(_judge(surface, asked, evidence))) for asked in asked_bounds(surface)]
    gates = tuple(result for _, results in judged for result in results)
    checks = tuple(run_checks(surface, evidence, judged))
    verdicts = [result.verdict for result in gates] + [check.verdict for check in checks]
    blessed = Verdict.FAIL not in verdicts
    return Decision(
        surface=surface.name,
        blessed=blessed,
        first_run=None if isinstance(evidence.last_blessed, str) else not evidence.last_blessed.has_baseline,
        sentence=sentences.decision(blessed, gates, checks),
        gates=gates,
        checks=checks,
        metrics=tuple(_metric_rows(surface, evidence)),
    )


def _judge(surface: Surface, asked: Asked, evidence: Evidence) -> Iterator[GateResult]:
    """One result per slice value; exactly one for the overall slice and for single values."""
    evaluation = evidence.of(asked.kind)
    if isinstance(evaluation, str):
        yield _result(asked, OVERALL, TaskMetrics(), Verdict.FAIL, f"there is no evaluation: {evaluation}")
        return
    keys = [key for key in evaluation.slices if gated_slices(surface, asked.gate).is_slice_applicable(key)]
    if not keys:
        yield _result(asked, OVERALL, TaskMetrics(), Verdict.NOT_JUDGED, "the evaluation data have no such example")
    for key in sorted(keys, key=str):
        metrics = evaluation.slices[key].get(asked.task, TaskMetrics())
        reason = _no_baseline(surface, asked, metrics, evidence.served) if evaluation.has_baseline else None
        yield _result(asked, key, metrics, *_verdict(asked, metrics, evaluation.has_baseline, reason))


def _no_baseline(surface: Surface, asked: Asked, metrics: TaskMetrics, served: ServedModel | None) -> str | None:
    """Why what serves is no measure for the student; None if it is one, or none is asked for."""
    if asked.kind is not BoundKind.LAST_BLESSED:
        return None
    student, baseline = (of.get(asked.gate.metric) for of in (metrics.student, metrics.baseline))
    return no_baseline(surface, asked.task, student, baseline, served)


def _verdict(asked: Asked, metrics: TaskMetrics, has_baseline: bool, no_baseline: str | None) -> tuple[Verdict, str]:
    """The verdict on one slice, and the reason as the end of a sentence."""
    gate = asked.gate
    if metrics.examples < gate.min_examples:
        return Verdict.NOT_JUDGED, sentences.too_few(metrics.examples, gate.min_examples, "labelled examples")
    if asked.task_kind is TaskKind.BINARY and metrics.positives < gate.min_positives:
        return Verdict.NOT_JUDGED, sentences.too_few(metrics.positives, gate.min_positives, "positives")
    if asked.kind is BoundKind.LAST_BLESSED and not has_baseline:
        return Verdict.NOT_JUDGED, FIRST_RUN
    if no_baseline is not None:
        return Verdict.NOT_JUDGED, no_baseline
    if asked.kind is BoundKind.CONTROL and not has_baseline:
        return Verdict.FAIL, "the evaluation has no control to compare with"
    return _compare(asked, _judged_measurement(asked, metrics))


def _compare(asked: Asked, measured: Measurement | None) -> tuple[Verdict, str]:
    if measured is None:
        return Verdict.FAIL, "the metric is missing from the evaluation"
    if measured.value is None:
        return Verdict.FAIL, "the metric is not defined (NaN)"
    limits = asked.limits
    least, most = _ends(measured, limits.judged_on)
    if least is None or most is None:
        return Verdict.FAIL, "its confidence interval is not defined"
    missed = []
    if limits.least is not None and least < limits.least:
        missed.append((least, limits.least))
    if limits.most is not None and most > limits.most:
        missed.append((most, limits.most))
    verdict = Verdict.FAIL if missed else Verdict.PASS
    return verdict, sentences.bound(limits.least, limits.most, missed)


def _ends(measured: Measurement, judged_on: JudgedOn) -> tuple[float | None, float | None]:
    """What a bound from below and one from above apply to."""
    if judged_on is JudgedOn.POINT:
        return measured.value, measured.value
    if judged_on is JudgedOn.BOTH_LIMITS:
        return measured.lower, measured.upper
    one = measured.lower if judged_on is JudgedOn.LOWER_LIMIT else measured.upper
    return one, one


def _judged_measurement(asked: Asked, metrics: TaskMetrics) -> Measurement | None:
    of = metrics.student if asked.kind is BoundKind.ABSOLUTE else metrics.difference
    return of.get(asked.gate.metric)


def _result(asked: Asked, key: SliceKey, metrics: TaskMetrics, verdict: Verdict, reason: str) -> GateResult:
    gate, is_change = asked.gate, asked.kind is not BoundKind.ABSOLUTE
    judged = _judged_measurement(asked, metrics)
    student, baseline = metrics.student.get(gate.metric), metrics.baseline.get(gate.metric)
    target = METRICS[gate.metric].target
    measured = sentences.measured(student, baseline, judged, asked.kind, asked.limits.judged_on, target)
    subject = sentences.subject(asked.task, gate.metric, gate.slice, slice_text(key), asked.kind)
    return GateResult(
        task=asked.task,
        metric=gate.metric,
        kind=asked.kind,
        slice=gate.slice,
        slice_key=slice_text(key),
        bound=asked.limits.least,
        at_most=asked.limits.most,
        judged_on=asked.limits.judged_on.value,
        student=student,
        baseline=baseline if is_change else None,
        difference=judged if is_change else None,
        examples=metrics.examples,
        positives=metrics.positives if asked.task_kind is TaskKind.BINARY else None,
        verdict=verdict,
        reason=reason,
        sentence=sentences.gate(subject, measured, verdict, reason),
    )


def _metric_rows(surface: Surface, evidence: Evidence) -> Iterator[MetricRow]:
    """All metrics of all models, task by task, the overall slice first."""
    known = {
        kind: evaluation
        for kind in (BoundKind.LAST_BLESSED, BoundKind.CONTROL)
        if not isinstance(evaluation := evidence.of(kind), str)
    }
    keys = sorted(
        {key for evaluation in known.values() for key in evaluation.slices}, key=lambda key: (len(key), str(key))
    )
    for output in surface.outputs:
        kind = surface.tasks[output].kind if output in surface.tasks else None
        for key in keys:
            yield from _rows_of(output, key, known, kind)


def _rows_of(
    task: str, key: SliceKey, known: dict[BoundKind, Evaluation], kind: TaskKind | None
) -> Iterator[MetricRow]:
    found = {which: evaluation.slices.get(key, {}).get(task, TaskMetrics()) for which, evaluation in known.items()}
    student = next(iter(found.values()), TaskMetrics())
    last_blessed, control = (found.get(which, TaskMetrics()) for which in (BoundKind.LAST_BLESSED, BoundKind.CONTROL))
    for metric in sorted(set(student.student) - COUNTS):
        yield MetricRow(
            task=task,
            metric=metric,
            slice=slice_text(key),
            examples=student.examples,
            positives=student.positives if kind is TaskKind.BINARY else None,
            student=student.student.get(metric),
            control=control.baseline.get(metric),
            last_blessed=last_blessed.baseline.get(metric),
        )

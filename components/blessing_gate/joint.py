"""Gates on all tasks at once: none may be worse than another model by a margin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from scipy import special

from components.blessing_gate.comparison import no_baseline
from contracts.decision import BoundKind, Check, Verdict
from contracts.roles import PHRASES, ModelRole
from evaluation.results import OVERALL, Evaluation, TaskMetrics
from records.served import ServedModel
from schema.gates import JointGate
from schema.metrics import METRICS, Direction, main_metric
from schema.surface import Surface

MODELS = (BoundKind.LAST_BLESSED, BoundKind.CONTROL)


def joint_checks(
    surface: Surface, evaluations: Mapping[BoundKind, Evaluation | str], served: ServedModel | None = None
) -> Iterator[Check]:
    """Judges every joint gate of a surface.

    Args:
      surface: The surface.
      evaluations: The student against each other model; a text says why there is none.
      served: What serves, as its files say it; a task that it is no measure for is not compared with it.
    """
    for gate in surface.joint_gates:
        kind = BoundKind(gate.against)
        evaluation = evaluations[kind]
        name = f"no task worse than {PHRASES[ModelRole(kind.value)]}"
        if isinstance(evaluation, str):
            yield Check(name=name, verdict=Verdict.FAIL, sentence=f"{_asked(gate, name)}: there is no evaluation.")
        elif not evaluation.has_baseline and kind is BoundKind.LAST_BLESSED:
            text = f"{_asked(gate, name)}: not judged, first run: no blessed model yet."
            yield Check(name=name, verdict=Verdict.NOT_JUDGED, sentence=text)
        else:
            yield _judged(surface, gate, evaluation, name, served if kind is BoundKind.LAST_BLESSED else None)


def _asked(gate: JointGate, name: str) -> str:
    margin = f"{gate.worse_by:.3g}" if not gate.relative else f"{gate.worse_by * 100:.3g}%"
    return f"{name[0].upper()}{name[1:]} by {margin}, together at {gate.confidence:.0%}"


def _judged(surface: Surface, gate: JointGate, evaluation: Evaluation, name: str, served: ServedModel | None) -> Check:
    overall = evaluation.slices.get(OVERALL, {})
    verdicts = []
    parts = []
    for task, configured in surface.tasks.items():
        metric = gate.metrics.get(task, main_metric(configured.kind).name)
        found = overall.get(task, TaskMetrics())
        reason = no_baseline(surface, task, found.student.get(metric), found.baseline.get(metric), served)
        if reason is not None:
            parts.append(f"{task} not compared, {reason}")
            continue
        verdict, told = _task(gate, metric, found)
        verdicts.append(verdict)
        parts.append(f"{task} {metric} {told}")
    return Check(name=name, verdict=_together(gate, verdicts), sentence=f"{_asked(gate, name)}: {'; '.join(parts)}.")


def _together(gate: JointGate, verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on all tasks that there is something to compare with; there may be none of these."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    if Verdict.NOT_JUDGED in verdicts:
        return Verdict.NOT_JUDGED if gate.may_be_unjudged else Verdict.FAIL
    return Verdict.PASS if verdicts else Verdict.NOT_JUDGED


def _task(gate: JointGate, metric: str, found: TaskMetrics) -> tuple[Verdict, str]:
    """Whether the one-sided limit of a task's gain is above minus the margin."""
    difference, baseline = found.difference.get(metric), found.baseline.get(metric)
    error = found.errors.get(metric)
    if difference is None or baseline is None or difference.value is None or baseline.value is None:
        return Verdict.NOT_JUDGED, "cannot be judged, the metric is not defined"
    if error is None or not error.degrees_of_freedom >= 1 or error.value != error.value:
        return Verdict.NOT_JUDGED, "cannot be judged, its standard error is not defined"
    gain = -difference.value if METRICS[metric].direction is Direction.LOWER else difference.value
    limit = gain - float(special.stdtrit(error.degrees_of_freedom, gate.confidence)) * error.value
    margin = gate.worse_by * abs(baseline.value) if gate.relative else gate.worse_by
    told = f"gain {gain:+.4f}, lower limit {limit:+.4f}, at least {-margin:.4f} was asked"
    return (Verdict.PASS if limit >= -margin else Verdict.FAIL), told

"""What a decision rests on, what the surface's gates ask of it, and the conditions on a run as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorflow_model_analysis.slicer import slicer_lib

from components.blessing_gate import sentences
from components.blessing_gate.comparison import comparison_checks, lacks_baseline, waits
from components.blessing_gate.joint import MODELS, joint_checks
from contracts.decision import BoundKind, Check, GateResult, Verdict
from evaluation.results import OVERALL, Bound, Evaluation, TaskMetrics, slice_text
from evaluation.slices import slicing_spec
from records.served import ServedModel
from schema.base import TaskKind
from schema.gates import Gate, Limits
from schema.metrics import LOG_LOSS, MEAN_PREDICTION
from schema.surface import Surface


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on.

    Attributes:
      last_blessed: The student, alone or against the last blessed model; a text says why
        there is no such evaluation.
      control: The student against the control; likewise.
      checks: Conditions that were checked elsewhere (labels, serving).
      served: The model that serves, as its files say it; None where nothing serves.
    """

    last_blessed: Evaluation | str
    control: Evaluation | str
    checks: tuple[Check, ...] = ()
    served: ServedModel | None = None

    def of(self, kind: BoundKind) -> Evaluation | str:
        return self.control if kind is BoundKind.CONTROL else self.last_blessed


@dataclass(frozen=True)
class Asked:
    """One bound of one gate."""

    task: str
    task_kind: TaskKind | None  # None of the score
    gate: Gate
    kind: BoundKind
    limits: Limits


def asked_bounds(surface: Surface) -> Iterator[Asked]:
    """Every bound of every gate, in the order of the surface."""
    for name, gates in surface.gates.items():
        kind = surface.tasks[name].kind if name in surface.tasks else None
        for gate in gates:
            if absolute := gate.absolute():
                yield Asked(name, kind, gate, BoundKind.ABSOLUTE, absolute)
            if gate.vs_last_blessed:
                yield Asked(name, kind, gate, BoundKind.LAST_BLESSED, gate.of_change(gate.vs_last_blessed))
            if gate.vs_control:
                yield Asked(name, kind, gate, BoundKind.CONTROL, gate.of_change(gate.vs_control))


def gated_slices(surface: Surface, gate: Gate) -> slicer_lib.SingleSliceSpec:
    """The slices that a gate holds for; a feature without a value stands for each of its values."""
    if gate.slice is None:
        return slicer_lib.SingleSliceSpec()
    return slicer_lib.SingleSliceSpec(spec=slicing_spec(gate.slice, surface.slices[gate.slice]))


def tfma_bound(surface: Surface, asked: Asked) -> Bound:
    """The threshold that `evaluation.config` makes of a bound."""
    changes = asked.kind is not BoundKind.ABSOLUTE
    where = gated_slices(surface, asked.gate)
    return Bound(asked.task, asked.gate.metric, where, changes, asked.limits.least, asked.limits.most)


# One bound, and what became of it in each slice.
Judged = tuple[Asked, tuple[GateResult, ...]]

# The bounds that each comparison was given.
_KINDS_IN = {
    BoundKind.LAST_BLESSED: (BoundKind.ABSOLUTE, BoundKind.LAST_BLESSED),
    BoundKind.CONTROL: (BoundKind.CONTROL,),
}


def run_checks(surface: Surface, evidence: Evidence, judged: Sequence[Judged]) -> Iterator[Check]:
    """All conditions on the run, those that were checked elsewhere first.

    Args:
      surface: The surface.
      evidence: The evaluations and other checks.
      judged: Every bound of every gate, with its results.
    """
    gates = tuple(result for _, results in judged for result in results)
    yield from evidence.checks
    yield from comparison_checks(surface, evidence.served, gates)
    yield from _evaluation_checks(surface, evidence)
    yield from _second_opinions(surface, evidence, gates)
    yield from _defined_checks(surface, evidence)
    yield from joint_checks(surface, {kind: evidence.of(kind) for kind in MODELS}, evidence.served)
    yield from _judged_checks(judged)


def _evaluation_checks(surface: Surface, evidence: Evidence) -> Iterator[Check]:
    """Both evaluations must be there, of the surface's own gates, and of the same examples."""
    for kind in MODELS:
        evaluation = evidence.of(kind)
        name = f"evaluation against {sentences.MODEL_OF[kind]}"
        if isinstance(evaluation, str):
            yield Check(name=name, verdict=Verdict.FAIL, sentence=f"There is no {name}: {evaluation}")
        elif evaluation.bounds != _compiled_bounds(surface, kind, evaluation.has_baseline):
            text = f"The {name} was run with other gates than the surface has now. Run the Evaluator again."
            yield Check(name=name, verdict=Verdict.FAIL, sentence=text)
    if isinstance(evidence.last_blessed, str) or isinstance(evidence.control, str):
        return
    counts = [_labelled(evaluation) for evaluation in (evidence.last_blessed, evidence.control)]
    if counts[0] != counts[1]:
        text = f"The two evaluations saw different examples: {counts[0]} and {counts[1]} labelled ones per task."
        yield Check(name="same examples", verdict=Verdict.FAIL, sentence=text)


def _labelled(evaluation: Evaluation) -> dict[str, int]:
    return {task: metrics.examples for task, metrics in evaluation.slices.get(OVERALL, {}).items()}


def _compiled_bounds(surface: Surface, kind: BoundKind, has_baseline: bool) -> frozenset[Bound]:
    """The thresholds that this comparison must have had."""
    return frozenset(
        tfma_bound(surface, asked)
        for asked in asked_bounds(surface)
        if asked.kind in _KINDS_IN[kind]
        and (has_baseline or asked.kind is BoundKind.ABSOLUTE)
        and asked.limits.also_of_the_point
    )


def _second_opinions(surface: Surface, evidence: Evidence, gates: tuple[GateResult, ...]) -> Iterator[Check]:
    """TFMA rejects what passed here: one of the two is wrong, so nothing is pushed."""
    passed = {
        (result.task, result.metric, result.slice, result.kind, result.bound, result.at_most, result.slice_key)
        for result in gates
        if result.verdict is Verdict.PASS
    }
    for comparison in MODELS:
        evaluation = evidence.of(comparison)
        asked = [one for one in asked_bounds(surface) if one.kind in _KINDS_IN[comparison]]
        for failure in () if isinstance(evaluation, str) else evaluation.failures:
            text = slice_text(failure.slice_key or OVERALL)
            matching = [one for one in asked if tfma_bound(surface, one) == failure.bound]
            keys = {
                (one.task, one.gate.metric, one.gate.slice, one.kind, one.limits.least, one.limits.most, text)
                for one in matching
            }
            if not matching or keys & passed:
                yield _contradiction(failure.bound, text)


def _contradiction(bound: Bound, text: str) -> Check:
    where = f"slice {text}" if text else "overall"
    asked = ("change of " if bound.change else "") + sentences.range_of(bound.at_least, bound.at_most)
    return Check(
        name="second opinion",
        verdict=Verdict.FAIL,
        sentence=f"TFMA's own validation rejects {bound.task} {bound.metric}, {where} ({asked}), "
        "which passed here: one of the two is wrong, so nothing is pushed.",
    )


def _defined_checks(surface: Surface, evidence: Evidence) -> Iterator[Check]:
    """Every task's predictions must be numbers, gated or not."""
    if isinstance(evidence.last_blessed, str):
        return
    overall = evidence.last_blessed.slices.get(OVERALL, {})
    for name in surface.outputs:
        metrics = overall.get(name, TaskMetrics())
        # Of several classes there is no mean; their log loss is none where a prediction is no number.
        predicted = metrics.student.get(MEAN_PREDICTION.name) or metrics.student.get(LOG_LOSS.name)
        if metrics.examples and (predicted is None or predicted.value is None):
            text = f"{name}: the student's predictions are not all finite numbers."
            yield Check(name=f"predictions of {name}", verdict=Verdict.FAIL, sentence=text)


def _judged_checks(judged: Sequence[Judged]) -> Iterator[Check]:
    """A gate that cannot be judged must not open the way for a task nobody looked at."""
    yield from _measureless_checks(judged)
    told: list[Gate] = []
    for asked, results in judged:
        if _blocks(asked.gate, results) and not any(gate is asked.gate for gate in told):
            told.append(asked.gate)
            first = next(each for each in results if each.verdict is Verdict.NOT_JUDGED)
            text = f"{first.sentence.removesuffix('.')}; such a gate blocks, unless it says `may_be_unjudged: true`."
            yield Check(name=f"gates of {asked.task}", verdict=Verdict.FAIL, sentence=text)
    gates = [result for _, results in judged for result in results]
    if gates and all(result.verdict is Verdict.NOT_JUDGED for result in gates):
        text = "None of the gates could be judged. Give at least one of them `at_least` or `vs_control`."
        yield Check(name="gates", verdict=Verdict.FAIL, sentence=text)


def _measureless_checks(judged: Sequence[Judged]) -> Iterator[Check]:
    """A task that what serves is no measure for must be judged by something else."""
    by_task: dict[str, list[GateResult]] = {}
    for asked, results in judged:
        by_task.setdefault(asked.task, []).extend(results)
    for task, found in by_task.items():
        if all(each.verdict is Verdict.NOT_JUDGED for each in found) and any(map(lacks_baseline, found)):
            first = next(filter(lacks_baseline, found))
            text = (
                f"{first.sentence.removesuffix('.')}, and nothing else judged {task}; give one of its gates `at_least` "
                "or `vs_control`."
            )
            yield Check(name=f"gates of {task}", verdict=Verdict.FAIL, sentence=text)


def _blocks(gate: Gate, results: Sequence[GateResult]) -> bool:
    """Whether a bound blocks that could not be judged: overall, or in a slice of which there is nothing."""
    unjudged = any(each.verdict is Verdict.NOT_JUDGED and not waits(each) for each in results)
    nothing_there = not any(each.examples for each in results)
    return unjudged and not gate.may_be_unjudged and (gate.slice is None or nothing_there)

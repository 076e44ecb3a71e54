"""What of a student can be compared with what serves, and what is said of the rest.

Surfaces live for years: tasks, features and kinds come and go.  What the model that serves knows
nothing of is judged absolutely and against the control, and is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.decision import BoundKind, Check, GateResult, Measurement, Verdict
from records.served import ServedModel
from schema.score import SCORE
from schema.surface import Surface

FIRST_RUN = "first run: no blessed model yet"
# How every reason ends for which what serves is no measure.
_NO_BASELINE = ": no baseline"


def no_baseline(
    surface: Surface, task: str, student: Measurement | None, baseline: Measurement | None, served: ServedModel | None
) -> str | None:
    """Why what serves is no measure for a metric of the student.

    Args:
      surface: The surface.
      task: Name of the task, or of the score.
      student: The student's metric.
      baseline: That of what serves.
      served: What serves; None where its files were not read, which excuses nothing.

    Returns:
      The reason; None where the two can be compared, or the student's own metric is the fault.
    """
    if served is None:
        return None
    changed = _new_or_changed(surface, task, served) if task in surface.tasks else _formula_unknown(surface, served)
    if changed:
        return f"{changed}{_NO_BASELINE}"
    undefined = baseline is None or baseline.value is None
    if not undefined or student is None or student.value is None:
        return None
    kept = {*surface.features, *surface.raw_columns}
    gone = [name for name in served.required if name not in kept]
    if gone:
        return f"what serves asks for {', '.join(gone)}, which the surface has no longer{_NO_BASELINE}"
    return f"what serves answers what is no finite number, or nothing at all{_NO_BASELINE}"


def _new_or_changed(surface: Surface, task: str, served: ServedModel) -> str | None:
    kind = surface.tasks[task].kind
    if task not in served.outputs:
        return "new task"
    if served.kinds.get(task, kind) != kind:
        return f"the task was {served.kinds[task]} and is {kind} now"
    return None


def _formula_unknown(surface: Surface, served: ServedModel) -> str | None:
    """Why the score of what serves is none: it serves none, and its tasks are not those of the formula either."""
    if surface.score is None or SCORE in served.outputs:
        return None
    read = [name for name in surface.score.expression().names if name in surface.tasks]
    reasons = {name: _new_or_changed(surface, name, served) for name in read}
    told = [f"{name}, {reason}" for name, reason in reasons.items() if reason]
    return f"the score reads {' and '.join(told)}" if told else None


def lacks_baseline(result: GateResult) -> bool:
    """Whether a bound was not judged since what serves is no measure."""
    return result.verdict is Verdict.NOT_JUDGED and result.reason.endswith(_NO_BASELINE)


def waits(result: GateResult) -> bool:
    """Whether a bound that was not judged waits for a model to compare with, and blocks nothing."""
    return result.reason == FIRST_RUN or lacks_baseline(result)


def comparison_checks(surface: Surface, served: ServedModel | None, gates: Iterable[GateResult]) -> Iterator[Check]:
    """Says what changed between what serves and the student; it hinders nothing."""
    if served is None:
        return
    lost = sorted(set(served.outputs) - set(surface.outputs))
    changed = ["the score is served no more" if name == SCORE else f"{name} is a task no more" for name in lost]
    reasons = {
        (result.task, result.reason): None
        for result in gates
        if result.kind is BoundKind.LAST_BLESSED and lacks_baseline(result)
    }
    ungated = [name for name in surface.tasks if name not in served.outputs and not surface.tasks[name].gates]
    changed += [f"{task}: {reason}" for task, reason in reasons]
    changed += [f"{name}: new task{_NO_BASELINE}" for name in ungated]
    if changed:
        text = (
            f"Compared with {served.title}, the surface has changed: {'; '.join(changed)}. What has no baseline "
            "is judged absolutely and against the control."
        )
        yield Check(name="comparison with what serves", verdict=Verdict.PASS, sentence=text)

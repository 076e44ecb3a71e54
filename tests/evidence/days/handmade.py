"""A result of a study that was not made."""

from __future__ import annotations

from evidence.days.cells import Question, Way
from evidence.days.result import Answer, CellReport, DaysResult, SpanDifference, Value

FRESH, OLD = "teacher 0 spans old", "teacher 3 spans old"


def cell(way: Way, window: int, labels: str, auc: float, seconds: float) -> CellReport:
    start = f"{way}, {window} span{'s' if window > 1 else ''}"
    parts = (None, "new_release")
    values = [Value(task="click", metric="auc", slice=part, mean=auc, std=0.01, by_span=[auc, None]) for part in parts]
    return CellReport(
        name=f"{start}: {labels}",
        way=way,
        window=window,
        labels=labels,
        rows=900.0 * window,
        seconds=seconds,
        values=values,
    )


def difference(question: Question, arm: str, other: str, answer: Answer, mean: float | None = 0.02) -> SpanDifference:
    ends = {"low": None, "high": None} if mean is None else {"low": mean - 0.01, "high": mean + 0.01}
    return SpanDifference(
        question=question, arm=arm, other=other, task="click", slice=None, mean=mean, answer=answer, **ends
    )


def result() -> DaysResult:
    goes_on, cold = "continued, 1 span", "cold, 7 spans"
    return DaysResult(
        surface="homepage",
        spans=[1, 2, 3],
        judged=[2, 3],
        seeds=3,
        window=1,
        cold=[7],
        confidence=0.95,
        margin=0.005,
        clusters=None,
        examples={"": 5000, "new_release": 300},
        cells=[
            *(cell(Way.CONTINUED, 1, labels, 0.7, 0.5) for labels in ("control", FRESH, OLD)),
            *(cell(Way.COLD, 7, labels, 0.68, 2.0) for labels in ("control", FRESH, OLD)),
        ],
        differences=[
            difference(Question.CONTINUING, f"{goes_on}: control", f"{cold}: control", Answer.BETTER),
            difference(Question.CONTINUING, f"{goes_on}: {FRESH}", f"{cold}: {FRESH}", Answer.OPEN),
            difference(Question.CONTINUING, f"{goes_on}: {OLD}", f"{cold}: {OLD}", Answer.OPEN, None),
            difference(Question.DISTILLING, f"{cold}: {FRESH}", f"{cold}: control", Answer.ALIKE, 0.0),
            difference(Question.AGEING, f"{goes_on}: {OLD}", f"{goes_on}: {FRESH}", Answer.WORSE, -0.02),
        ],
        seconds=1.0,
    )

"""What a study over spans says in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evidence.days.cells import Question, Way
from evidence.days.result import Answer, CellReport, DaysResult, SpanDifference

_SUBJECTS = {
    Question.DISTILLING: "students against their controls",
    Question.AGEING: "older teachers against the youngest",
    Question.REPLACING: "the new teacher against the old one",
}


def answers(result: DaysResult) -> list[str]:
    """A sentence on the cost of each way, and one on each question in each slice."""
    return [*_costs(result), *_found(result)]


def _costs(result: DaysResult) -> Iterator[str]:
    """What going on takes, against each cold start."""
    ours = _seconds(result, Way.CONTINUED, result.window)
    for window in result.cold:
        theirs = _seconds(result, Way.COLD, window)
        yield (
            f"A training that goes on with {_spans(result.window)} takes {ours:.2f} s, one that starts cold with "
            f"{_spans(window)} {theirs:.2f} s: {ours / theirs:.2f} of it."
        )


def _seconds(result: DaysResult, way: Way, window: int) -> float:
    found = [each.seconds for each in result.cells if each.way is way and each.window == window]
    return sum(found) / len(found)


def _found(result: DaysResult) -> Iterator[str]:
    cells = {each.name: each for each in result.cells}
    for part in dict.fromkeys(each.slice for each in result.differences):
        of_part = [each for each in result.differences if each.slice == part]
        where = f"On {part or 'all examples'} ({result.examples[part or '']:,}): "
        for window in result.cold:
            against = [each for each in of_part if _is_against(each, cells[each.other], window)]
            yield where + f"going on, against a cold start with {_spans(window)}, is {_counted(against, cells)}."
        for question, subject in _SUBJECTS.items():
            asked = [each for each in of_part if each.question is question]
            if asked:
                yield where + f"{subject}: {_counted(asked, cells)}."


def _is_against(each: SpanDifference, other: CellReport, window: int) -> bool:
    return each.question is Question.CONTINUING and other.window == window


def _counted(found: Sequence[SpanDifference], cells: dict[str, CellReport]) -> str:
    """How many of some differences have which answer; which ones, where something was shown."""
    parts = []
    for answer in Answer:
        of = [each for each in found if each.answer is answer]
        if not of:
            continue
        named = ""
        if answer in (Answer.BETTER, Answer.WORSE):
            named = " (" + "; ".join(_told(each, cells) for each in of) + ")"
        parts.append(f"{answer} in {len(of)} of {len(found)}{named}")
    return ", ".join(parts)


def _told(each: SpanDifference, cells: dict[str, CellReport]) -> str:
    """An arm by what the others of its question do not share with it."""
    cell = cells[each.arm]
    start = f"{cell.way}, {_spans(cell.window)}, " if each.question is Question.DISTILLING else ""
    return f"{start}{cell.labels}: {each.task} {each.mean:+.3f}"


def _spans(count: int) -> str:
    return f"{count} span{'s' if count > 1 else ''}"

"""What a study over spans found: the shape of its JSON."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from contracts.held_out import HeldOutRows
from evidence.days.cells import Question, Way


class Answer(StrEnum):
    """What an interval says of a difference."""

    BETTER = "better"
    WORSE = "worse"
    ALIKE = "as good"
    OPEN = "not decided"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Value(_Part):
    """An arm's metric.

    Attributes:
      task: The task.
      metric: Name of the task's metric.
      slice: None for all examples.
      mean: Over all judged spans together, mean over seeds; None where it is not defined.
      std: Over seeds.
      by_span: The mean over seeds in each judged span; None where it is not defined.
    """

    task: str
    metric: str
    slice: str | None
    mean: float | None
    std: float | None
    by_span: list[float | None]


class CellReport(_Part):
    """One arm.

    Attributes:
      name: Its name.
      way: What each training starts from.
      window: Spans that it is trained on.
      labels: Whose soft labels it learns; `control` for none.
      rows: Rows of a training, mean over the judged spans.
      seconds: What a training takes, the median over judged spans and seeds.
      values: Its metrics.
    """

    name: str
    way: Way
    window: int
    labels: str
    rows: float
    seconds: float
    values: list[Value]


class SpanDifference(_Part):
    """One arm minus another; positive is better.

    Attributes:
      question: What it is an answer to.
      arm: The one.
      other: The other.
      task: The task.
      slice: None for all examples.
      mean: The mean over seeds; None where the metric is not defined.
      low: Lower end of the interval; all of a question and slice hold together.
      high: Upper end.
      answer: What the interval says.
    """

    question: Question
    arm: str
    other: str
    task: str
    slice: str | None
    mean: float | None
    low: float | None
    high: float | None
    answer: Answer


class DaysResult(_Part):
    """A whole study.

    Attributes:
      surface: Name of the surface.
      spans: All spans, in order.
      judged: The spans whose `eval/` judged what was trained up to the span before.
      seeds: Paired seeds.
      window: Spans that continued arms are trained on.
      cold: Spans that cold arms are trained on.
      confidence: Joint confidence of each question's intervals in each slice.
      margin: A difference this small is none.
      clusters: The column whose values belong together, if any.
      examples: Judging examples, by slice; those of all under an empty name.
      cells: The arms.
      differences: What answers the questions.
      held_out_rows: How new users and items are to held-out rows and to those that judge, as a mean over the windows
        before each judged span: a person without a row in a window is new to it.
      seconds: All of it.
    """

    surface: str
    spans: list[int]
    judged: list[int]
    seeds: int
    window: int
    cold: list[int]
    confidence: float
    margin: float
    clusters: str | None
    examples: dict[str, int]
    cells: list[CellReport]
    differences: list[SpanDifference]
    held_out_rows: list[HeldOutRows] = []
    seconds: float

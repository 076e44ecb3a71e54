"""What two weeks of sessions found, as it is written down: `evidence.sessions`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from contracts.held_out import HeldOutRows
from evidence.live import Lift


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionLift(Lift):
    """What the student does to one metric, a key of `evidence.sessions.METRICS`; `control` is its value there.

    Attributes:
      student: The student's value, mean over pairs.
    """

    student: float


class Choice(_Part):
    """What was chosen for the minutes of a session, on people who do not judge.

    Attributes:
      over: What was varied: `discovery=0:4`.
      values: The grid.
      people: Who chose.
      students: The value of each pair's student.
      controls: The value of each pair's control.
      student_minutes: Minutes of a session at each value among those who chose, mean over students.
      control_minutes: Likewise, of the controls.
    """

    over: str
    values: list[float]
    people: int
    students: list[float]
    controls: list[float]
    student_minutes: list[float]
    control_minutes: list[float]


class SessionsResult(_Part):
    """Everything that two weeks of sessions found.

    Attributes:
      surface: `homepage`, or another page for visitors of one's own.
      visitors: `embedded`, or the import path of who made them.
      people: Who judged.
      days: For how long.
      sessions: Of the controls, mean over pairs.
      pairs: Student and control of each pair.
      confidence: Joint confidence of the lifts' intervals.
      draws: Number of A/A runs.
      choice: None where both arms rank by the surface's own score.
      lifts: One a metric.
      held_out_rows: How new users and items are to held-out rows, and to the run's evaluation; empty for pairs that
        were given, of whose training nothing is known.
      seconds: All of it.
    """

    surface: str
    visitors: str
    people: int
    days: int
    sessions: float
    pairs: list[tuple[str, str]]
    confidence: float
    draws: int
    choice: Choice | None
    lifts: list[SessionLift]
    held_out_rows: list[HeldOutRows] = []
    seconds: float

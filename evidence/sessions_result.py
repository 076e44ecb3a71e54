"""What two weeks of sessions found, as it is written down: `evidence.sessions`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionLift(_Part):
    """What the student does to one metric, relative to the control.

    Attributes:
      metric: A key of `evidence.sessions.METRICS`.
      control: The control's value, mean over pairs.
      student: The student's.
      mean: Relative difference, mean over pairs; .01 is one percent more.
      low: The lower end of the joint interval.
      high: Its other end.
      p_value: Two-sided, not corrected.
      replicates: The relative difference of each pair.
      same_model: The first A/A run: mean and the ends of its interval.
      same_model_held: In how many A/A runs the interval held zero.
    """

    metric: str
    control: float
    student: float
    mean: float
    low: float
    high: float
    p_value: float
    replicates: list[float]
    same_model: tuple[float, float, float]
    same_model_held: int


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
    seconds: float

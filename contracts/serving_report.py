"""The serving report: every check, and what loading and answering took."""

from __future__ import annotations

from typing import ClassVar

from contracts.base import Document, Part
from contracts.decision import Check
from contracts.roles import ModelRole


class Cost(Part):
    """What one model costs a server before it has answered anything.

    Attributes:
      megabytes: The size of all of its files together, in 10^6 bytes.
      load_seconds: From nothing to a session, in a process that had not loaded it before; the
        first model that a process loads also pays for TensorFlow's own setting up.
      first_request_seconds: The first answer, which sets up what later ones reuse.
    """

    megabytes: float
    load_seconds: float | None
    first_request_seconds: float | None


class Latency(Part):
    """The student's latency beside another model's, measured in turn in one process.

    Attributes:
      against: `control` or `last_blessed`.
      batch_size: Requests per call.
      calls: Calls per model.
      student_p50_ms: Median over all calls, in milliseconds; likewise the other three.
      p50_ratio: student / other, the median over rounds of the ratio within a round.
      p99_ratio: The same for the 99th percentile.
      limit: Most that p99_ratio may be.
    """

    against: ModelRole
    batch_size: int
    calls: int
    student_p50_ms: float
    student_p99_ms: float
    other_p50_ms: float
    other_p99_ms: float
    p50_ratio: float
    p99_ratio: float
    limit: float


class ServingBudget(Part):
    """Something absolute that was asked of the student.

    Attributes:
      what: What was measured: `p99, batches of 16`, or `size`.
      unit: The unit of both numbers.
      found: What was found.
      most: What is allowed.
    """

    what: str
    unit: str
    found: float
    most: float


class ServingReport(Document):
    """Whether a student can serve, and how it compares.

    Attributes:
      surface: Name of the surface.
      blessed: True only if every check passed.
      sentence: The whole in one sentence.
      model: URI of the student.
      model_fingerprint: The fingerprint of its content; see `records.content`.
      requests: Requests that were sent.
      checks: Every check; those that a failure made impossible are not among them.
      models: Costs by model: `student`, `control` and, where there is one, `last_blessed`.
      latencies: The latencies by other model and batch size.
      budgets: What was asked of the student alone.
    """

    FILE: ClassVar[str] = "report.json"
    TITLE: ClassVar[str] = "a serving report"

    surface: str
    blessed: bool
    sentence: str
    model: str
    model_fingerprint: str
    requests: int
    checks: tuple[Check, ...]
    models: dict[str, Cost]
    latencies: tuple[Latency, ...]
    budgets: tuple[ServingBudget, ...] = ()

"""The serving report: every check, and what loading and answering took."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from components import documents
from components.blessing_gate.decision import Check

REPORT_FILE = "report.json"
STUDENT, CONTROL, LAST_BLESSED = "student", "control", "last_blessed"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cost(_Part):
    """What one model costs a server before it has answered anything.

    Attributes:
      megabytes: Of all of its files, 10^6 bytes each.
      load_seconds: From nothing to a session, in a process that had not loaded it before; the
        first model that a process loads also pays for TensorFlow's own setting up.
      first_request_seconds: The first answer, which sets up what later ones reuse.
    """

    megabytes: float
    load_seconds: float | None
    first_request_seconds: float | None


class Latency(_Part):
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

    against: str
    batch_size: int
    calls: int
    student_p50_ms: float
    student_p99_ms: float
    other_p50_ms: float
    other_p99_ms: float
    p50_ratio: float
    p99_ratio: float
    limit: float


class ServingReport(_Part):
    """Whether a student can serve, and how it compares.

    Attributes:
      surface: Name of the surface.
      blessed: True only if every check passed.
      sentence: The whole in one sentence.
      model: URI of the student.
      model_fingerprint: Of its content; see `components.model_pusher.content`.
      requests: Requests that were sent.
      checks: Every check; those that a failure made impossible are not among them.
      models: Costs by model: `student`, `control` and, where there is one, `last_blessed`.
      latencies: By other model and batch size.
    """

    surface: str
    blessed: bool
    sentence: str
    model: str
    model_fingerprint: str
    requests: int
    checks: tuple[Check, ...]
    models: dict[str, Cost]
    latencies: tuple[Latency, ...]


def write(uri: str, report: ServingReport) -> None:
    """Writes the report into a ServingReport artifact's folder."""
    documents.write(uri, REPORT_FILE, report)


def read(uri: str) -> ServingReport:
    """Reads the report in a ServingReport artifact.

    Raises:
      InputError: There is no report, or it is not one.
    """
    return documents.read(uri, REPORT_FILE, ServingReport, "a serving report")

"""What the server was asked while something happened, and what became of it."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel

from benchmarks.server.load import Answer, answered
from records.sessions import SessionModel
from records.versions import Versions

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Swap:
    """Something that gave the server another version.

    Attributes:
      version: The version that it is to serve from then on.
      command_seconds: How long `crosskd` took.
      told: When the server was told, in seconds of the monotonic clock.
      loaded: When it had loaded it.
    """

    version: int
    command_seconds: float
    told: float
    loaded: float


@dataclass(frozen=True)
class Phase:
    """A stretch of time under load.

    Attributes:
      name: What happened in it.
      answers: To what was due in it.
      begin: When it began.
      end: When it ended.
      swap: Which version was brought in it; None where none was.
    """

    name: str
    answers: list[Answer]
    begin: float
    end: float
    swap: Swap | None = None


class PhaseFigures(BaseModel):
    """What is reported of a phase.

    Attributes:
      phase: What happened in it.
      requests: How many requests were due.
      rate: Requests answered a second.
      p50_ms: Of the latency, from when a request was due until it was answered.
      p95_ms: Likewise.
      p99_ms: Likewise.
      max_ms: Likewise.
      failed: Requests without an answer of status 200.
      wrong: Answers that are further than 1e-6 from what the version that they name says in a session here.
      stale: Answers to requests that were sent after the server had loaded another version, from the one before.
      versions: Requests by the version that answered.
      command_seconds: How long the `crosskd` of this phase took.
      load_seconds: How long the server took to load what that brought.
      max_ms_in_load: The longest latency of what was due meanwhile.
    """

    phase: str
    requests: int
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    failed: int
    wrong: int
    stale: int
    versions: dict[int, int]
    command_seconds: float | None = None
    load_seconds: float | None = None
    max_ms_in_load: float | None = None


@dataclass
class References:
    """What each version says of each request, in a session of its own here.

    Attributes:
      versions: Where the versions lie.
      requests: The serialized tf.Examples of each request.
    """

    versions: Versions
    requests: Sequence[Sequence[bytes]]
    known: dict[int, list[dict[str, np.ndarray]]] = field(default_factory=dict)

    def distance(self, answer: Answer) -> float:
        """How far an answer is from what its version says; infinite where outputs or shapes differ."""
        version, found = answered(answer.body)
        expected = self._of(version)[answer.request]
        if {name: each.shape for name, each in found.items()} != {name: each.shape for name, each in expected.items()}:
            return float("inf")
        return max(float(np.max(np.abs(found[name] - expected[name]))) for name in expected)

    def _of(self, version: int) -> list[dict[str, np.ndarray]]:
        if version not in self.known:
            model = SessionModel(self.versions.path(version))
            self.known[version] = [
                {name: values.reshape(len(values), -1) for name, values in model.predict(each).items()}
                for each in self.requests
            ]
            model.close()
        return self.known[version]


def figures(phase: Phase, distance: Callable[[Answer], float]) -> PhaseFigures:
    """What is reported of a phase; `distance` says how far an answer is from what it should be."""
    good = [each for each in phase.answers if each.status == http.client.OK]
    milliseconds = np.array([each.seconds * 1e3 for each in phase.answers])
    p50, p95, p99 = (round(float(each), 2) for each in np.percentile(milliseconds, (50, 95, 99)))
    by = [answered(each.body)[0] for each in good]
    return PhaseFigures(
        phase=phase.name,
        requests=len(phase.answers),
        rate=round(len(good) / (phase.end - phase.begin), 1),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=round(float(milliseconds.max()), 2),
        failed=len(phase.answers) - len(good),
        wrong=sum(not distance(each) <= TOLERANCE for each in good),
        stale=_stale(good, by, phase.swap),
        versions={version: by.count(version) for version in sorted(set(by))},
        command_seconds=round(phase.swap.command_seconds, 1) if phase.swap else None,
        load_seconds=round(phase.swap.loaded - phase.swap.told, 2) if phase.swap else None,
        max_ms_in_load=_longest_in_load(phase.answers, phase.swap),
    )


def _longest_in_load(answers: Sequence[Answer], swap: Swap | None) -> float | None:
    """Milliseconds; None where nothing was loaded, or nothing was due meanwhile."""
    if swap is None:
        return None
    seconds = [each.seconds for each in answers if swap.told <= each.due < swap.loaded]
    return round(max(seconds) * 1e3, 2) if seconds else None


def _stale(answers: Sequence[Answer], versions: Sequence[int], swap: Swap | None) -> int:
    """Requests that were sent when the swap was over, and not answered by what it brought."""
    if swap is None:
        return 0
    after = zip(answers, versions, strict=True)
    return sum(each.sent > swap.loaded and version != swap.version for each, version in after)

"""Whether Argo tries a node again, and until when.

After `processNodeRetries` of Argo Workflows 4.0.5 (`workflow/controller/operator.go`), and
`getTaskRetryParametersWithValues` of Kubeflow Pipelines 2.17.0, which fills its strategy from a
task's retry policy (`compiler/argocompiler/container.go`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """One attempt at a node, which failed.

    Attributes:
      started: When, in seconds.
      finished: When, in seconds.
    """

    started: float
    finished: float


@dataclass(frozen=True)
class Verdict:
    """What Argo does after failed attempts.

    Attributes:
      start: When the next attempt may start, in seconds; None if there is none.
      deadline: When that attempt's pod is ended, in seconds.
      message: What the node says if there is no other attempt.
    """

    start: float | None
    deadline: float = math.inf
    message: str = ""


def after(attempts: Sequence[Attempt], policy: dict[str, Any] | None) -> Verdict:
    """Decides after the last of these attempts has failed.

    Args:
      attempts: All so far, the first one first.
      policy: `retryPolicy` of the task; None for none.
    """
    if policy is None:
        return Verdict(None, message="failed")
    # Where the policy leaves it out, Kubeflow's template says "0": at once exceeded.
    deadline = attempts[0].started + _seconds(policy.get("backoffMaxDuration", "0s"))
    last = attempts[-1].finished
    if last > deadline:
        return Verdict(None, message="Max duration limit exceeded")
    wait = _seconds(policy["backoffDuration"]) * int(policy["backoffFactor"]) ** (len(attempts) - 1)
    if last + wait > deadline:
        return Verdict(None, message="Backoff would exceed max duration limit")
    if len(attempts) > policy["maxRetryCount"]:
        return Verdict(None, message="No more retries left")
    return Verdict(last + wait, deadline)


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))

"""What is asked of a student as a server meets it: its latency, its size, and what its clients may lose."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from schema.base import Strict

PositiveNumber = Annotated[float, Field(gt=0)]


class BreakingChange(Strict):
    """The word that clients are ready for a change of the serving signature, for one change alone.

    Attributes:
      version: The version that serves, and whose clients are ready; once another version serves, the
        word is spent.
      outputs: Tasks that go away, or change their kind or type.
      inputs: Features that become required, or change their type.
    """

    version: PositiveInt
    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_something(self) -> BreakingChange:
        if not self.outputs and not self.inputs:
            raise ValueError("expected the `outputs` or `inputs` that change, found neither")
        return self


class Serving(Strict):
    """What is asked of a student as a server meets it, beside the quality of what it predicts.

    Attributes:
      requests: Examples of the evaluation split that are sent as requests.
      batch_sizes: Requests per call whose latency is measured.
      rounds: How often student and other models are measured in turn; the ratio of two
        models' p99 is the median over the rounds.
      calls: Calls per model in each round; p99 is taken over them.
      max_p99_ratio_vs_control: Most that the student's p99 may be, relative to the control's.
      max_p99_ratio_vs_last_blessed: The same, relative to the last blessed model's.
      max_p99_ms: Most milliseconds that the student's p99 may be on the machine of the run: of every
        batch size, or of some, as `{1: 2.5, 128: 20}`; None asks nothing.  Unlike the ratios, it
        says something of one machine alone.
      max_size_mb: Most that the student's files may be together, in 10^6 bytes; None asks nothing.
      breaking_change: Changes that break the clients of the version that serves, and that they are
        ready for; None allows none.
    """

    requests: PositiveInt = 256
    batch_sizes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 16, 128)
    rounds: PositiveInt = 11
    calls: PositiveInt = 100
    max_p99_ratio_vs_control: Annotated[float, Field(gt=0)] = 1.25
    max_p99_ratio_vs_last_blessed: Annotated[float, Field(gt=0)] = 1.5
    max_p99_ms: PositiveNumber | dict[PositiveInt, PositiveNumber] | None = None
    max_size_mb: PositiveNumber | None = None
    breaking_change: BreakingChange | None = None

    @property
    def p99_budgets(self) -> dict[int, float]:
        """The most milliseconds of a p99 by batch size, where something is asked."""
        if self.max_p99_ms is None:
            return {}
        return (
            self.max_p99_ms if isinstance(self.max_p99_ms, dict) else dict.fromkeys(self.batch_sizes, self.max_p99_ms)
        )

    @model_validator(mode="after")
    def _budgets_are_measured(self) -> Serving:
        unmeasured = sorted(set(self.p99_budgets) - set(self.batch_sizes))
        if unmeasured:
            sizes = ", ".join(map(str, self.batch_sizes))
            raise ValueError(
                f"max_p99_ms: expected batch sizes that are measured (batch_sizes: {sizes}), found {unmeasured[0]}"
            )
        return self

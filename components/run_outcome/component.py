"""RunOutcome: the last node of a run, which fails if the run did not come to what was asked."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types.channel import BaseChannel

from components.run_outcome.executor import Executor
from components.run_outcome.spec import RunOutcomeSpec
from contracts.outcome import Outcome
from records.code import code_version


class RunOutcome(base_component.BaseComponent):
    """A component that shows a scheduler how a run ended.

    On one machine a command has an exit code.  A backend knows runs that succeeded and runs that
    failed, lists them so, and alerts by it; a run whose student is not blessed has done all its
    work.  So this node comes after all others and fails, with the same exit code, where the run
    did not come to what was asked.

    Example:
      ```python
      outcome = RunOutcome(
          decision=gate.outputs["decision"],
          pushed_model=pusher.outputs["pushed_model"],
          page=report.outputs["page"],
          fails_unless=Outcome.PUSHED,
      )
      ```
    """

    SPEC_CLASS = RunOutcomeSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        decision: BaseChannel[Any],
        pushed_model: BaseChannel[Any],
        page: BaseChannel[Any],
        fails_unless: Outcome,
    ) -> None:
        """Constructs the component.

        Args:
          decision: Channel of `contracts.artifacts.GateDecision`.
          pushed_model: Channel of `standard_artifacts.PushedModel`.
          page: Channel of `contracts.artifacts.HtmlPage`: it is there before the run ends.
          fails_unless: What the run must come to.
        """
        spec = RunOutcomeSpec(
            decision=decision,
            pushed_model=pushed_model,
            page=page,
            fails_unless=Outcome(fails_unless).value,
            code=code_version("components.run_outcome"),
        )
        super().__init__(spec=spec)

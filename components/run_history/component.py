"""RunHistory: finds what earlier runs came to where they pushed, and leaves what this one came to."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils
from tfx.types.channel import BaseChannel

from components.run_history.executor import Executor
from components.run_history.spec import RunHistorySpec
from contracts.artifacts import GateDecision, LabelReportArtifact
from records.code import code_version
from schema.errors import InputError


class RunHistory(base_component.BaseComponent):
    """A component that tells a run of the runs before it, for backends that resolve nothing.

    On one machine a resolver asks ML Metadata.  Other backends run no resolver of ours, and
    what all runs of a deployment reach is the push destination.  So each run leaves its
    decision and its label report there, in a folder that model servers pass over.

    Component `outputs` contains:

     - `earlier_decisions`: `contracts.artifacts.GateDecision`: one artifact for each earlier run,
       the oldest first; with the custom property `absent` where there is none.
     - `earlier_label_reports`: The same of `contracts.artifacts.LabelReportArtifact`.

    It looks at what lies outside of the pipeline, so a backend must not cache it.

    Example:
      ```python
      history = RunHistory(
          decision=gate.outputs["decision"],
          label_report=labeler.outputs["label_report"],
          model_blessing=gate.outputs["blessing"],
          serving="/serving/homepage",
          most=60,
      )
      ```
    """

    SPEC_CLASS = RunHistorySpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        decision: BaseChannel[Any],
        label_report: BaseChannel[Any],
        model_blessing: BaseChannel[Any],
        serving: str,
        most: int,
    ) -> None:
        """Constructs the component.

        Args:
          decision: Channel of `contracts.artifacts.GateDecision`: this run's.
          label_report: Channel of `contracts.artifacts.LabelReportArtifact`: this run's.
          model_blessing: Channel of `standard_artifacts.ModelBlessing`: names the model that was judged.
          serving: The push destination's base directory.
          most: How many earlier runs are found; of more, the newest.

        Raises:
          InputError: `serving` is empty, or `most` less than one.
        """
        if not serving:
            raise InputError("RunHistory: serving: expected the push destination's base directory, found nothing")
        if most < 1:
            raise InputError(f"RunHistory: most: expected at least one, found {most}")
        spec = RunHistorySpec(
            decision=decision,
            label_report=label_report,
            model_blessing=model_blessing,
            serving=serving,
            most=most,
            code=code_version("components.run_history"),
            earlier_decisions=channel_utils.as_channel([GateDecision()]),
            earlier_label_reports=channel_utils.as_channel([LabelReportArtifact()]),
        )
        super().__init__(spec=spec)

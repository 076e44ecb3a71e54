"""BlessingGate: the last word on whether a student is pushed."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.blessing_gate.executor import Executor
from components.blessing_gate.spec import BlessingGateSpec
from contracts.artifacts import GateDecision
from records.code import code_version
from schema.checks import from_json
from schema.surface import Surface


class BlessingGate(base_component.BaseComponent):
    """A component that judges every gate of a surface from both evaluations.

    Component `outputs` contains:

     - `blessing`: `standard_artifacts.ModelBlessing`, as TFX's Evaluator writes it: Pusher and
       LatestBlessedModelStrategy read it.
     - `decision`: `contracts.artifacts.GateDecision`.

    Example:
      ```python
      gate = BlessingGate(
          model=student.outputs["model"],
          evaluation=evaluator.outputs["evaluation"],
          control_evaluation=evaluator.outputs["control_evaluation"],
          surface=surface.model_dump_json(by_alias=True),
      )
      pusher = Pusher(model=student.outputs["model"], model_blessing=gate.outputs["blessing"], ...)
      ```
    """

    SPEC_CLASS = BlessingGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel[Any],
        evaluation: BaseChannel[Any],
        control_evaluation: BaseChannel[Any],
        surface: str,
        label_report: BaseChannel[Any] | None = None,
        infra_blessing: BaseChannel[Any] | None = None,
        baseline_model: BaseChannel[Any] | None = None,
        statistics: BaseChannel[Any] | None = None,
        serving: str = "",
        teacher: str = "",
        data_span: str = "",
    ) -> None:
        """Constructs the component.

        Args:
          model: Channel of `standard_artifacts.Model`: the student.
          evaluation: Channel of `standard_artifacts.ModelEvaluation`: the student against the
            last blessed model, or alone where there is none yet.
          control_evaluation: The same against the control.
          surface: A `schema.surface.Surface` as JSON.
          label_report: Channel of `contracts.artifacts.LabelReportArtifact`; no student is
            blessed if the teacher labelled nothing.
          infra_blessing: Channel of `standard_artifacts.InfraBlessing`; a model that cannot
            be served is not blessed.
          baseline_model: Channel of `standard_artifacts.Model`: the last blessed model, to say why
            a task cannot be compared with it; may resolve to none.
          statistics: Channel of `standard_artifacts.ExampleStatistics` of the newest examples: the decision says
            where they lie, and the report of the next run tells by them how features drifted.
          serving: The push destination's base directory, beside whose versions it is kept since when a teacher labels.
          teacher: The fingerprint of the teacher's content.
          data_span: The spans that the student was trained on, A:B; empty without spans.

        Raises:
          InputError: `surface` is not a surface.
        """
        from_json(Surface, surface, "BlessingGate: surface", "a Surface")
        spec = BlessingGateSpec(
            model=model,
            evaluation=evaluation,
            control_evaluation=control_evaluation,
            label_report=label_report,
            infra_blessing=infra_blessing,
            baseline_model=baseline_model,
            statistics=statistics,
            surface=surface,
            serving=serving,
            teacher=teacher,
            data_span=data_span,
            code=code_version("components.blessing_gate"),
            blessing=channel_utils.as_channel([standard_artifacts.ModelBlessing()]),
            decision=channel_utils.as_channel([GateDecision()]),
        )
        super().__init__(spec=spec)

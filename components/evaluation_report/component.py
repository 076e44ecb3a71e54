"""EvaluationReport: the page that people decide by."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils
from tfx.types.channel import BaseChannel

from components.evaluation_report.executor import Executor
from components.evaluation_report.spec import EvaluationReportSpec
from contracts.artifacts import HtmlPage
from contracts.provenance import Origin
from records.code import code_version
from schema.checks import from_json
from schema.surface import Surface


class EvaluationReport(base_component.BaseComponent):
    """A component that writes one HTML page about a run, blessed or not.

    Component `outputs` contains:

     - `page`: `contracts.artifacts.HtmlPage`.

    Example:
      ```python
      report = EvaluationReport(
          decision=gate.outputs["decision"],
          evaluation=evaluator.outputs["evaluation"],
          control_evaluation=evaluator.outputs["control_evaluation"],
          label_report=labeler.outputs["label_report"],
          serving_report=validator.outputs["report"],
          student_run=student.outputs["model_run"],
          control_run=control.outputs["model_run"],
          surface=surface.model_dump_json(by_alias=True),
          origin=origin.model_dump_json(),
      )
      ```
    """

    SPEC_CLASS = EvaluationReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        decision: BaseChannel[Any],
        evaluation: BaseChannel[Any],
        control_evaluation: BaseChannel[Any],
        label_report: BaseChannel[Any],
        serving_report: BaseChannel[Any],
        student_run: BaseChannel[Any],
        control_run: BaseChannel[Any],
        surface: str,
        origin: str,
        statistics: BaseChannel[Any] | None = None,
        pushed_model: BaseChannel[Any] | None = None,
        earlier_decisions: BaseChannel[Any] | None = None,
        earlier_label_reports: BaseChannel[Any] | None = None,
        measurements: str = "",
    ) -> None:
        """Constructs the component.

        Args:
          decision: Channel of `contracts.artifacts.GateDecision`.
          evaluation: Channel of `standard_artifacts.ModelEvaluation`: the student against the
            last blessed model, or alone.
          control_evaluation: The same against the control.
          label_report: Channel of `contracts.artifacts.LabelReportArtifact`.
          serving_report: Channel of `contracts.artifacts.ServingReportArtifact`.
          student_run: Channel of `standard_artifacts.ModelRun`: the student's losses.
          control_run: The same of the control.
          surface: A `schema.surface.Surface` as JSON.
          origin: A `contracts.provenance.Origin` as JSON.
          statistics: Channel of `standard_artifacts.ExampleStatistics` of the examples, for the
            distribution of hard labels.
          pushed_model: Channel of `standard_artifacts.PushedModel`, for what became of the student.
          earlier_decisions: Channel of `GateDecision` of earlier runs.  It must not change when
            an unchanged run is repeated; see `pipeline.resolvers.EarlierRuns`.
          earlier_label_reports: The same of `LabelReport`.
          measurements: Folder in which the runner keeps a `contracts.measurements.Measurements` of the nodes that
            are finished; empty where it measures none.

        Raises:
          InputError: `surface` or `origin` is not what it should be.
        """
        from_json(Surface, surface, "EvaluationReport: surface", "a Surface")
        from_json(Origin, origin, "EvaluationReport: origin", "an Origin, with at least `surface`,")
        spec = EvaluationReportSpec(
            decision=decision,
            evaluation=evaluation,
            control_evaluation=control_evaluation,
            label_report=label_report,
            serving_report=serving_report,
            student_run=student_run,
            control_run=control_run,
            statistics=statistics,
            pushed_model=pushed_model,
            earlier_decisions=earlier_decisions,
            earlier_label_reports=earlier_label_reports,
            surface=surface,
            origin=origin,
            measurements=measurements,
            code=code_version("components.evaluation_report"),
            page=channel_utils.as_channel([HtmlPage()]),
        )
        super().__init__(spec=spec)

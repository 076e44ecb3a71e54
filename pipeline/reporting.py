"""After the last stage: one page about the run, for people."""

from __future__ import annotations

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode

from components.evaluation_report.component import EvaluationReport
from contracts import nodes
from contracts.artifacts import GateDecision, LabelReportArtifact
from pipeline import resolvers
from pipeline.judging import Judging
from pipeline.labelling import Labelling
from pipeline.settings import Settings
from pipeline.training import TrainedArms


def reporting(
    settings: Settings, labelled: Labelling, trained: TrainedArms, judged: Judging, *, history: bool = True
) -> list[BaseNode]:
    """Writes the report, blessed or not.

    It comes after the pusher, to say what became of the student.

    Args:
      settings: The run's.
      labelled: The first stage.
      trained: The second stage.
      judged: The last stage.
      history: Whether to show earlier runs; a resolver strategy of our own finds them, which
        not every backend can run.
    """
    earlier = _earlier(labelled, judged) if history else None
    report = EvaluationReport(
        decision=judged.decision,
        evaluation=judged.evaluation,
        control_evaluation=judged.control_evaluation,
        label_report=labelled.report,
        serving_report=judged.serving_report,
        student_run=trained.student_run,
        control_run=trained.control_run,
        statistics=labelled.statistics,
        pushed_model=judged.pushed_model,
        earlier_decisions=earlier.outputs[resolvers.DECISIONS] if earlier else None,
        earlier_label_reports=earlier.outputs[resolvers.LABEL_REPORTS] if earlier else None,
        surface=settings.surface_json,
        origin=settings.origin.model_dump_json(),
    ).with_id(nodes.EVALUATION_REPORT)
    return [earlier, report] if earlier else [report]


def _earlier(labelled: Labelling, judged: Judging) -> tfx.dsl.Resolver:
    return tfx.dsl.Resolver(
        strategy_class=resolvers.EarlierRuns,
        decision=judged.decision,
        label_report=labelled.report,
        # All of them: channels with a producer would be merged with those of this run.
        earlier_decisions=tfx.dsl.Channel(type=GateDecision),
        earlier_label_reports=tfx.dsl.Channel(type=LabelReportArtifact),
    ).with_id(nodes.EARLIER_RUNS)

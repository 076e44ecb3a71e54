"""After the last stage: one page about the run, for people, and how the run ends."""

from __future__ import annotations

from tfx.dsl.components.base.base_node import BaseNode

from components.evaluation_report.component import EvaluationReport
from components.run_outcome.component import RunOutcome
from contracts import keys, nodes
from contracts.outcome import Outcome
from pipeline.earlier_runs import FindEarlierRuns, from_metadata
from pipeline.judging import Judging
from pipeline.labelling import Labelling
from pipeline.settings import Settings
from pipeline.training import TrainedArms


def reporting(
    settings: Settings,
    labelled: Labelling,
    trained: TrainedArms,
    judged: Judging,
    earlier_runs: FindEarlierRuns = from_metadata,
    fails_unless: Outcome | None = None,
) -> list[BaseNode]:
    """Writes the report, blessed or not.

    It comes after the pusher, to say what became of the student.

    Args:
      settings: The run's.
      labelled: The first stage.
      trained: The second stage.
      judged: The last stage.
      earlier_runs: Makes the node that finds what earlier runs came to; see `pipeline.earlier_runs`.
      fails_unless: As for `pipeline.pipeline.create_pipeline`.
    """
    earlier = earlier_runs(settings, judged, labelled.report)
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
        earlier_decisions=earlier.decisions,
        earlier_label_reports=earlier.label_reports,
        surface=settings.surface_json,
        origin=settings.origin.model_dump_json(),
        measurements=settings.measurements,
    ).with_id(nodes.EVALUATION_REPORT)
    if fails_unless is None:
        return [earlier.node, report]
    outcome = RunOutcome(
        decision=judged.decision,
        pushed_model=judged.pushed_model,
        page=report.outputs[keys.PAGE],
        fails_unless=fails_unless,
    ).with_id(nodes.OUTCOME)
    return [earlier.node, report, outcome]

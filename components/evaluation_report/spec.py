"""The string keys of EvaluationReport: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys
from contracts.artifacts import GateDecision, HtmlPage, LabelReportArtifact, ServingReportArtifact

DECISION_KEY = keys.DECISION
EVALUATION_KEY = "evaluation"
CONTROL_EVALUATION_KEY = keys.CONTROL_EVALUATION
LABEL_REPORT_KEY = keys.LABEL_REPORT
SERVING_REPORT_KEY = "serving_report"
STUDENT_RUN_KEY = "student_run"
CONTROL_RUN_KEY = "control_run"
STATISTICS_KEY = "statistics"
PUSHED_MODEL_KEY = keys.PUSHED_MODEL
EARLIER_DECISIONS_KEY = "earlier_decisions"
EARLIER_LABEL_REPORTS_KEY = "earlier_label_reports"
PAGE_KEY = keys.PAGE
SURFACE_KEY = keys.SURFACE
ORIGIN_KEY = "origin"
MEASUREMENTS_KEY = "measurements"


class EvaluationReportSpec(ComponentSpec):
    """Inputs, outputs and execution properties of EvaluationReport."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SURFACE_KEY: ExecutionParameter(type=str),
        ORIGIN_KEY: ExecutionParameter(type=str),
        MEASUREMENTS_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        DECISION_KEY: ChannelParameter(type=GateDecision),
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        CONTROL_EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        LABEL_REPORT_KEY: ChannelParameter(type=LabelReportArtifact),
        SERVING_REPORT_KEY: ChannelParameter(type=ServingReportArtifact),
        STUDENT_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun),
        CONTROL_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun),
        STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
        EARLIER_DECISIONS_KEY: ChannelParameter(type=GateDecision, optional=True),
        EARLIER_LABEL_REPORTS_KEY: ChannelParameter(type=LabelReportArtifact, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        PAGE_KEY: ChannelParameter(type=HtmlPage),
    }

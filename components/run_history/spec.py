"""The string keys of RunHistory: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys
from contracts.artifacts import GateDecision, LabelReportArtifact

DECISION_KEY = keys.DECISION
LABEL_REPORT_KEY = keys.LABEL_REPORT
BLESSING_KEY = "model_blessing"
DECISIONS_KEY = "earlier_decisions"
LABEL_REPORTS_KEY = "earlier_label_reports"
SERVING_KEY = "serving"
MOST_KEY = "most"


class RunHistorySpec(ComponentSpec):
    """Inputs, outputs and execution properties of RunHistory."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SERVING_KEY: ExecutionParameter(type=str),
        MOST_KEY: ExecutionParameter(type=int),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        DECISION_KEY: ChannelParameter(type=GateDecision),
        LABEL_REPORT_KEY: ChannelParameter(type=LabelReportArtifact),
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS = {  # noqa: RUF012
        DECISIONS_KEY: ChannelParameter(type=GateDecision),
        LABEL_REPORTS_KEY: ChannelParameter(type=LabelReportArtifact),
    }

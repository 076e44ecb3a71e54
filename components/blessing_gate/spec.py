"""The string keys of BlessingGate: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys
from contracts.artifacts import GateDecision, LabelReportArtifact

MODEL_KEY = "model"
EVALUATION_KEY = "evaluation"
CONTROL_EVALUATION_KEY = keys.CONTROL_EVALUATION
LABEL_REPORT_KEY = keys.LABEL_REPORT
INFRA_BLESSING_KEY = "infra_blessing"
BASELINE_KEY = "baseline_model"
STATISTICS_KEY = "statistics"
BLESSING_KEY = "blessing"
DECISION_KEY = keys.DECISION
SURFACE_KEY = keys.SURFACE
SERVING_KEY = "serving"
TEACHER_KEY = "teacher"
DATA_SPAN_KEY = "data_span"


class BlessingGateSpec(ComponentSpec):
    """Inputs, outputs and execution properties of BlessingGate."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SURFACE_KEY: ExecutionParameter(type=str),
        SERVING_KEY: ExecutionParameter(type=str),
        TEACHER_KEY: ExecutionParameter(type=str),
        DATA_SPAN_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        CONTROL_EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        LABEL_REPORT_KEY: ChannelParameter(type=LabelReportArtifact, optional=True),
        INFRA_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
        STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        DECISION_KEY: ChannelParameter(type=GateDecision),
    }

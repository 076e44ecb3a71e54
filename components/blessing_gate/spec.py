"""The string keys of BlessingGate: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import GateDecision, LabelReport
from components.code import CODE_KEY

MODEL_KEY = "model"
EVALUATION_KEY = "evaluation"
CONTROL_EVALUATION_KEY = "control_evaluation"
LABEL_REPORT_KEY = "label_report"
INFRA_BLESSING_KEY = "infra_blessing"
BLESSING_KEY = "blessing"
DECISION_KEY = "decision"
SURFACE_KEY = "surface"


class BlessingGateSpec(ComponentSpec):
    """Inputs, outputs and execution properties of BlessingGate."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SURFACE_KEY: ExecutionParameter(type=str),
        CODE_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        CONTROL_EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        LABEL_REPORT_KEY: ChannelParameter(type=LabelReport, optional=True),
        INFRA_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        DECISION_KEY: ChannelParameter(type=GateDecision),
    }

"""The string keys of ServingValidator: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys
from contracts.artifacts import ServingReportArtifact

MODEL_KEY = "model"
CONTROL_KEY = "control"
BASELINE_KEY = "baseline_model"
EXAMPLES_KEY = "examples"
BLESSING_KEY = "blessing"
REPORT_KEY = keys.SERVING_REPORT
REQUIREMENTS_KEY = "requirements"


class ServingValidatorSpec(ComponentSpec):
    """Inputs, outputs and execution properties of ServingValidator."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        REQUIREMENTS_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        CONTROL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {  # noqa: RUF012
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing),
        REPORT_KEY: ChannelParameter(type=ServingReportArtifact),
    }

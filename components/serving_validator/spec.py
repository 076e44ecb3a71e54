"""The string keys of ServingValidator: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import ServingReport
from components.code import CODE_KEY

MODEL_KEY = "model"
CONTROL_KEY = "control"
BASELINE_KEY = "baseline_model"
EXAMPLES_KEY = "examples"
BLESSING_KEY = "blessing"
REPORT_KEY = "report"
REQUIREMENTS_KEY = "requirements"

# Custom property of the blessing beside those of `components.model_pusher.agreement`.
SENTENCE_PROPERTY = "sentence"


class ServingValidatorSpec(ComponentSpec):
    """Inputs, outputs and execution properties of ServingValidator."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        REQUIREMENTS_KEY: ExecutionParameter(type=str),
        CODE_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        CONTROL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {  # noqa: RUF012
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing),
        REPORT_KEY: ChannelParameter(type=ServingReport),
    }

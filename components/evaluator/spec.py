"""The string keys of Evaluator: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys

MODEL_KEY = "model"
CONTROL_KEY = "control"
BASELINE_KEY = "baseline_model"
EXAMPLES_KEY = "examples"
EVALUATION_KEY = keys.EVALUATION
CONTROL_EVALUATION_KEY = keys.CONTROL_EVALUATION
SURFACE_KEY = keys.SURFACE


class EvaluatorSpec(ComponentSpec):
    """Inputs, outputs and execution properties of Evaluator."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SURFACE_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        CONTROL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        CONTROL_EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }

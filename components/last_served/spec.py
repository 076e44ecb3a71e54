"""The string keys of LastServed: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys

CANDIDATE_KEY = "candidate"
MODEL_KEY = "model"
SERVING_KEY = "serving"


class LastServedSpec(ComponentSpec):
    """Inputs, outputs and execution properties of LastServed."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SERVING_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        CANDIDATE_KEY: ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
    }

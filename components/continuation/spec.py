"""The string keys of Continuation: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys

EXAMPLES_KEY = "examples"
STUDENT_KEY = "student"
CONTROL_KEY = "control"
SERVING_KEY = "serving"
DATA_SPAN_KEY = "data_span"


class ContinuationSpec(ComponentSpec):
    """Inputs, outputs and execution properties of Continuation."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SERVING_KEY: ExecutionParameter(type=str),
        DATA_SPAN_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {  # noqa: RUF012
        STUDENT_KEY: ChannelParameter(type=standard_artifacts.Model),
        CONTROL_KEY: ChannelParameter(type=standard_artifacts.Model),
    }

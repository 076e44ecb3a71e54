"""The string keys of TeacherImporter: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys, properties

SOURCE_KEY = "source"
FINGERPRINT_KEY = properties.TEACHER_FINGERPRINT
MODEL_KEY = keys.MODEL


class TeacherImporterSpec(ComponentSpec):
    """Outputs and execution properties of TeacherImporter."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SOURCE_KEY: ExecutionParameter(type=str),
        FINGERPRINT_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
    }

"""The string keys of TeacherLabeler: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys, properties
from contracts.artifacts import DeadLetters, LabelReportArtifact

EXAMPLES_KEY = "examples"
TEACHER_KEY = "teacher"
LABELLED_EXAMPLES_KEY = keys.LABELLED_EXAMPLES
LABEL_REPORT_KEY = keys.LABEL_REPORT
DEAD_LETTERS_KEY = keys.DEAD_LETTERS
SURFACE_KEY = keys.SURFACE
TEACHER_FINGERPRINT_KEY = properties.TEACHER_FINGERPRINT
BATCH_SIZE_KEY = "batch_size"
COMPRESSION_LEVEL_KEY = "compression_level"
MAX_BAD_FRACTION_KEY = "max_bad_fraction"
KEY_COLUMN_KEY = properties.KEY_COLUMN
VOCABULARIES_KEY = "vocabularies"


class TeacherLabelerSpec(ComponentSpec):
    """Inputs, outputs and execution properties of TeacherLabeler."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        SURFACE_KEY: ExecutionParameter(type=str),
        TEACHER_FINGERPRINT_KEY: ExecutionParameter(type=str),
        BATCH_SIZE_KEY: ExecutionParameter(type=int),
        COMPRESSION_LEVEL_KEY: ExecutionParameter(type=int),
        MAX_BAD_FRACTION_KEY: ExecutionParameter(type=float),
        KEY_COLUMN_KEY: ExecutionParameter(type=str, optional=True),
        VOCABULARIES_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        TEACHER_KEY: ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {  # noqa: RUF012
        LABELLED_EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        LABEL_REPORT_KEY: ChannelParameter(type=LabelReportArtifact),
        DEAD_LETTERS_KEY: ChannelParameter(type=DeadLetters),
    }

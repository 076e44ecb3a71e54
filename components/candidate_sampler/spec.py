"""The string keys of CandidateSampler: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys
from contracts.artifacts import CandidateReportArtifact

EXAMPLES_KEY = "examples"
SCHEMA_KEY = "schema"
EXTENDED_EXAMPLES_KEY = keys.EXTENDED_EXAMPLES
REPORT_KEY = keys.CANDIDATE_REPORT
PLAN_KEY = "plan"
CANDIDATES_KEY = "candidates"
CANDIDATES_FINGERPRINT_KEY = "candidates_fingerprint"


class CandidateSamplerSpec(ComponentSpec):
    """Inputs, outputs and execution properties of CandidateSampler."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        PLAN_KEY: ExecutionParameter(type=str),
        CANDIDATES_KEY: ExecutionParameter(type=str, optional=True),
        CANDIDATES_FINGERPRINT_KEY: ExecutionParameter(type=str, optional=True),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {  # noqa: RUF012
        EXTENDED_EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        REPORT_KEY: ChannelParameter(type=CandidateReportArtifact),
    }

"""The string keys of CandidateSampler: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys
from contracts.artifacts import CandidateReportArtifact
from schema.candidates import PAIRS_FROM, fingerprint_key

EXAMPLES_KEY = "examples"
SCHEMA_KEY = "schema"
EXTENDED_EXAMPLES_KEY = keys.EXTENDED_EXAMPLES
REPORT_KEY = keys.CANDIDATE_REPORT
PLAN_KEY = "plan"


class CandidateSamplerSpec(ComponentSpec):
    """Inputs, outputs and execution properties of CandidateSampler."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        PLAN_KEY: ExecutionParameter(type=str),
        **{
            key: ExecutionParameter(type=str, optional=True)
            for name in PAIRS_FROM
            for key in (name, fingerprint_key(name))
        },
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

"""The string keys of RunOutcome: they live here and nowhere else."""

from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts import keys
from contracts.artifacts import GateDecision, HtmlPage

DECISION_KEY = keys.DECISION
PUSHED_MODEL_KEY = keys.PUSHED_MODEL
PAGE_KEY = keys.PAGE
FAILS_UNLESS_KEY = "fails_unless"


class RunOutcomeSpec(ComponentSpec):
    """Inputs and execution properties of RunOutcome."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        FAILS_UNLESS_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        DECISION_KEY: ChannelParameter(type=GateDecision),
        PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel),
        PAGE_KEY: ChannelParameter(type=HtmlPage),
    }
    OUTPUTS = {}  # noqa: RUF012

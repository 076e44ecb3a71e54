"""The string keys of ModelPusher: they live here and nowhere else."""

from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.system_executions import Deploy

from contracts import keys
from contracts.artifacts import GateDecision

MODEL_KEY = standard_component_specs.MODEL_KEY
MODEL_BLESSING_KEY = standard_component_specs.MODEL_BLESSING_KEY
INFRA_BLESSING_KEY = standard_component_specs.INFRA_BLESSING_KEY
DECISION_KEY = keys.DECISION
STUDENT_RUN_KEY = "student_run"
CONTROL_RUN_KEY = "control_run"
PUSH_DESTINATION_KEY = standard_component_specs.PUSH_DESTINATION_KEY
PUSHED_MODEL_KEY = standard_component_specs.PUSHED_MODEL_KEY
ORIGIN_KEY = "provenance"
NEEDS_INFRA_BLESSING_KEY = "needs_infra_blessing"


class ModelPusherSpec(ComponentSpec):
    """Inputs, outputs and execution properties of ModelPusher."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        PUSH_DESTINATION_KEY: ExecutionParameter(type=pusher_pb2.PushDestination),
        ORIGIN_KEY: ExecutionParameter(type=str),
        NEEDS_INFRA_BLESSING_KEY: ExecutionParameter(type=int),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        DECISION_KEY: ChannelParameter(type=GateDecision),
        INFRA_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        STUDENT_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        CONTROL_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel),
    }
    TYPE_ANNOTATION = Deploy

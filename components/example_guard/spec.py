"""The string keys of ExampleGuard: they live here and nowhere else."""

from tfx.types import standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from components.code import CODE_KEY

ENVIRONMENT_KEY = "environment"


class ExampleGuardSpec(standard_component_specs.ExampleValidatorSpec):
    """ExampleValidator's inputs, outputs and properties, and the environment."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        **standard_component_specs.ExampleValidatorSpec.PARAMETERS,
        ENVIRONMENT_KEY: ExecutionParameter(type=str),
        CODE_KEY: ExecutionParameter(type=str),
    }

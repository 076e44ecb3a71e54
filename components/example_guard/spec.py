"""The string keys of ExampleGuard: they live here and nowhere else."""

from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from contracts import keys

ENVIRONMENT_KEY = "environment"
SOFT_LABELS_ONLY_KEY = "soft_labels_only"
LABELLED_KEY = "labelled"
PREVIOUS_STATISTICS_KEY = "previous_statistics"
ANNOUNCED_KEY = "announced"
EXAMPLES_KEY = "examples"
SURFACE_KEY = keys.SURFACE


class ExampleGuardSpec(standard_component_specs.ExampleValidatorSpec):
    """ExampleValidator's inputs, outputs and properties, the environment and the statistics of the span before."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        **standard_component_specs.ExampleValidatorSpec.PARAMETERS,
        ENVIRONMENT_KEY: ExecutionParameter(type=str),
        SOFT_LABELS_ONLY_KEY: ExecutionParameter(type=str, optional=True),
        LABELLED_KEY: ExecutionParameter(type=int, optional=True),
        ANNOUNCED_KEY: ExecutionParameter(type=str, optional=True),
        SURFACE_KEY: ExecutionParameter(type=str, optional=True),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012 - as above
        **standard_component_specs.ExampleValidatorSpec.INPUTS,
        PREVIOUS_STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }

"""The properties of RawStatistics."""

from tfx.types import standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from contracts import keys


class RawStatisticsSpec(standard_component_specs.StatisticsGenSpec):
    """StatisticsGen's inputs, outputs and properties, and the code that made them."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        **standard_component_specs.StatisticsGenSpec.PARAMETERS,
        keys.CODE: ExecutionParameter(type=str),
    }

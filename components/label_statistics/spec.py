"""The string keys of LabelStatistics: they live here and nowhere else."""

from tfx.types import standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from contracts import keys

SOFT_LABELS_KEY = "soft_labels"


class LabelStatisticsSpec(standard_component_specs.StatisticsGenSpec):
    """StatisticsGen's inputs, outputs and properties, and the columns that labelling added."""

    PARAMETERS = {  # noqa: RUF012 - ComponentSpec reads plain class attributes
        **standard_component_specs.StatisticsGenSpec.PARAMETERS,
        SOFT_LABELS_KEY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }

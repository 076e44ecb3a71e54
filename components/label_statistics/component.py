"""LabelStatistics: statistics of the soft labels, and of what drift is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.utils import json_utils

from components.label_statistics.executor import Executor
from components.label_statistics.spec import LabelStatisticsSpec
from records.code import code_version


class LabelStatistics(base_beam_component.BaseBeamComponent):
    """TFX's StatisticsGen over some columns.

    The raw columns of labelled examples are those of the raw examples, whose statistics were
    made before; statistics cost many times as much as reading a column.

    Component `outputs` contains:

     - `statistics`: `standard_artifacts.ExampleStatistics`, as StatisticsGen writes them.
    """

    SPEC_CLASS = LabelStatisticsSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, examples: BaseChannel[Any], schema: BaseChannel[Any], soft_labels: Sequence[str]) -> None:
        """Constructs the component.

        Args:
          examples: Channel of `standard_artifacts.Examples`, labelled.
          schema: Channel of `standard_artifacts.Schema`; says which columns have a `drift_comparator`.
          soft_labels: The columns that labelling added, whether the schema has them or not.
        """
        spec = LabelStatisticsSpec(
            examples=examples,
            schema=schema,
            exclude_splits=json_utils.dumps([]),
            soft_labels=json_utils.dumps(sorted(soft_labels)),
            code=code_version("components.label_statistics"),
            statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        )
        super().__init__(spec=spec)

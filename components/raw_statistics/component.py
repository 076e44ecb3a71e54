"""RawStatistics: statistics of all columns of examples as they arrived."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.utils import json_utils

from components.raw_statistics.executor import Executor
from components.raw_statistics.spec import RawStatisticsSpec
from records.code import code_version


class RawStatistics(base_beam_component.BaseBeamComponent):
    """TFX's StatisticsGen, in some 0.7 of its time at 200,000 rows (benchmarks/batches.py).

    Component `outputs` contains:

     - `statistics`: `standard_artifacts.ExampleStatistics`, as StatisticsGen writes them.
    """

    SPEC_CLASS = RawStatisticsSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, examples: BaseChannel[Any]) -> None:
        """Constructs the component.

        Args:
          examples: Channel of `standard_artifacts.Examples`.
        """
        spec = RawStatisticsSpec(
            examples=examples,
            exclude_splits=json_utils.dumps([]),
            code=code_version("components.raw_statistics"),
            statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        )
        super().__init__(spec=spec)

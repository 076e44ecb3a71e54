"""Runs TFX's StatisticsGen on batches of records."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.statistics_gen import executor

from records.batched import reading_in_batches


class Executor(executor.Executor):
    """Executor of RawStatistics."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Makes the statistics as StatisticsGen does, whose inputs, outputs and properties it has.

        Args:
          input_dict: examples.
          output_dict: statistics.
          exec_properties: exclude_splits.

        Raises:
          InputError: A file of the examples is truncated or damaged.
        """
        with reading_in_batches():
            super().Do(input_dict, output_dict, exec_properties)

"""Runs TFX's Evaluator on batches of records."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.evaluator import executor

from records.batched import reading_in_batches

_BATCH = 4000  # rows: what is done once per batch and column is no longer seen beside the models' answers


class Executor(executor.Executor):
    """Executor of Evaluator."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates as TFX's does, whose inputs, outputs and properties it has.

        Args:
          input_dict: examples, model and baseline_model.
          output_dict: evaluation and blessing.
          exec_properties: As TFX's.

        Raises:
          InputError: A file of the examples is truncated or damaged.
        """
        with reading_in_batches(size=_BATCH):
            super().Do(input_dict, output_dict, exec_properties)

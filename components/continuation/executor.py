"""Hands to each arm what its own lineage left."""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.continuation import spec
from components.continuation.examples import trained_on
from components.continuation.finding import ARMS, Earlier, find_earlier
from contracts.continuation import StartingPoint
from contracts.roles import ModelRole
from records import documents
from records.training_states import STATE_FOLDER, check, folder_of, lineage_after

Artifacts = dict[str, list[types.Artifact]]
_OUTPUTS = {ModelRole.STUDENT: spec.STUDENT_KEY, ModelRole.CONTROL: spec.CONTROL_KEY}


class Executor(base_executor.BaseExecutor):
    """Executor of Continuation."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Copies what the earlier run's student left for the student, and its control for the control.

        Args:
          input_dict: examples.
          output_dict: student, control: each with a `StartingPoint`, and the state if there is one.
          exec_properties: serving, data_span.

        Raises:
          InputError: What the earlier run left is damaged or gone.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict[spec.EXAMPLES_KEY])
        serving = exec_properties[spec.SERVING_KEY]
        data = trained_on(examples, exec_properties[spec.DATA_SPAN_KEY])
        earlier = find_earlier(serving, data)
        logging.info("%s", earlier.sentence)
        for role in ARMS:
            artifact = artifact_utils.get_single_instance(output_dict[_OUTPUTS[role]])
            _hand_over(role, earlier, serving, data, path_utils.serving_model_dir(artifact.uri))


def _hand_over(role: ModelRole, earlier: Earlier, serving: str, data: str, folder: str) -> None:
    left = earlier.left
    if left is not None:
        state = f"{folder}/{STATE_FOLDER}"
        io_utils.copy_dir(folder_of(serving, left.digest, role), state)
        check(state)
    point = StartingPoint(
        role=role,
        version=earlier.version,
        sentence=earlier.sentence,
        data=data,
        lineage=lineage_after(left.data, left.lineage) if left else (),
    )
    documents.write(folder, point)

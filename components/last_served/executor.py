"""Copies the model that serves."""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.last_served import spec
from components.last_served.finding import find_baseline
from contracts import properties
from records.manifest import damage
from schema.errors import InputError

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Executor of LastServed."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Copies what serves, or what served before it if that is the candidate.

        Args:
          input_dict: candidate.
          output_dict: model.
          exec_properties: serving.

        Raises:
          InputError: The candidate holds no file, or the copy is not whole.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        candidate = artifact_utils.get_single_instance(input_dict[spec.CANDIDATE_KEY])
        model = artifact_utils.get_single_instance(output_dict[spec.MODEL_KEY])
        serving = exec_properties[spec.SERVING_KEY]
        found = find_baseline(serving, path_utils.serving_model_path(candidate.uri))
        if found is None:
            logging.info("%s serves nothing but the candidate, or nothing at all.", serving)
            model.set_int_custom_property(properties.ABSENT, 1)
            return
        copy = path_utils.serving_model_dir(model.uri)
        io_utils.copy_dir(found.folder, copy)
        damaged = damage(copy, found.content)
        if damaged:
            raise InputError(f"{copy}: the copy of {found.folder} is not whole: {damaged}. Run the pipeline again.")
        model.set_int_custom_property(properties.SERVED_VERSION, found.version)
        logging.info("Compare with version %d of %s, as in %s.", found.version, serving, found.folder)

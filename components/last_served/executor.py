"""Finds the served version, and copies it."""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.last_served import spec
from contracts import properties
from records.content import content_fingerprint
from records.saved_model import is_saved_model
from records.versions import Versions

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Executor of LastServed."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Copies the newest served version that is not the candidate.

        Args:
          input_dict: candidate.
          output_dict: model.
          exec_properties: serving.

        Raises:
          InputError: The candidate holds no file.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        candidate = artifact_utils.get_single_instance(input_dict[spec.CANDIDATE_KEY])
        model = artifact_utils.get_single_instance(output_dict[spec.MODEL_KEY])
        served = Versions(exec_properties[spec.SERVING_KEY])
        version = version_before(served, path_utils.serving_model_path(candidate.uri))
        if version is None:
            logging.info("%s serves nothing but the candidate, or nothing at all.", served.base)
            model.set_int_custom_property(properties.ABSENT, 1)
            return
        io_utils.copy_dir(served.path(version), path_utils.serving_model_dir(model.uri))
        model.set_int_custom_property(properties.SERVED_VERSION, version)
        logging.info("Compare with version %d of %s.", version, served.base)


def version_before(served: Versions, candidate_dir: str) -> int | None:
    """The newest version that is a model and serves something else than the candidate.

    A candidate that serves already is compared with what served before it, so that an
    unchanged pipeline comes to the same decision again.

    Args:
      served: The push served.
      candidate_dir: The candidate's SavedModel.

    Returns:
      The version; None if there is none.
    """
    candidate = content_fingerprint(candidate_dir)
    for version in reversed(served.versions()):
        path = served.path(version)
        if is_saved_model(path) and content_fingerprint(path) != candidate:
            return version
    return None

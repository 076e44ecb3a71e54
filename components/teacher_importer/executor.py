"""Copies the teacher, and says whether it is the one that was asked for."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.teacher_importer import spec
from records.buckets import copy_folder
from records.fingerprint import fingerprint
from schema.errors import InputError

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Executor of TeacherImporter."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Copies the teacher.

        Args:
          input_dict: Nothing.
          output_dict: model.
          exec_properties: source, teacher_fingerprint.

        Raises:
          InputError: There is no teacher, or another one than was asked for.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        source, expected = exec_properties[spec.SOURCE_KEY], exec_properties[spec.FINGERPRINT_KEY]
        found = fingerprint(source)
        if found != expected:
            raise InputError(
                f"teacher {source}: expected the fingerprint {expected}, found {found}: the teacher has changed since "
                "the run was asked for. Start the run again; `crosskd submit` finds out the fingerprint, "
                "`crosskd fingerprint` prints it."
            )
        model = artifact_utils.get_single_instance(output_dict[spec.MODEL_KEY])
        copy_folder(source, model.uri)

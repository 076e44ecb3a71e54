"""TeacherImporter: brings the teacher to where the run's artifacts are."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, standard_artifacts

from components.teacher_importer.executor import Executor
from components.teacher_importer.spec import TeacherImporterSpec
from contracts import properties
from records.code import code_version
from schema.errors import InputError


class TeacherImporter(base_component.BaseComponent):
    """A component that copies the teacher from a volume or a bucket, and checks what it copied.

    On one machine TFX's Importer names the folder and copies nothing.  The importer of
    open-source Kubeflow refuses the path of a volume, and the launcher reaches a bucket that
    is not the pipeline root's with the environment's credentials alone and no endpoint.

    Component `outputs` contains:

     - `model`: `standard_artifacts.Model`: the teacher's SavedModel, file for file.

    The fingerprint says what the teacher is, so that a cache may stand in for the copy.

    Example:
      ```python
      teacher = TeacherImporter(source="/data/teacher", teacher_fingerprint=fingerprint("/data/teacher"))
      ```
    """

    SPEC_CLASS = TeacherImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, source: str, teacher_fingerprint: str) -> None:
        """Constructs the component.

        Args:
          source: The teacher's SavedModel: a path, or a URI of a bucket (gs://, s3:// or minio://).
          teacher_fingerprint: What is expected there; see `records.fingerprint`.

        Raises:
          InputError: One of them is empty.
        """
        for name, value in (("source", source), (properties.TEACHER_FINGERPRINT, teacher_fingerprint)):
            if not value:
                raise InputError(f"TeacherImporter: {name}: expected a text, found nothing")
        spec = TeacherImporterSpec(
            source=source,
            teacher_fingerprint=teacher_fingerprint,
            code=code_version("components.teacher_importer"),
            model=channel_utils.as_channel([standard_artifacts.Model()]),
        )
        super().__init__(spec=spec)

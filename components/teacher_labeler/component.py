"""TeacherLabeler: runs a teacher as it is over examples and appends its logits to them."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.teacher_labeler import options
from components.teacher_labeler.adaptation import default_values
from components.teacher_labeler.executor import Executor
from components.teacher_labeler.spec import TeacherLabelerSpec
from components.teacher_labeler.vocabulary import digests
from contracts.artifacts import DeadLetters, LabelReportArtifact
from records.code import code_version
from schema.checks import from_json
from schema.distillation import Distillation
from schema.surface import DistilledSurface, Feature, FeatureKind, Surface, Task, distilled

_NOT_JUDGED = "the labeller judges no task"
_NO_FEATURES = {"the_labeller_reads_none": Feature(kind=FeatureKind.NUMERIC)}  # a surface has at least one


class TeacherLabeler(base_beam_component.BaseBeamComponent):
    """A Beam component that adds soft labels to examples.

    Component `outputs` contains:

     - `labelled_examples`: `standard_artifacts.Examples`: the input's splits, records, order,
       span and version, each record with a float feature ``teacher/<task>`` for every task of
       `surface.teacher.tasks`, which of a multiclass task holds a number for each of the teacher's
       classes.  Several input artifacts give as many output artifacts, one each
       and in the same order, as with Transform.
     - `label_report`: `contracts.artifacts.LabelReportArtifact`.
     - `dead_letters`: `contracts.artifacts.DeadLetters`.

    Example:
      ```python
      labeler = TeacherLabeler(
          examples=example_gen.outputs["examples"],
          teacher=teacher_importer.outputs["result"],
          surface=surface.model_dump_json(by_alias=True),
          teacher_fingerprint=fingerprint(teacher_uri),
      )
      ```
    """

    SPEC_CLASS = TeacherLabelerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel[Any],
        teacher: BaseChannel[Any],
        surface: str,
        teacher_fingerprint: str,
        batch_size: int = options.DEFAULT_BATCH_SIZE,
        compression_level: int = options.DEFAULT_COMPRESSION_LEVEL,
        max_bad_fraction: float | None = None,
        key_column: str = "",
    ) -> None:
        """Constructs the component.

        Args:
          examples: Channel of `standard_artifacts.Examples`: gzipped TFRecords of tf.Example.
          teacher: Channel of `standard_artifacts.Model`, a SavedModel at the artifact's URI or
            under ``Format-Serving``.
          surface: A `schema.surface.Surface` as JSON, with a teacher section.
          teacher_fingerprint: `records.fingerprint.fingerprint` of the
            teacher.  It is part of the cache key: a teacher that changed under the same path is
            not served from the cache.
          batch_size: Records per call of the teacher.
          compression_level: The compression level of the gzipped output, 0 to 9.
          max_bad_fraction: Part of a split's records that may become dead letters; above it the
            run fails.  By default the surface's `teacher.max_bad_fraction`.  A shard most of
            whose first thousand records are bad fails at once.
          key_column: Column that tells examples apart, one int or string in each.  If it is
            given, only it and the soft labels are written: labels to store once and to join to
            any number of students' examples.  By default whole examples are written.

        Raises:
          InputError: The surface is not one, has no teacher, or an option is out of its range.
        """
        parsed = _read_surface(surface)
        bound = parsed.teacher.max_bad_fraction if max_bad_fraction is None else max_bad_fraction
        options.LabelOptions(batch_size, compression_level, bound)
        spec = TeacherLabelerSpec(
            examples=examples,
            teacher=teacher,
            surface=_without_the_rest(parsed).model_dump_json(by_alias=True),
            teacher_fingerprint=teacher_fingerprint,
            batch_size=batch_size,
            compression_level=compression_level,
            max_bad_fraction=float(bound),
            key_column=key_column,
            vocabularies=digests(parsed.teacher.features),
            code=code_version("components.teacher_labeler"),
            labelled_examples=channel_utils.as_channel([standard_artifacts.Examples()]),
            label_report=channel_utils.as_channel([LabelReportArtifact()]),
            dead_letters=channel_utils.as_channel([DeadLetters()]),
        )
        super().__init__(spec=spec)


def _read_surface(surface: str) -> DistilledSurface:
    parsed = distilled(from_json(Surface, surface, "TeacherLabeler: surface", "a Surface"))
    for name, feature in parsed.teacher.features.items():
        default_values(name, feature)
    return parsed


def _without_the_rest(surface: DistilledSurface) -> Surface:
    """`surface` with only what soft labels and their report depend on.

    It is part of the cache key: a changed gate or learning rate must not label everything again.
    """
    tasks = {
        name: Task(
            kind=task.kind,
            label=task.label,
            positive=task.positive,
            clip=task.clip,
            classes=task.classes,
            distil=_only_from(task.distil),
            ungated=_NOT_JUDGED,
        )
        for name, task in surface.tasks.items()
    }
    return Surface(name=surface.name, features=_NO_FEATURES, tasks=tasks, teacher=surface.teacher)


def _only_from(distillation: Distillation | None) -> Distillation | None:
    if distillation is None:
        return None
    return Distillation.model_validate({"from": distillation.teacher_task, "classes": distillation.classes})

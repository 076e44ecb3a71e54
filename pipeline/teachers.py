"""How the teacher gets into a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from components.teacher_importer import spec
from components.teacher_importer.component import TeacherImporter
from contracts import keys, nodes
from pipeline.settings import Settings

FINGERPRINT = "fingerprint"


@dataclass(frozen=True)
class BroughtTeacher:
    """The node that brings the teacher, and the teacher.

    Attributes:
      node: The node.
      model: The teacher's SavedModel.
    """

    node: BaseNode
    model: Channel


MakeTeacher = Callable[[Settings], BroughtTeacher]


def where_it_lies(settings: Settings) -> BroughtTeacher:
    """Reads the teacher where it lies: for local runners, whose nodes all see its folder."""
    node = Importer(
        source_uri=settings.teacher,
        artifact_type=standard_artifacts.Model,
        custom_properties={FINGERPRINT: settings.teacher_fingerprint},
    ).with_id(nodes.TEACHER)
    return BroughtTeacher(node, node.outputs[keys.IMPORTED])


def copied(settings: Settings) -> BroughtTeacher:
    """Copies the teacher to the run's artifacts: for backends whose importer knows buckets alone."""
    node = TeacherImporter(source=settings.teacher, teacher_fingerprint=settings.teacher_fingerprint).with_id(
        nodes.TEACHER
    )
    return BroughtTeacher(node, node.outputs[spec.MODEL_KEY])

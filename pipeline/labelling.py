"""The first stage: examples that fit their schema, labelled by the teacher."""

from __future__ import annotations

from dataclasses import dataclass

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import standard_artifacts

from components.example_guard.component import ExampleGuard
from components.teacher_labeler.component import TeacherLabeler
from pipeline.settings import Settings
from schema.loader import RAW, TRAINING
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

TEACHER_FINGERPRINT = "fingerprint"


@dataclass(frozen=True)
class Labelling:
    """The nodes of this stage, and what the next ones read.

    Attributes:
      nodes: All of them, in order.
      examples: Labelled examples.
      report: The label report.
      statistics: Of the labelled examples.
      schema: The curated schema.
      guard: Must be done before anything reads `examples`.
    """

    nodes: list[BaseNode]
    examples: tfx.dsl.Channel
    report: tfx.dsl.Channel
    statistics: tfx.dsl.Channel
    schema: tfx.dsl.Channel
    guard: BaseNode


def labelling(settings: Settings) -> Labelling:
    """Examples in, checked against the schema, labelled, and checked again."""
    examples = tfx.components.ImportExampleGen(input_base=settings.examples, input_config=_splits())
    schema = tfx.components.ImportSchemaGen(schema_file=settings.schema_path)
    statistics, guard = _guarded("Raw", examples.outputs["examples"], schema.outputs["schema"], RAW)
    teacher = tfx.dsl.Importer(
        source_uri=settings.teacher,
        artifact_type=standard_artifacts.Model,
        custom_properties={TEACHER_FINGERPRINT: settings.teacher_fingerprint},
    ).with_id("Teacher")
    labeler = TeacherLabeler(
        examples=examples.outputs["examples"],
        teacher=teacher.outputs["result"],
        surface=settings.surface_json,
        teacher_fingerprint=settings.teacher_fingerprint,
    )
    labeler.add_upstream_node(guard)
    labelled = labeler.outputs["labelled_examples"]
    label_statistics, label_guard = _guarded("Labelled", labelled, schema.outputs["schema"], TRAINING)
    return Labelling(
        nodes=[examples, schema, statistics, guard, teacher, labeler, label_statistics, label_guard],
        examples=labelled,
        report=labeler.outputs["label_report"],
        statistics=label_statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        guard=label_guard,
    )


def _splits() -> tfx.proto.Input:
    return tfx.proto.Input(
        splits=[tfx.proto.Input.Split(name=name, pattern=f"{name}/*") for name in (TRAIN_SPLIT, EVAL_SPLIT)]
    )


def _guarded(
    name: str, examples: tfx.dsl.Channel, schema: tfx.dsl.Channel, environment: str
) -> tuple[BaseNode, ExampleGuard]:
    statistics = tfx.components.StatisticsGen(examples=examples).with_id(f"{name}Statistics")
    guard = ExampleGuard(statistics=statistics.outputs["statistics"], schema=schema, environment=environment)
    return statistics, guard.with_id(f"{name}ExampleGuard")

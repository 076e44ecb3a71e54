"""The first stage: examples that fit their schema, labelled by the teacher."""

from __future__ import annotations

import glob
from dataclasses import dataclass

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode

from components.candidate_sampler.component import CandidateSampler
from components.example_gen.component import ExampleGen
from components.example_guard.component import ExampleGuard
from components.label_statistics.component import LabelStatistics
from components.teacher_labeler.component import TeacherLabeler
from contracts import keys, nodes
from pipeline.kfp.parameters import placeholders_in
from pipeline.settings import Settings
from pipeline.spans import PREVIOUS, STATISTICS, previous_span
from pipeline.teachers import MakeTeacher, where_it_lies
from schema.candidates import UNLABELLED_SPLIT
from schema.loader import RAW, TRAINING
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, soft_label

# Pairs never shown have no label and need not have every column: the schema is of what was shown.
_UNSHOWN = (UNLABELLED_SPLIT,)


@dataclass(frozen=True)
class Labelling:
    """The nodes of this stage, and what the next ones read.

    Attributes:
      nodes: All of them, in order.
      examples: Labelled examples; of the newest span, where there are spans.
      teacher: The teacher's model.
      report: The label report.
      statistics: The statistics of the examples before labelling.
      schema: The curated schema.
      guard: Must be done before anything reads `examples`.
    """

    nodes: list[BaseNode]
    examples: tfx.dsl.Channel
    teacher: tfx.dsl.Channel
    report: tfx.dsl.Channel
    statistics: tfx.dsl.Channel
    schema: tfx.dsl.Channel
    guard: BaseNode


def labelling(settings: Settings, make_teacher: MakeTeacher = where_it_lies) -> Labelling:
    """Examples in, checked against the schema, labelled, and checked again.

    Args:
      settings: The run's.
      make_teacher: Makes the node that brings the teacher; see `pipeline.teachers`.
    """
    unchecked = _labelled(settings, make_teacher)
    labeler = unchecked.labeler
    labelled = labeler.outputs[keys.LABELLED_EXAMPLES]
    label_statistics, *previous, label_guard = _guarded_labels(settings, labelled, unchecked.schema)
    return Labelling(
        nodes=[*unchecked.nodes, label_statistics, *previous, label_guard],
        examples=labelled,
        teacher=unchecked.teacher,
        report=labeler.outputs[keys.LABEL_REPORT],
        statistics=unchecked.statistics,
        schema=unchecked.schema,
        guard=label_guard,
    )


def keyed_labelling(settings: Settings, key_column: str) -> list[BaseNode]:
    """Examples in, checked against the schema, and their labels by key out.

    The schema is of whole examples; the labels are checked against it where they are joined
    to examples, in the runs that learn from them.
    """
    return _labelled(settings, where_it_lies, key_column).nodes


@dataclass(frozen=True)
class _Labelled:
    """The nodes up to the labeler, and what the next ones read."""

    nodes: list[BaseNode]
    labeler: TeacherLabeler
    teacher: tfx.dsl.Channel
    statistics: tfx.dsl.Channel
    schema: tfx.dsl.Channel


def _labelled(settings: Settings, make_teacher: MakeTeacher, key_column: str = "") -> _Labelled:
    examples = _example_gen(settings)
    schema = tfx.components.ImportSchemaGen(schema_file=settings.schema_path)
    statistics, guard = _guarded_raw(settings, examples.outputs["examples"], schema.outputs["schema"])
    teacher = make_teacher(settings)
    pairs = _sampler(settings, examples.outputs["examples"], schema.outputs["schema"])
    labeler = TeacherLabeler(
        examples=pairs.outputs[keys.EXTENDED_EXAMPLES] if pairs else examples.outputs["examples"],
        teacher=teacher.model,
        surface=settings.surface_json,
        teacher_fingerprint=settings.teacher_fingerprint,
        key_column=key_column,
    )
    (pairs or labeler).add_upstream_node(guard)
    made = [pairs] if pairs else []
    return _Labelled(
        nodes=[examples, schema, statistics, guard, *made, teacher.node, labeler],
        labeler=labeler,
        teacher=teacher.model,
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
    )


def _example_gen(settings: Settings) -> BaseNode:
    if settings.window is None:
        generator = ExampleGen(input_base=_literal(settings.examples), input_config=_splits(""))
        return generator.with_id(nodes.EXAMPLE_GEN)
    # One artifact per span: TFX's cache then knows each span by itself.
    newest = settings.window.last
    return ExampleGen(
        input_base=_literal(settings.examples),
        input_config=_splits(f"{settings.window.folders.name}/"),
        range_config=tfx.proto.RangeConfig(
            static_range=tfx.proto.StaticRange(start_span_number=newest, end_span_number=newest)
        ),
    ).with_id(nodes.EXAMPLE_GEN)


def _literal(folder: str) -> str:
    """A folder as TFX's patterns take it: brackets and stars stand for themselves, run parameters for their values."""
    return folder if placeholders_in(folder) else glob.escape(folder)


def _splits(folder: str) -> tfx.proto.Input:
    return tfx.proto.Input(
        splits=[tfx.proto.Input.Split(name=name, pattern=f"{folder}{name}/*") for name in (TRAIN_SPLIT, EVAL_SPLIT)]
    )


def _guarded_raw(settings: Settings, examples: tfx.dsl.Channel, schema: tfx.dsl.Channel) -> list[BaseNode]:
    statistics = tfx.components.StatisticsGen(examples=examples).with_id(nodes.RAW_STATISTICS)
    guard = ExampleGuard(
        statistics=statistics.outputs["statistics"],
        schema=schema,
        environment=RAW,
        announced=settings.announced,
        examples=examples,
        surface=settings.surface,
    )
    return [statistics, guard.with_id(nodes.RAW_GUARD)]


def _guarded_labels(settings: Settings, labelled: tfx.dsl.Channel, schema: tfx.dsl.Channel) -> list[BaseNode]:
    """Presence and range of the soft labels, and over spans their drift."""
    surface = settings.surface
    columns = [soft_label(name) for name in (*surface.teacher_tasks, *surface.teacher_representations)]
    statistics = LabelStatistics(labelled, schema, columns).with_id(nodes.LABELLED_STATISTICS)
    found, previous = statistics.outputs["statistics"], None
    resolved = []
    if settings.window is not None:
        resolved = [previous_span(settings, statistics)]
        # Through the resolver: if it fails, this channel is empty and nothing goes on.
        found, previous = resolved[0].outputs[STATISTICS], resolved[0].outputs[PREVIOUS]
    guard = ExampleGuard(
        statistics=found,
        schema=schema,
        environment=TRAINING,
        soft_labels_only=_UNSHOWN,
        labelled=True,
        previous_statistics=previous,
    )
    return [statistics, *resolved, guard.with_id(nodes.LABELLED_GUARD)]


def _sampler(settings: Settings, examples: tfx.dsl.Channel, schema: tfx.dsl.Channel) -> CandidateSampler | None:
    """The CandidateSampler of a surface with an `unlabelled:` section; None for any other."""
    if settings.surface.unlabelled is None:
        return None
    return CandidateSampler(
        examples=examples,
        schema=schema,
        surface=settings.surface_json,
        candidates=settings.candidates,
        candidates_fingerprint=settings.candidates_fingerprint,
    )

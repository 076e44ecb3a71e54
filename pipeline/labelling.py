"""The first stage: examples that fit their schema, labelled by the teacher."""

from __future__ import annotations

import glob
from dataclasses import dataclass, replace
from typing import Any

from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto.example_gen_pb2 import Input
from tfx.proto.range_config_pb2 import RangeConfig, StaticRange
from tfx.types.channel import BaseChannel, Channel, UnionChannel

from components.candidate_sampler.component import CandidateSampler
from components.example_gen.component import ExampleGen
from components.example_guard.component import ExampleGuard
from components.label_statistics.component import LabelStatistics
from components.raw_statistics.component import RawStatistics
from components.teacher_labeler.component import TeacherLabeler
from contracts import keys, nodes
from pipeline.kfp.parameters import placeholders_in
from pipeline.settings import Settings
from pipeline.spans import PREVIOUS, STATISTICS, previous_span
from pipeline.teachers import BroughtTeacher, MakeTeacher, where_it_lies
from schema.candidates import UNLABELLED_SPLIT, fingerprint_key
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
      guards: Must be done before anything learns from `examples`, or from those of the window.
      arrived: The newest examples as they arrived, before labelling.
      window: Where the spans before the run's own are labelled in the same pipeline: the labelled
        examples of all of them, the oldest first.
    """

    nodes: list[BaseNode]
    examples: Channel
    teacher: Channel
    report: Channel
    statistics: Channel
    schema: Channel
    guards: list[BaseNode]
    arrived: Channel
    window: BaseChannel[Any] | None = None


def labelling(settings: Settings, make_teacher: MakeTeacher = where_it_lies) -> Labelling:
    """Examples in, checked against the schema, labelled, and checked again.

    Args:
      settings: The run's.
      make_teacher: Makes the node that brings the teacher; see `pipeline.teachers`.
    """
    shared = _shared(settings, make_teacher)
    older: list[_Checked] = []
    for before in range(len(settings.earlier), 0, -1):
        of_span = replace(settings, examples=settings.earlier[before - 1], earlier=())
        older.append(_checked(of_span, shared, before, older[-1].statistics if older else None))
    newest = _checked(settings, shared, 0, older[-1].statistics if older else None)
    spans = [*older, newest]
    return Labelling(
        nodes=[shared.schema_gen, shared.teacher.node, *(node for span in spans for node in span.nodes)],
        examples=newest.examples,
        teacher=shared.teacher.model,
        report=newest.labeler.outputs[keys.LABEL_REPORT],
        statistics=newest.raw,
        schema=shared.schema,
        guards=[span.guard for span in spans],
        arrived=newest.arrived,
        window=UnionChannel([span.examples for span in spans]) if older else None,
    )


def keyed_labelling(settings: Settings, key_column: str) -> list[BaseNode]:
    """Examples in, checked against the schema, and their labels by key out.

    The schema is of whole examples; the labels are checked against it where they are joined
    to examples, in the runs that learn from them.
    """
    shared = _shared(settings, where_it_lies)
    labelled = _labelled(settings, shared, key_column=key_column)
    return [shared.schema_gen, shared.teacher.node, *labelled.nodes]


@dataclass(frozen=True)
class _Shared:
    """What all spans of a run are labelled with."""

    schema_gen: BaseNode
    teacher: BroughtTeacher

    @property
    def schema(self) -> Channel:
        return self.schema_gen.outputs["schema"]


@dataclass(frozen=True)
class _Labelled:
    """The nodes of one span up to its labels, the statistics of its raw examples, and these."""

    nodes: list[BaseNode]
    labeler: TeacherLabeler
    raw: Channel
    arrived: Channel


@dataclass(frozen=True)
class _Checked:
    """The nodes of one span, and what the next ones read.

    Attributes:
      nodes: All of them.
      labeler: The one that labels.
      raw: Statistics of the examples before labelling.
      statistics: Statistics of the labels, which drift is judged by.
      guard: Must be done before anything learns from `examples`.
      arrived: The examples before labelling.
    """

    nodes: list[BaseNode]
    labeler: TeacherLabeler
    raw: Channel
    statistics: Channel
    guard: BaseNode
    arrived: Channel

    @property
    def examples(self) -> Channel:
        return self.labeler.outputs[keys.LABELLED_EXAMPLES]


def _shared(settings: Settings, make_teacher: MakeTeacher) -> _Shared:
    return _Shared(ImportSchemaGen(schema_file=settings.schema_path), make_teacher(settings))


def _checked(settings: Settings, shared: _Shared, before: int, previous: Channel | None) -> _Checked:
    """One span, labelled and checked; `before` is how many spans it is older than the run's own."""
    unchecked = _labelled(settings, shared, before)
    statistics, *resolved, guard = _guarded_labels(settings, unchecked.labeler, shared.schema, before, previous)
    return _Checked(
        [*unchecked.nodes, statistics, *resolved, guard],
        unchecked.labeler,
        unchecked.raw,
        statistics.outputs["statistics"],
        guard,
        unchecked.arrived,
    )


def _labelled(settings: Settings, shared: _Shared, before: int = 0, key_column: str = "") -> _Labelled:
    examples = _example_gen(settings).with_id(nodes.of_span(nodes.EXAMPLE_GEN, before))
    statistics, guard = _guarded_raw(settings, examples.outputs["examples"], shared.schema, before)
    pairs = _sampler(settings, examples.outputs["examples"], shared.schema, before)
    labeler = TeacherLabeler(
        examples=pairs.outputs[keys.EXTENDED_EXAMPLES] if pairs else examples.outputs["examples"],
        teacher=shared.teacher.model,
        surface=settings.surface_json,
        teacher_fingerprint=settings.teacher_fingerprint,
        key_column=key_column,
    ).with_id(nodes.of_span(nodes.TEACHER_LABELER, before))
    (pairs or labeler).add_upstream_node(guard)
    made = [pairs] if pairs else []
    return _Labelled(
        [examples, statistics, guard, *made, labeler],
        labeler,
        statistics.outputs["statistics"],
        examples.outputs["examples"],
    )


def _example_gen(settings: Settings) -> BaseNode:
    if settings.window is None:
        return ExampleGen(input_base=_literal(settings.examples), input_config=_splits(""))
    # One artifact per span: TFX's cache then knows each span by itself.
    newest = settings.window.last
    return ExampleGen(
        input_base=_literal(settings.examples),
        input_config=_splits(f"{settings.window.folders.name}/"),
        range_config=RangeConfig(static_range=StaticRange(start_span_number=newest, end_span_number=newest)),
    )


def _literal(folder: str) -> str:
    """A folder as TFX's patterns take it: brackets and stars stand for themselves, run parameters for their values."""
    return folder if placeholders_in(folder) else glob.escape(folder)


def _splits(folder: str) -> Input:
    return Input(splits=[Input.Split(name=name, pattern=f"{folder}{name}/*") for name in (TRAIN_SPLIT, EVAL_SPLIT)])


def _guarded_raw(settings: Settings, examples: Channel, schema: Channel, before: int) -> list[BaseNode]:
    statistics = RawStatistics(examples).with_id(nodes.of_span(nodes.RAW_STATISTICS, before))
    guard = ExampleGuard(
        statistics=statistics.outputs["statistics"],
        schema=schema,
        environment=RAW,
        announced=settings.announced,
        examples=examples,
        surface=settings.surface,
    )
    return [statistics, guard.with_id(nodes.of_span(nodes.RAW_GUARD, before))]


def _guarded_labels(
    settings: Settings,
    labeler: TeacherLabeler,
    schema: Channel,
    before: int,
    previous: Channel | None,
) -> list[BaseNode]:
    """Presence and range of the soft labels, and over spans their drift."""
    surface = settings.surface
    columns = [soft_label(name) for name in (*surface.teacher_tasks, *surface.teacher_representations)]
    statistics = LabelStatistics(labeler.outputs[keys.LABELLED_EXAMPLES], schema, columns).with_id(
        nodes.of_span(nodes.LABELLED_STATISTICS, before)
    )
    found = statistics.outputs["statistics"]
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
    return [statistics, *resolved, guard.with_id(nodes.of_span(nodes.LABELLED_GUARD, before))]


def _sampler(settings: Settings, examples: Channel, schema: Channel, before: int) -> CandidateSampler | None:
    """The CandidateSampler of a surface with an `unlabelled:` section; None for any other."""
    if settings.surface.unlabelled is None:
        return None
    pairs_from: dict[str, str] = {}
    for name, folder in settings.pairs_from.items():
        pairs_from |= {name: folder.path, fingerprint_key(name): folder.fingerprint}
    return CandidateSampler(examples=examples, schema=schema, surface=settings.surface_json, **pairs_from).with_id(
        nodes.of_span(nodes.CANDIDATE_SAMPLER, before)
    )

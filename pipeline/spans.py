"""Which labelled spans a run trains on, and which one its soft labels are compared with."""

from __future__ import annotations

from collections.abc import Iterable

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import resolver
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from contracts import keys, nodes, properties
from pipeline.settings import Settings
from schema.errors import InputError

EXAMPLES = "examples"
STATISTICS = "statistics"
PREVIOUS = "previous_statistics"

_OUTPUT = metadata_store_pb2.Event.OUTPUT
_INPUT = metadata_store_pb2.Event.INPUT


def rolling_window(settings: Settings, after: BaseNode) -> resolver.Resolver:
    """Resolves `examples`: the labelled examples of all spans of the run's window, the oldest first.

    Args:
      settings: The settings of a run over spans; each span of the window must have been labelled.
      after: What must be done before.
    """
    assert settings.window is not None
    node = Resolver(
        strategy_class=LabelledWindow,
        config={
            "first": settings.window.first,
            "last": settings.window.last,
            "teacher_fingerprint": settings.teacher_fingerprint,
        },
        examples=_all_labelled(),
    ).with_id(nodes.WINDOW)
    node.add_upstream_node(after)
    return node


def previous_span(settings: Settings, statistics: BaseNode) -> resolver.Resolver:
    """Resolves `previous_statistics`: of the soft labels of the span before the run's; and passes `statistics` on.

    Args:
      settings: The settings of a run over spans.
      statistics: StatisticsGen over the run's labelled examples.
    """
    assert settings.window is not None
    return Resolver(
        strategy_class=PreviousSpan,
        config={"span": settings.window.last, "teacher_fingerprint": settings.teacher_fingerprint},
        examples=_all_labelled(),
        statistics=statistics.outputs["statistics"],
        # All statistics: a channel with the producer of `statistics` would be merged with it.
        previous_statistics=Channel(type=standard_artifacts.ExampleStatistics),
    ).with_id(nodes.PREVIOUS_SPAN)


def _all_labelled() -> Channel:
    return Channel(
        type=standard_artifacts.Examples, producer_component_id=nodes.TEACHER_LABELER, output_key=keys.LABELLED_EXAMPLES
    )


class LabelledWindow(resolver.ResolverStrategy):
    """The labelled examples of one teacher, one artifact for each span of a window.

    TFX's SpanRangeStrategy knows no teacher, passes over spans that are missing, and takes
    every artifact of a span that was labelled twice.
    """

    def __init__(self, first: int, last: int, teacher_fingerprint: str):
        self._spans = range(first, last + 1)
        self._fingerprint = teacher_fingerprint

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Resolves the channel `examples`, in the order of spans.

        Raises:
          InputError: A span of the window was not labelled by this teacher.
        """
        newest = _newest_by_span(store, input_dict[EXAMPLES], self._fingerprint)
        missing = [span for span in self._spans if span not in newest]
        if missing:
            raise InputError(
                f"the window's spans {missing} have no examples that were labelled by this teacher "
                f"({self._fingerprint[:12]}); label them with `crosskd label`"
            )
        return {EXAMPLES: [newest[span] for span in self._spans]}


class PreviousSpan(resolver.ResolverStrategy):
    """The statistics of the last span before this one that the same teacher labelled; none if there is none."""

    def __init__(self, span: int, teacher_fingerprint: str):
        self._span = span
        self._fingerprint = teacher_fingerprint

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Resolves `previous_statistics`; the other channels are passed on."""
        labelled = _newest_by_span(store, input_dict[EXAMPLES], self._fingerprint)
        before = [span for span in labelled if span < self._span]
        previous = _statistics_of(store, labelled[max(before)], input_dict[PREVIOUS]) if before else []
        return {**input_dict, PREVIOUS: previous}


def _newest_by_span(
    store: mlmd.MetadataStore, artifacts: Iterable[types.Artifact], fingerprint: str
) -> dict[int, types.Artifact]:
    """Of each span the artifact that was given last, from the cache or not: whole examples labelled by this teacher."""
    ours = [
        each
        for each in artifacts
        if each.get_string_custom_property(properties.TEACHER_FINGERPRINT) == fingerprint
        and not each.get_string_custom_property(properties.KEY_COLUMN)
    ]
    given = _last_given(store, ours)
    return {
        each.get_int_custom_property(properties.SPAN): each
        for each in sorted(ours, key=lambda each: given.get(each.id, 0))
    }


def _last_given(store: mlmd.MetadataStore, artifacts: list[types.Artifact]) -> dict[int, int]:
    """The newest execution that gave each artifact, by its id; a cached one counts, and an artifact's age does not."""
    given: dict[int, int] = {}
    for event in store.get_events_by_artifact_ids([each.id for each in artifacts]):
        if event.type == _OUTPUT:
            given[event.artifact_id] = max(given.get(event.artifact_id, 0), event.execution_id)
    return given


def _statistics_of(
    store: mlmd.MetadataStore, examples: types.Artifact, statistics: list[types.Artifact]
) -> list[types.Artifact]:
    """The newest statistics that were made of these examples."""
    readers = {event.execution_id for event in store.get_events_by_artifact_ids([examples.id]) if event.type == _INPUT}
    made = {event.artifact_id for event in store.get_events_by_execution_ids(readers) if event.type == _OUTPUT}
    ours = [each for each in statistics if each.id in made]
    given = _last_given(store, ours)
    return sorted(ours, key=lambda each: given[each.id])[-1:]

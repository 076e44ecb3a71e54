"""The resolvers of spans, over a real metadata store."""

from __future__ import annotations

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types import Artifact, standard_artifacts

from pipeline.spans import LabelledWindow, PreviousSpan
from schema.errors import InputError


class History:
    """Executions that gave labelled examples, and statistics of them."""

    def __init__(self) -> None:
        config = mlmd.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = MetadataStore(config)
        self.node = self.store.put_execution_type(mlmd.ExecutionType(name="Node"))
        self.examples: list[Artifact] = []
        self.statistics: list[Artifact] = []

    def label(self, span: int, teacher: str = "a", key_column: str = "") -> Artifact:
        artifact = standard_artifacts.Examples()
        artifact.set_int_custom_property("span", span)
        artifact.set_string_custom_property("teacher_fingerprint", teacher)
        if key_column:
            artifact.set_string_custom_property("key_column", key_column)
        self._give(artifact)
        self.examples.append(artifact)
        return artifact

    def describe(self, examples: Artifact) -> Artifact:
        artifact = standard_artifacts.ExampleStatistics()
        execution = self._give(artifact)
        self._event(execution, examples, mlmd.Event.INPUT)
        self.statistics.append(artifact)
        return artifact

    def give_again(self, artifact: Artifact) -> None:
        """As an execution that was cached does."""
        self._event(self._execution(), artifact, mlmd.Event.OUTPUT)

    def window(self, first: int, last: int, teacher: str = "a") -> list[int]:
        found = LabelledWindow(first, last, teacher).resolve_artifacts(self.store, {"examples": self.examples})
        return [each.id for each in found["examples"]]

    def previous(self, span: int, teacher: str = "a") -> list[int]:
        today = standard_artifacts.ExampleStatistics()
        given = {"examples": self.examples, "statistics": [today], "previous_statistics": self.statistics}
        found = PreviousSpan(span, teacher).resolve_artifacts(self.store, given)
        assert found["statistics"] == [today]
        return [each.id for each in found["previous_statistics"]]

    def _give(self, artifact: Artifact) -> int:
        artifact.type_id = self.store.put_artifact_type(artifact.artifact_type)
        (artifact.id,) = self.store.put_artifacts([artifact.mlmd_artifact])
        execution = self._execution()
        self._event(execution, artifact, mlmd.Event.OUTPUT)
        return execution

    def _execution(self) -> int:
        (made,) = self.store.put_executions([mlmd.Execution(type_id=self.node)])
        return int(made)

    def _event(self, execution: int, artifact: Artifact, kind: mlmd.Event.Type) -> None:
        self.store.put_events([mlmd.Event(execution_id=execution, artifact_id=artifact.id, type=kind)])


@pytest.fixture
def history() -> History:
    return History()


def test_labels_by_key_are_no_examples_to_train_on(history):
    whole = history.label(1)
    history.label(1, key_column="visit")
    assert history.window(1, 1) == [whole.id]


def test_a_window_is_in_the_order_of_spans_whatever_was_labelled_first(history):
    third, first, second = (history.label(span) for span in (3, 1, 2))
    assert history.window(1, 3) == [first.id, second.id, third.id]
    assert history.window(2, 2) == [second.id]


def test_labels_of_another_teacher_are_not_in_it(history):
    history.label(1, teacher="b")
    mine = history.label(1)
    history.label(1, teacher="b")
    assert history.window(1, 1) == [mine.id]


def test_of_a_span_that_was_labelled_twice_the_newer_is_taken(history):
    history.label(1)
    again = history.label(1)
    assert history.window(1, 1) == [again.id]


def test_an_older_one_that_the_cache_gave_last_is_the_newer(history):
    first = history.label(1)
    history.label(1)
    history.give_again(first)
    assert history.window(1, 1) == [first.id]


def test_a_span_without_labels_is_an_error(history):
    history.label(1)
    history.label(2, teacher="b")
    with pytest.raises(InputError, match=r"the window's spans \[2, 3\] have no examples .* label them with"):
        history.window(1, 3)


def test_the_first_span_has_none_before_it(history):
    history.describe(history.label(2))
    assert history.previous(2) == []
    assert history.previous(1) == []


def test_the_span_before_is_the_nearest_that_this_teacher_labelled(history):
    described = {span: history.describe(history.label(span)).id for span in (5, 1, 3)}
    history.describe(history.label(4, teacher="b"))
    assert history.previous(5) == [described[3]]
    assert history.previous(9) == [described[5]]
    assert history.previous(4, teacher="b") == []


def test_statistics_of_other_examples_are_passed_over(history):
    labelled = history.label(1)
    described = history.describe(labelled)
    history.describe(raw_examples(history))
    assert history.previous(2) == [described.id]


def test_of_statistics_that_were_made_twice_the_newer_are_taken(history):
    labelled = history.label(1)
    first = history.describe(labelled)
    second = history.describe(labelled)
    assert history.previous(2) == [second.id]
    history.give_again(first)
    assert history.previous(2) == [first.id]


def raw_examples(history: History) -> Artifact:
    """Raw examples of the same span, which have statistics as well."""
    raw = history.label(1, teacher="")
    history.examples.remove(raw)
    return raw

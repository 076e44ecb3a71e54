from pathlib import Path

import pytest
import tensorflow as tf

from crosskd.draft.sample import SampledColumn
from crosskd.draft.teacher import draft_teacher
from schema.base import TaskKind
from schema.errors import InputError

COLUMNS = {
    "userId": SampledColumn("userId", "INT", required=True, size=1, distinct=9, rows=9),
    "age": SampledColumn("age", "FLOAT", required=False, size=1, distinct=9, rows=5),
    "genre": SampledColumn("genre", "BYTES", required=True, size=1, distinct=3, rows=9),
    "content": SampledColumn("content", "FLOAT", required=True, size=4, distinct=9, rows=9),
}


class Teacher(tf.Module):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 1], tf.int64, name="user_id"),
            tf.TensorSpec([None], tf.float32, name="age"),
            tf.TensorSpec([None], tf.int64, name="genre"),
            tf.TensorSpec([None, 8], tf.float32, name="content"),
        ]
    )
    def tensors(self, user_id, age, genre, content) -> dict[str, tf.Tensor]:
        return {"minutes": age + tf.reduce_sum(content, -1) + tf.cast(genre + user_id[:, 0], tf.float32), "Click": age}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(self, examples) -> dict[str, tf.Tensor]:
        return {"click": tf.cast(tf.strings.length(examples), tf.float32)}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    module = Teacher()
    signatures = {"tensors": module.tensors, "examples": module.examples}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def test_inputs_are_matched_by_name_type_and_size(teacher):
    drafted = draft_teacher(teacher, "tensors", COLUMNS, {"click": TaskKind.BINARY})
    assert drafted.content["features"] == {
        "age": {"dtype": "float", "default": 0.0},  # an example may lack it
        "content": {"dtype": "float", "size": 8, "pad": 0.0},  # the target's has another size
        "genre": {"dtype": "int", "default": 0},  # the target's is a string
    }
    assert drafted.notes["content"].startswith("guess: the target's content has 4 values, the teacher's input 8")
    assert "the target's genre is BYTES, the teacher's input int" in drafted.confirm["genre"]
    question, lines = drafted.asked["user_id"]
    assert question.startswith("does userId name the same things")
    assert lines == [{"dtype": "int", "from": "userId"}, {"dtype": "int", "default": 0}]
    known = draft_teacher(teacher, "tensors", COLUMNS, {}, ["user_id"])
    assert known.content["features"]["user_id"] == {"dtype": "int", "from": "userId"}
    with pytest.raises(InputError, match="--same-id genre: the target's genre is BYTES, the teacher's input int"):
        draft_teacher(teacher, "tensors", COLUMNS, {}, ["genre"])
    with pytest.raises(InputError, match="--same-id user: no such input of the teacher; it has age, content"):
        draft_teacher(teacher, "tensors", COLUMNS, {}, ["user"])


def test_an_input_without_a_column_names_those_that_it_may_be(teacher):
    others = {name: COLUMNS[name] for name in ("age", "content")}
    number = SampledColumn("k", "INT", required=True, size=1, distinct=9, rows=9)
    drafted = draft_teacher(teacher, "tensors", others | {"k": number}, {})
    question = "no one column has a name like it, so every example has 0: is that what says nothing"
    assert drafted.confirm["user_id"] == f"{question}, or is it `from:` one of k?"
    assert draft_teacher(teacher, "tensors", others, {}).confirm["user_id"] == f"{question}?"


def test_tasks_take_the_kind_of_the_targets_task(teacher):
    drafted = draft_teacher(teacher, "tensors", COLUMNS, {"minutes": TaskKind.REGRESSION})
    assert drafted.content["tasks"] == {"Click": {"kind": "binary"}, "minutes": {"kind": "regression"}}
    assert drafted.notes["minutes"] == "guess: the kind of the target's task minutes"


def test_a_teacher_of_serialized_examples_is_given_every_column(teacher):
    content = draft_teacher(teacher, "examples", COLUMNS, {}).content
    assert content["takes"] == "examples"
    assert content["features"]["genre"] == {"dtype": "string"}
    assert content["features"]["content"] == {"dtype": "float", "size": 4}

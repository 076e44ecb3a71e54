"""Every key of the feature adaptation, value by value, through the real executor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from schema.errors import InputError
from tests.components.teacher_labeler.conftest import (
    Labeler,
    Labelled,
    floats,
    make_example,
    make_surface,
    save_teacher,
    soft_label_of,
    write_examples,
)

Answer = Any
WEIGHTS = [1.0, 10.0, 100.0]


def _numbers(size: int, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([None, size], dtype, name="y")


def _weigh(module: tf.Module, y: tf.Tensor) -> dict[str, tf.Tensor]:
    """The first three values as the digits of a number."""
    return {"click": tf.linalg.matvec(tf.cast(y, tf.float32), WEIGHTS[: y.shape[1]])}


@pytest.fixture
def label(tmp_path: Path, labeler: Labeler):
    """Runs a teacher of one input `y`, with `feature` as its adaptation, over `records`."""

    def run(feature: Mapping[str, Any], records: list[bytes], spec: tf.TensorSpec, **teacher: Any) -> Labelled:
        saved = save_teacher(tmp_path / "teacher", _weigh, {"y": spec})
        examples = write_examples(tmp_path / "examples", {"train": [records]})
        return labeler.run(examples, saved, make_surface(features={"y": dict(feature)}, **teacher))

    return run


@pytest.mark.parametrize(
    ("clip", "values", "clipped"),
    [
        ({"min": -1.5, "max": 2.0}, [-3.0, 0.5, 7.0], [-1.5, 0.5, 2.0]),
        ({"max": 2.5}, [-3, 2, 3], [-3.0, 2.0, 2.0]),  # of integers, those within the bounds
        ({"min": 0.5}, ["-3", "2.25", "1e3"], [0.5, 2.25, 1000.0]),
    ],
)
def test_clip(label, clip: dict[str, float], values: list[Any], clipped: list[float]) -> None:
    labelled = label({"dtype": "float", "clip": clip}, [make_example(y=value) for value in values], _numbers(1))

    assert labelled.soft_labels("click") == clipped


def test_a_constant_stands_whatever_the_target_has(label) -> None:
    records = [make_example(y=[7.0, 7.0]), make_example(y="of another type")]

    labelled = label({"dtype": "float", "size": 2, "constant": [1.0, 2.0]}, records, _numbers(2))

    assert labelled.soft_labels("click") == [21.0, 21.0]
    assert labelled.report.overall.features["y"].fill_rate == 1.0


def test_lists_are_padded_or_cut_to_the_teachers_size(label) -> None:
    records = [make_example(y=[1, 2, 3, 4]), make_example(y=[5]), make_example(), make_example(y=[6, 7, 8])]

    labelled = label({"dtype": "float", "size": 3, "pad": -1.0}, records, _numbers(3))

    assert labelled.soft_labels("click") == [321.0, 5.0 - 10 - 100, -111.0, 876.0]
    assert labelled.report.overall.features["y"].filled == 1


def test_a_default_may_stand_for_an_empty_list(label) -> None:
    labelled = label(
        {"dtype": "int", "size": 2, "pad": 0, "default": 9},
        [make_example(y=[3]), make_example()],
        _numbers(2, tf.int64),
    )

    assert labelled.soft_labels("click") == [3.0, 99.0]


@pytest.mark.parametrize(("default", "empty"), [(None, 0.0), (9.0, 3.0)])
def test_a_teacher_may_take_the_length_of_a_list_beside_it(tmp_path: Path, labeler: Labeler, default, empty) -> None:
    """`click` = the number of values that are there, cut to the teacher's size; a default is one of all places."""

    def answer(module: tf.Module, seen: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
        del seen
        return {"click": tf.cast(count, tf.float32)}

    inputs = {
        "seen": tf.TensorSpec([None, 3], tf.float32, name="seen"),
        "count": tf.TensorSpec([None], tf.int64, name="count"),
    }
    teacher = save_teacher(tmp_path / "teacher", answer, inputs)
    features = {
        "seen": {"dtype": "float", "from": "recent", "size": 3, "pad": -1.0}
        | ({} if default is None else {"default": default}),
        "count": {"dtype": "int", "length_of": "seen"},
    }
    # What the target itself calls `count` is not read.
    lists = ([1, 2, 3, 4], [0], None, [5, 6])
    records = [make_example(count=7.0, **({} if each is None else {"recent": each})) for each in lists]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, teacher, make_surface(features=features))

    assert labelled.soft_labels("click") == [3.0, 1.0, empty, 2.0]
    assert {name: each.filled for name, each in labelled.report.overall.features.items()} == {"seen": 1, "count": 1}


def test_the_length_of_a_ragged_list_reaches_a_teacher_that_takes_examples(tmp_path: Path, labeler: Labeler) -> None:
    def answer(module: tf.Module, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"click": tf.io.parse_example(examples, {"count": tf.io.FixedLenFeature([], tf.float32)})["count"]}

    teacher = save_teacher(tmp_path / "teacher", answer, {"examples": tf.TensorSpec([None], tf.string, name="e")})
    features = {"words": {"dtype": "string", "ragged": True}, "count": {"dtype": "float", "length_of": "words"}}
    records = [make_example(words=["a", "bé", "c"]), make_example()]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, teacher, make_surface(features=features, takes="examples"))

    assert labelled.soft_labels("click") == [3.0, 0.0]


@pytest.mark.parametrize(
    ("lines", "values"),
    [("rock\t1\njazz\t2\n", ["jazz", "polka", "rock"]), ("70\t1\n71\t2\n", [71, 5, 70])],
)
def test_a_vocabulary_says_which_value_is_which(label, tmp_path: Path, lines: str, values: list[Any]) -> None:
    (tmp_path / "genres.tsv").write_text(lines)
    feature = {"dtype": "int", "from": "genre", "vocabulary": str(tmp_path / "genres.tsv"), "default": 3}
    records = [*(make_example(genre=value) for value in values), make_example()]

    labelled = label(feature, records, _numbers(1, tf.int32))

    assert labelled.soft_labels("click") == [2.0, 3.0, 1.0, 3.0]
    report = labelled.report.overall.features["y"]
    assert (report.present, report.filled, report.unmapped) == (3, 1, 1)


def test_a_vocabulary_of_lists(label, tmp_path: Path) -> None:
    (tmp_path / "genres.tsv").write_text("rock\t1.5\njazz\t2.5\n")
    feature = {"dtype": "float", "size": 3, "vocabulary": str(tmp_path / "genres.tsv"), "default": 9.0, "pad": 0.0}
    records = [make_example(y=["jazz", "rock"]), make_example(y=["polka"]), make_example(y=["rock"])]

    labelled = label(feature, records, _numbers(3))

    assert labelled.soft_labels("click") == [2.5 + 15.0, 9.0, 1.5]
    assert labelled.report.overall.features["y"].unmapped == 1


@pytest.mark.parametrize(
    ("lines", "value", "message"),
    [
        ("1\t2\n3\n", 1, r"genres.tsv: line 2: expected the target's value, a tab and the teacher's value, found '3'"),
        ("1\t2\n1\t3\n", 1, r"genres.tsv: line 2: expected each of the target's values once, found '1' again"),
        ("one\t2\n", 1, r"genres.tsv: line 1: the target's column is int, found 'one'"),
        ("1\ttwo\n", 1, r"genres.tsv: line 1: teacher.features.y is int, found 'two'"),
        ("", 1, r"genres.tsv: teacher.features.y.vocabulary: expected at least one line"),
        ("1\t2\n", 1.0, r"feature 'y': teacher.features.y.vocabulary: expected a column of ints or strings"),
    ],
)
def test_a_vocabulary_that_is_none(label, tmp_path: Path, lines: str, value: Any, message: str) -> None:
    (tmp_path / "genres.tsv").write_text(lines)
    feature = {"dtype": "int", "vocabulary": str(tmp_path / "genres.tsv"), "default": 0}

    with pytest.raises(InputError, match=message):
        label(feature, [make_example(y=value)], _numbers(1, tf.int64))


def test_lists_of_any_length_reach_a_teacher_that_takes_examples(tmp_path: Path, labeler: Labeler) -> None:
    """`click` = sum of the numbers + 100 x length of all words + the teacher's own default of `gone`."""

    def answer(module: tf.Module, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {
            "numbers": tf.io.RaggedFeature(tf.float32),
            "words": tf.io.RaggedFeature(tf.string),
            "gone": tf.io.FixedLenFeature([], tf.float32, 0.25),
        }
        parsed = tf.io.parse_example(examples, spec)
        letters = tf.cast(tf.reduce_sum(tf.strings.length(parsed["words"]), axis=1), tf.float32)
        return {"click": tf.reduce_sum(parsed["numbers"], axis=1) + 100.0 * letters + parsed["gone"]}

    teacher = save_teacher(
        tmp_path / "teacher", answer, {"examples": tf.TensorSpec([None], tf.string, name="examples")}
    )
    features = {
        "numbers": {"dtype": "float", "from": "counts", "ragged": True},
        "words": {"dtype": "string", "ragged": True},
        "gone": {"dtype": "float", "drop": True},
    }
    records = [
        make_example(counts=[1, 2, 3], words=["a", "bc"], gone=50.0),
        make_example(words=["def"]),
        make_example(counts=[4]),
        make_example(),
    ]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, teacher, make_surface(features=features, takes="examples"))

    assert labelled.soft_labels("click") == [6.0 + 300 + 0.25, 300.25, 4.25, 0.25]
    rates = {name: feature.filled for name, feature in labelled.report.overall.features.items()}
    assert rates == {"numbers": 2, "words": 2, "gone": 4}


def test_what_is_made_up_for_the_teacher_never_enters_the_examples(tmp_path: Path, labeler: Labeler) -> None:
    features: dict[str, dict[str, Any]] = {
        "filled": {"dtype": "float", "default": 3.0},
        "always": {"dtype": "float", "constant": 4.0},
        "padded": {"dtype": "float", "size": 2, "pad": 5.0},
        "clipped": {"dtype": "float", "clip": {"max": 1.0}},
    }
    specs = {name: floats(each.get("size", 1), name=name) for name, each in features.items()}
    teacher = save_teacher(
        tmp_path / "teacher",
        lambda module, **inputs: {"click": sum(tf.reduce_sum(each, axis=1) for each in inputs.values())},
        specs,
    )
    given = make_example(padded=[1.0], clipped=9.0)
    examples = write_examples(tmp_path / "examples", {"train": [[given]]})

    (record,) = labeler.run(examples, teacher, make_surface(features=features)).records()

    assert soft_label_of(record, "click") == 3.0 + 4.0 + 1.0 + 5.0 + 1.0
    found = tf.train.Example.FromString(record).features.feature
    del found["teacher/click"]
    assert found == tf.train.Example.FromString(given).features.feature


RECORDS = [make_example(y=1.0), make_example(y=2.0), make_example(y=3.0), make_example()]


def test_limits_on_fill_rates(label) -> None:
    """One of four is filled."""
    labelled = label(
        {"dtype": "float", "default": 0.0, "max_fill_rate": 0.25}, RECORDS, _numbers(1), max_fill_rate=0.25
    )

    assert labelled.report.overall.mean_fill_rate == 0.25


def test_more_fills_of_a_feature_than_allowed(label, labeler: Labeler) -> None:
    message = r"teacher.features.y: 1 of 4 examples have no value for it \(25.00%\), more than its max_fill_rate allows"
    with pytest.raises(InputError, match=message):
        label({"dtype": "float", "default": 0.0, "max_fill_rate": 0.2}, RECORDS, _numbers(1))
    assert list(labeler.root.rglob("*.gz")) == []


def test_more_fills_on_average_than_allowed(label) -> None:
    message = r"filled in 25.00% of the examples on average, more than teacher.max_fill_rate allows \(20.00%\); .* y\."
    with pytest.raises(InputError, match=message):
        label({"dtype": "float", "default": 0.0}, RECORDS, _numbers(1), max_fill_rate=0.2)

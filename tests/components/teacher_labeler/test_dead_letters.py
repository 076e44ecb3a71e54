"""Single bad records: dead letters with reason and position, and how many of them a run goes on in spite of."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import pytest
import tensorflow as tf

from schema.errors import InputError
from tests.components.teacher_labeler.conftest import (
    Labeler,
    floats,
    make_example,
    make_surface,
    save_teacher,
    write_examples,
)
from tests.components.teacher_labeler.faulty import GOOD, assert_nothing_published


@pytest.fixture(scope="module")
def log_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`click` = log x: NaN for negative numbers, -inf for 0."""
    return save_teacher(tmp_path_factory.mktemp("log"), lambda module, x: {"click": tf.math.log(x)}, {"x": floats()})


def test_bad_records_under_the_bound_become_dead_letters(tmp_path: Path, labeler: Labeler, log_teacher: Path) -> None:
    good = [make_example(x=1.0, clicked=1)] * 40
    wrong_size = make_example(x=[1.0, 2.0], clicked=1)
    wrong_type = make_example(x="one", clicked=1)
    not_finite = make_example(x=-1.0, clicked=1)
    records = [*good, b"\xff\xff no example", *good, wrong_size, not_finite, *good, wrong_type]
    examples = write_examples(tmp_path / "examples", {"train": [good, records], "eval": [good]})

    labelled = labeler.run(examples, log_teacher, make_surface(), max_bad_fraction=0.03)

    assert labelled.soft_labels("click") == [0.0] * 160
    letters = labelled.dead_letters()
    shard = str(tmp_path / "examples" / "Split-train" / "data_tfrecord-00001-of-00002.gz")
    assert {letter["file"] for letter in letters} == {shard}
    assert [(letter["position"], letter["reason"]) for letter in letters] == [
        (40, "unparsable"),
        (81, "wrong_size"),
        (82, "non_finite"),
        (123, "wrong_type"),
    ]
    assert [base64.b64decode(letter["record"]) for letter in letters] == [records[at] for at in (40, 81, 82, 123)]
    assert "feature 'x': 2 values, expected 1" in letters[1]["detail"]
    assert "click = nan" in letters[2]["detail"]
    assert "feature 'x': expected float, found string" in letters[3]["detail"]
    train = labelled.report.splits["train"]
    assert (train.read, train.labelled) == (164, 160)
    assert train.bad == {"unparsable": 1, "wrong_size": 1, "non_finite": 1, "wrong_type": 1}
    assert train.tasks["click"].non_finite == 1
    assert labelled.dead_letters("eval") == []


def test_a_run_without_bad_records_leaves_no_dead_letters(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path
) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    labelled = labeler.run(examples, doubling_teacher, make_surface())

    assert list(labelled.dead_letters_uri.rglob("*.gz")) == []


def test_the_bound_counts_over_the_split(tmp_path: Path, labeler: Labeler, log_teacher: Path) -> None:
    """2 bad records of 100 in one shard of two: 1% of the split."""
    clean, dirty = [make_example(x=1.0)] * 100, [make_example(x=1.0)] * 98 + [make_example(x=0.0)] * 2
    examples = write_examples(tmp_path / "examples", {"train": [clean, dirty]})

    assert labeler.run(examples, log_teacher, make_surface(), max_bad_fraction=0.01).report.overall.labelled == 198
    message = r"2 of 200 records could not be labelled \(1.00%\), more than max_bad_fraction allows \(0.50%\): "
    with pytest.raises(InputError, match=message + r"non_finite click: 2(.|\n)*record 98: .*click = -inf"):
        labeler.run(examples, log_teacher, make_surface(), into=tmp_path / "second", max_bad_fraction=0.005)
    assert list((tmp_path / "second").rglob("*.gz")) == []


def test_a_teacher_that_answers_nan_is_given_up_early(tmp_path: Path, labeler: Labeler) -> None:
    teacher = save_teacher(tmp_path / "teacher", lambda module, x: {"click": x * math.nan}, {"x": floats()})
    examples = write_examples(tmp_path / "examples", {"train": [GOOD * 100]})

    with pytest.raises(InputError, match=r"of the first \d+ records cannot be labelled \(non_finite: \d+\).*click = n"):
        labeler.run(examples, teacher, make_surface(), max_bad_fraction=1.0)
    assert_nothing_published(labeler)


def test_a_split_without_any_good_record_fails_whatever_the_bound(
    tmp_path: Path, labeler: Labeler, log_teacher: Path
) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=-1.0)] * 5]})

    with pytest.raises(InputError, match=r"split 'train': 5 of 5 records could not be labelled"):
        labeler.run(examples, log_teacher, make_surface(), max_bad_fraction=1.0)


def test_a_record_the_teacher_refuses_is_a_dead_letter(tmp_path: Path, labeler: Labeler) -> None:
    def look_up(module: tf.Module, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"click": tf.gather(tf.constant([10.0, 11.0, 12.0]), x[:, 0])}

    teacher = save_teacher(tmp_path / "teacher", look_up, {"x": tf.TensorSpec([None, 1], tf.int64, name="x")})
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=value) for value in (2, 7, 0)]]})

    labelled = labeler.run(examples, teacher, make_surface(features={"x": {"dtype": "int"}}), max_bad_fraction=0.5)

    assert labelled.soft_labels("click") == [12.0, 10.0]
    (letter,) = labelled.dead_letters()
    assert (letter["position"], letter["reason"]) == (1, "teacher_failed")
    assert "not in [0, 3)" in letter["detail"]


def test_values_that_cannot_be_cast_are_dead_letters(tmp_path: Path, labeler: Labeler) -> None:
    teacher = save_teacher(
        tmp_path / "teacher",
        lambda module, x, year: {"click": tf.cast(x + year, tf.float32)},
        {"x": tf.TensorSpec([None, 1], tf.int32, name="x"), "year": tf.TensorSpec([None, 1], tf.int32, name="year")},
    )
    surface = make_surface(features={"x": {"dtype": "int"}, "year": {"dtype": "int"}})
    values = [(1.0, "5"), (1.5, "5"), (1.0, "five"), (3e10, "5"), (2.0, "6")]
    records = [make_example(x=x, year=year) for x, year in values]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, teacher, surface, max_bad_fraction=0.6)

    assert labelled.soft_labels("click") == [6.0, 8.0]
    assert [(letter["position"], letter["reason"]) for letter in labelled.dead_letters()] == [
        (1, "uncastable"),
        (2, "uncastable"),
        (3, "uncastable"),
    ]


def test_one_in_a_thousand_is_the_bound_unless_another_is_given(
    tmp_path: Path, labeler: Labeler, log_teacher: Path
) -> None:
    good, bad = make_example(x=1.0), make_example(x=-1.0)
    one = write_examples(tmp_path / "one", {"train": [[*[good] * 999, bad]]})
    two = write_examples(tmp_path / "two", {"train": [[*[good] * 998, bad, bad]]})

    assert [letter["position"] for letter in labeler.run(one, log_teacher, make_surface()).dead_letters()] == [999]
    with pytest.raises(InputError, match=r"2 of 1000 records .*\(0.20%\), more than max_bad_fraction allows \(0.10%\)"):
        labeler.run(two, log_teacher, make_surface())

"""A teacher is tried before it labels: in the executor, and by the command line before anything else runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from components.teacher_labeler.trial import try_teacher
from schema.errors import InputError
from schema.surface import DistilledSurface
from tests.components.teacher_labeler.conftest import (
    Labeler,
    floats,
    make_example,
    make_surface,
    save_teacher,
    write_examples,
    write_shard,
)

RECORDS = [make_example(x=number / 10 - 5, clicked=0) for number in range(100)]
ODD: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], str]] = {
    "sorted": (lambda x: tf.sort(-x, axis=0), "the same examples in another order get other answers: in "),
    "shifted": (lambda x: tf.roll(x, 1, axis=0), "the same examples in another order get other answers"),
    "centred": (lambda x: x - tf.reduce_mean(x), "the same examples in smaller batches get other answers"),
    "scaled": (lambda x: x / tf.math.reduce_std(x), "the same examples in smaller batches get other answers"),
    "softmax over rows": (lambda x: tf.nn.softmax(x, axis=0) - 1.0, "smaller batches get other answers"),
    "noisy": (lambda x: x + tf.random.normal(tf.shape(x)), "two calls with the same 100 examples give different"),
    "a probability": (tf.sigmoid, "they look like probabilities. Write `gives: probability`"),
}


def teacher_of(folder: Path, function: Callable[[tf.Tensor], tf.Tensor]) -> Path:
    return save_teacher(folder / "teacher", lambda module, x: {"click": function(x)}, {"x": floats()})


def gives(what: str) -> DistilledSurface:
    return make_surface(teacher_tasks={"click": {"kind": "binary", "gives": what}})


@pytest.mark.parametrize("odd", list(ODD))
def test_an_odd_teacher_is_refused(tmp_path: Path, odd: str) -> None:
    function, message = ODD[odd]
    teacher = teacher_of(tmp_path, function)
    with pytest.raises(InputError, match=r"teacher.*signature 'serving_default'") as raised:
        try_teacher(make_surface(), str(teacher), str(write_shard(tmp_path / "part.gz", RECORDS)))
    assert message in str(raised.value)


@pytest.mark.parametrize("odd", ["sorted", "a probability"])
def test_it_labels_nothing_either(tmp_path: Path, labeler: Labeler, odd: str) -> None:
    function, message = ODD[odd]
    examples = write_examples(tmp_path / "examples", {"train": [RECORDS]})
    with pytest.raises(InputError) as raised:
        labeler.run(examples, teacher_of(tmp_path, function), make_surface())
    assert message in str(raised.value)


def test_a_good_one_passes_also_among_bad_records(tmp_path: Path) -> None:
    teacher = teacher_of(tmp_path, lambda x: 2 * x + tf.matmul(x, [[0.5]]))
    records = [b"\xff", *RECORDS, make_example(clicked=1), make_example(x=float("nan"))]
    try_teacher(make_surface(), str(teacher), str(write_shard(tmp_path / "part.gz", records)))


def test_few_or_equal_answers_say_nothing(tmp_path: Path) -> None:
    teacher = teacher_of(tmp_path, tf.sigmoid)
    path = write_shard(tmp_path / "part.gz", RECORDS[:10])
    try_teacher(make_surface(), str(teacher), str(path))
    try_teacher(gives("logit"), str(teacher), str(write_shard(tmp_path / "all.gz", RECORDS)))


def test_declared_probabilities_become_logits(tmp_path: Path, labeler: Labeler) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [RECORDS]})
    found = labeler.run(examples, teacher_of(tmp_path, tf.sigmoid), gives("probability"))
    assert found.soft_labels("click") == pytest.approx([number / 10 - 5 for number in range(100)], abs=1e-3)


def test_a_certain_probability_stays_finite_and_none_is_a_dead_letter(tmp_path: Path, labeler: Labeler) -> None:
    records = [make_example(x=value) for value in (0.0, 1.0, 0.5, 1.5)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})
    found = labeler.run(examples, teacher_of(tmp_path, tf.identity), gives("probability"), max_bad_fraction=0.5)
    assert found.soft_labels("click") == pytest.approx([-16.118, 16.118, 0.0], abs=1e-3)
    assert found.report.overall.bad == {"non_finite": 1}


def test_the_signature_and_the_defaults_are_checked_without_labelling(tmp_path: Path) -> None:
    path = str(write_shard(tmp_path / "part.gz", RECORDS))
    teacher = str(teacher_of(tmp_path, tf.identity))
    for features, message in (
        ({"x": {"dtype": "int"}}, "declared int, the signature takes float32"),
        ({"x": {"dtype": "float", "size": 2}}, "declared 2, the signature takes shape"),
        ({"x": {"dtype": "float"}, "y": {"dtype": "float"}}, "teacher.features.y: expected an input of the signature"),
        ({"y": {"dtype": "float"}}, "teacher.features.y: expected an input of the signature, found x"),
        ({"x": {"dtype": "float", "default": "0.5"}}, "teacher.features.x.default: expected 1 values of type float"),
    ):
        with pytest.raises(InputError, match=message):
            try_teacher(make_surface(features=features), teacher, path)

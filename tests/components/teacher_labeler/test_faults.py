"""Each way a run must fail, what it says then, and what it may go on in spite of."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.teacher_labeler import executor
from components.teacher_labeler.faults import find_fault
from components.teacher_labeler.job import run_job
from components.teacher_labeler.program import TeacherProgram, TeacherScores
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

# What the user declared does not fit the teacher.


def test_names_the_signatures_there_are(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=r"'serving_defualt'.*found serving_default; did you mean 'serving_default'"):
        labeler.run(examples, doubling_teacher, make_surface(signature="serving_defualt"))
    assert_nothing_published(labeler)


def test_names_the_outputs_there_are(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})
    surface = make_surface(teacher_tasks={"click": {"kind": "binary", "output": "clicks"}})

    with pytest.raises(InputError, match=r"teacher.tasks.click: expected an output 'clicks', found click; did you"):
        labeler.run(examples, doubling_teacher, surface)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"y": {"dtype": "float", "default": 0.0}}, r"teacher.features.y: expected an input .*found x"),
        (
            {"x": {"dtype": "float"}, "more": {"dtype": "float", "default": 0.0}},
            r"teacher.features.more: expected an input of the signature, found x",
        ),
        ({"x": {"dtype": "int"}}, r"teacher.features.x.dtype: declared int, the signature takes float32"),
        ({"x": {"dtype": "float", "size": 3}}, r"teacher.features.x.size: declared 3, the signature takes shape"),
    ],
)
def test_declared_features_must_be_the_signatures_inputs(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, features: dict[str, Any], message: str
) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=message):
        labeler.run(examples, doubling_teacher, make_surface(features=features))


def test_every_input_must_be_declared(tmp_path: Path, labeler: Labeler) -> None:
    teacher = save_teacher(
        tmp_path / "teacher", lambda module, x, z: {"click": x + z}, {"x": floats(), "z": floats(name="z")}
    )
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=r"its input 'z' is not declared in teacher.features"):
        labeler.run(examples, teacher, make_surface())


def test_takes_examples_needs_a_signature_that_does(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=r"teacher.takes: `examples` needs a signature with one input, a string"):
        labeler.run(examples, doubling_teacher, make_surface(takes="examples"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda module, x: {"click": tf.concat([x, x], 1)}, r"expected one number per example.*found \(None, 2\)"),
        (lambda module, x: {"click": tf.strings.as_string(x)}, r"expected real numbers \(logits\), found type string"),
        (lambda module, x: {"click": tf.reduce_sum(x, 0)}, r"expected one number per example, found 1 for 50"),
    ],
)
def test_a_task_is_one_number_per_example(tmp_path: Path, labeler: Labeler, answer: Any, message: str) -> None:
    teacher = save_teacher(tmp_path / "teacher", answer, {"x": floats()})
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=message):
        labeler.run(examples, teacher, make_surface())
    assert_nothing_published(labeler)


def test_no_teacher_there(tmp_path: Path, labeler: Labeler) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("no model here")

    with pytest.raises(InputError, match=r"expected a TensorFlow SavedModel as the teacher, found no saved_model.pb"):
        labeler.run(examples, tmp_path / "folder", make_surface())


def test_a_teacher_without_its_weights(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(doubling_teacher, teacher)
    shutil.rmtree(teacher / "variables")
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=r"teacher: the teacher's SavedModel cannot be loaded \("):
        labeler.run(examples, teacher, make_surface())
    assert_nothing_published(labeler)


def test_a_teacher_that_changed_under_its_path(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(doubling_teacher, teacher)
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=r"not the one this run was set up with: expected fingerprint 'of-yesterday'"):
        labeler.run(examples, teacher, make_surface(), teacher_fingerprint="of-yesterday")


def test_a_teacher_that_changes_while_it_labels(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(doubling_teacher, teacher)
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    def run_and_export(*arguments: Any) -> None:
        run_job(*arguments)
        (teacher / "variables" / "variables.index").write_bytes(b"of tomorrow")

    monkeypatch.setattr(executor, "run_job", run_and_export)

    with pytest.raises(InputError, match=r"the teacher is not the one this run was set up with"):
        labeler.run(examples, teacher, make_surface())
    assert_nothing_published(labeler)


# The examples are not what the surface says.


def test_a_required_feature_that_is_absent_everywhere(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(xx=1.0)] * 3]})

    message = r"feature 'x' is required and absent; did you mean 'xx'\?, in 3 of the first 3 examples. .*default"
    with pytest.raises(InputError, match=message):
        labeler.run(examples, doubling_teacher, make_surface())


def test_a_required_feature_that_is_absent_here_and_there(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path
) -> None:
    """Among the first records or after them: dead letters, under the bound for bad records."""
    records = [make_example(clicked=1), *GOOD * 10, make_example(clicked=1), *GOOD * 10, make_example(clicked=0)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    found = labeler.run(examples, doubling_teacher, make_surface(), max_bad_fraction=0.1)
    assert found.report.overall.bad == {"missing_feature": 3}
    assert [letter["position"] for letter in found.dead_letters()] == [0, 501, 1002]
    assert len(found.records()) == 1000


def test_above_the_bound_it_says_how_to_fill_it(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[*GOOD, make_example(clicked=1)]]})
    message = r"(?s)max_bad_fraction allows .*missing_feature x: 1.*teacher.features.x a `default:`.*--max-bad-fraction"
    with pytest.raises(InputError, match=message):
        labeler.run(examples, doubling_teacher, make_surface(), max_bad_fraction=0.001)
    assert_nothing_published(labeler)


def _bad_records() -> dict[str, list[bytes]]:
    """Records that cannot be labelled, by the reason that is to be found."""
    empty_text = tf.train.Example()
    empty_text.features.feature["x"].bytes_list.SetInParent()
    return {
        "unparsable": [b"\xff\xfe", b"random bytes that are no example", make_example(x=1.0)[:-3]],
        "wrong_type": [make_example(x="words"), make_example(x=3), empty_text.SerializeToString()],
        "wrong_size": [make_example(x=[1.0, 2.0]), make_example(x=1.0, clicked=[0, 1])],
        "missing_feature": [make_example(clicked=1), b"", tf.train.Example().SerializeToString(), make_example(x=[])],
        "non_finite": [make_example(x=float("nan")), make_example(x=float("inf"))],
    }


def counted_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills with the size of each batch that a teacher is called with, in either way."""
    calls: list[int] = []

    def count(called: Callable[[TeacherProgram, tf.Tensor], TeacherScores]) -> Callable[..., TeacherScores]:
        return lambda self, raw: calls.append(len(raw)) or called(self, raw)

    for name in ("__call__", "tolerant"):
        monkeypatch.setattr(TeacherProgram, name, count(getattr(TeacherProgram, name)))
    return calls


def test_bad_records_are_counted_exactly_and_cost_no_call_each(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [(reason, record) for reason, records in _bad_records().items() for record in records]
    records, expected = [], []
    for number in range(4096):
        records.append(make_example(x=float(number), clicked=number % 2))
        if number % 5 == 0:
            reason, record = bad[number // 5 % len(bad)]
            expected.append((len(records), reason))
            records.append(record)
    calls = counted_calls(monkeypatch)
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    found = labeler.run(examples, doubling_teacher, make_surface(), max_bad_fraction=0.5, batch_size=512)
    letters = [(letter["position"], letter["reason"]) for letter in found.dead_letters()]
    assert letters == expected
    assert found.report.overall.bad == dict(Counter(reason for _, reason in expected))
    assert found.soft_labels("click") == [2.0 * number for number in range(4096)]
    batches = -(-len(records) // 512)
    trials = 5
    assert len(calls) <= 3 * batches + trials  # as it is, parsed tolerantly, and what is left


def test_only_the_teacher_knows_why_it_refuses(tmp_path: Path, labeler: Labeler) -> None:
    """Then the batch is split; neighbours that are bad themselves do not come into it."""

    def refusing(module: tf.Module, x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_less(x, 1000.0, "too much")]):
            return {"click": 2.0 * x}

    teacher = save_teacher(tmp_path / "teacher", refusing, {"x": floats()})
    records = [make_example(x=float(number)) for number in range(100)]
    records[17], records[60] = make_example(x=5000.0), b"\xff"
    examples = write_examples(tmp_path / "examples", {"train": [records]})
    found = labeler.run(examples, teacher, make_surface(), max_bad_fraction=0.5)
    assert found.report.overall.bad == {"teacher_failed": 1, "unparsable": 1}
    assert [letter["position"] for letter in found.dead_letters()] == [17, 60]


@pytest.mark.parametrize("refused", [[0], [511], [17, 18, 300], [0, 255, 256, 511]])
def test_what_the_teacher_refuses_is_found_in_few_calls(
    tmp_path: Path, labeler: Labeler, monkeypatch: pytest.MonkeyPatch, refused: list[int]
) -> None:
    def refusing(module: tf.Module, x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_less(x, 1000.0, "too much")]):
            return {"click": 2.0 * x}

    teacher = save_teacher(tmp_path / "teacher", refusing, {"x": floats()})
    numbers = [5000.0 if row in refused else float(row) for row in range(512)]
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=each) for each in numbers]]})
    calls = counted_calls(monkeypatch)
    found = labeler.run(examples, teacher, make_surface(), max_bad_fraction=0.5, batch_size=512)
    assert [letter["position"] for letter in found.dead_letters()] == refused
    assert found.soft_labels("click") == [2.0 * each for each in numbers if each < 1000]
    trials, whole, search = 5, 2, 9 + 1 + 1  # halves of 512, the record alone, and what comes after it
    assert len(calls) <= trials + whole + search * len(refused)


@pytest.mark.parametrize(
    ("dtype", "text", "fits"),
    [
        ("int", " 7 ", True), ("int", "-7", True), ("int", "7.0", False), ("int", "1_000", False),
        ("int", "\u0667", False), ("int", "9223372036854775808", False), ("float", "1e5", True),
        ("float", "1_000.0", False), ("float", "nan", True), ("float", "", False), ("int", "", False),
    ],
)  # fmt: skip
def test_text_that_is_a_number_is_one_in_every_place(dtype: str, text: str, fits: bool) -> None:
    surface = make_surface(features={"x": {"dtype": dtype}})
    fault = find_fault(make_example(x=text), surface, {"x": "string"})
    assert (fault is None) == fits


def test_a_type_that_cannot_be_cast(tmp_path: Path, labeler: Labeler) -> None:
    teacher = save_teacher(
        tmp_path / "teacher",
        lambda module, x: {"click": tf.strings.to_number(x)},
        {"x": tf.TensorSpec([None, 1], tf.string, name="x")},
    )
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0)]]})

    with pytest.raises(InputError, match=r"feature 'x': teacher.features.x takes string, the examples hold float, and"):
        labeler.run(examples, teacher, make_surface(features={"x": {"dtype": "string"}}))


@pytest.mark.parametrize(("label", "message"), [(2, "label 'clicked' is not one in 1 of 51"), ("yes", "found strings")])
def test_a_label_that_is_none(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, label: int | str, message: str
) -> None:
    records = [make_example(x=0.0, clicked=label), *GOOD]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    with pytest.raises(InputError, match=message):
        labeler.run(examples, doubling_teacher, make_surface(), max_bad_fraction=0.5)


def test_one_column_has_one_size(tmp_path: Path, labeler: Labeler) -> None:
    specs = {"x": floats(), "pair": floats(2, name="pair")}
    teacher = save_teacher(tmp_path / "teacher", lambda module, x, pair: {"click": x + pair[:, :1]}, specs)
    surface = make_surface(features={"x": {"dtype": "float"}, "pair": {"dtype": "float", "size": 2, "from": "x"}})
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})

    with pytest.raises(InputError, match=r"teacher.features.pair.size: column 'x' is also read with size 1"):
        labeler.run(examples, teacher, surface)

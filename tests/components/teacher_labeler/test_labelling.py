"""The real executor on the in-memory Beam runner: what comes out, value by value."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.components.util import examples_utils, tfxio_utils
from tfx.types import artifact_utils
from tfx_bsl.tfxio import dataset_options

from tests.components.teacher_labeler.conftest import (
    Labeler,
    floats,
    make_example,
    make_surface,
    save_teacher,
    soft_label_of,
    write_examples,
    write_shard,
)


def test_appends_the_teachers_logit_to_each_record(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    train = [make_example(x=float(number), clicked=number % 2) for number in range(5)]
    examples = write_examples(tmp_path / "examples", {"train": [train[:3], train[3:]], "eval": [train[:2]]})

    labelled = labeler.run(examples, doubling_teacher, make_surface())

    assert labelled.soft_labels("click") == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert labelled.soft_labels("click", "eval") == [0.0, 2.0]
    assert all(after.startswith(before) for before, after in zip(train, labelled.records(), strict=True))


def test_one_thread_writes_the_same_bytes(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where TensorFlow is held to one thread there is no other: neither for batches nor for the writer."""
    records = [make_example(x=float(number), clicked=0) for number in range(1000)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})
    overlapped = labeler.run(examples, doubling_teacher, make_surface(), batch_size=64)

    started: list[str] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread.name), start(thread))[1])
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    in_turn = labeler.run(examples, doubling_teacher, make_surface(), batch_size=64)

    assert in_turn.records() == overlapped.records()
    assert [name for name in started if name.startswith(("labeller", "shard-writer"))] == []


def test_every_reader_of_tfx_sees_the_soft_labels(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    records = [make_example(x=1.5, clicked=1, name="a"), make_example(x=-3.0, clicked=0, name="b")]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, doubling_teacher, make_surface())

    spec = {"x": tf.io.FixedLenFeature([], tf.float32), "teacher/click": tf.io.FixedLenFeature([], tf.float32)}
    parsed = tf.io.parse_example(labelled.records(), spec)
    assert parsed["teacher/click"].numpy().tolist() == [3.0, -6.0]
    assert parsed["x"].numpy().tolist() == [1.5, -3.0]
    proto = tf.train.Example.FromString(labelled.records()[1]).features.feature
    assert proto["teacher/click"].float_list.value == [-6.0]
    assert proto["name"].bytes_list.value == [b"b"]
    tfxio = tfxio_utils.get_split_tfxio(labelled.examples, "train", ["test"])
    options = dataset_options.RecordBatchesOptions(batch_size=2, shuffle=False, num_epochs=1)
    (batch,) = tfxio.RecordBatches(options)
    assert batch.to_pydict()["teacher/click"] == [[3.0], [-6.0]]
    assert batch.to_pydict()["clicked"] == [[1], [0]]


def test_output_says_what_it_is(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    records = [make_example(x=1.0)]
    examples = write_examples(tmp_path / "examples", {"train": [records], "eval": [records]}, span=7, version=2)

    (output,) = labeler.run(examples, doubling_teacher, make_surface()).examples

    assert artifact_utils.decode_split_names(output.split_names) == ["train", "eval"]
    assert output.get_int_custom_property("span") == 7
    assert output.get_int_custom_property("version") == 2
    assert examples_utils.get_payload_format_string(output) == "FORMAT_TF_EXAMPLE"
    assert examples_utils.get_file_format(output) == "tfrecords_gzip"
    assert [path.name for path in (Path(output.uri) / "Split-train").iterdir()] == [
        "labelled_examples-00000-of-00001.gz"
    ]
    assert sorted(path.name for path in Path(output.uri).iterdir()) == ["Split-eval", "Split-train"]


def test_several_artifacts_keep_their_spans(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    inputs = [
        write_examples(tmp_path / f"span-{span}", {"train": [[make_example(x=float(span))] * span]}, span=span)
        for span in (1, 2, 3)
    ]

    labelled = labeler.run(inputs, doubling_teacher, make_surface())

    assert [output.get_int_custom_property("span") for output in labelled.examples] == [1, 2, 3]
    assert labelled.soft_labels("click", artifact=0) == [2.0]
    assert labelled.soft_labels("click", artifact=2) == [6.0, 6.0, 6.0]
    assert labelled.report.splits["train"].labelled == 6
    assert len({output.uri for output in labelled.examples}) == 3


@pytest.mark.parametrize("rank", [1, 2])
def test_takes_inputs_and_outputs_of_either_rank(tmp_path: Path, labeler: Labeler, rank: int) -> None:
    size = 1 if rank == 2 else None
    teacher = save_teacher(
        tmp_path / "teacher", lambda module, x: {"click": module.scale * x + 1.0}, {"x": floats(size)}
    )
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=4.0), make_example(x=-1.0)]]})

    assert labeler.run(examples, teacher, make_surface()).soft_labels("click") == [9.0, -1.0]


def test_labels_all_tasks_whatever_their_outputs_are_called(tmp_path: Path, labeler: Labeler) -> None:
    def answer(module: tf.Module, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"head_0": module.scale * x[:, 0], "watch": tf.cast(x + 1.0, tf.float64)}

    teacher = save_teacher(tmp_path / "teacher", answer, {"x": floats()}, signature="score")
    surface = make_surface(
        teacher_tasks={"click": {"kind": "binary", "output": "head_0"}, "watch": {"kind": "regression"}},
        signature="score",
    )
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=4.0)]]})

    labelled = labeler.run(examples, teacher, surface)

    assert labelled.soft_labels("click") == [8.0]
    assert labelled.soft_labels("watch") == [5.0]


ADAPTED: dict[str, dict[str, Any]] = {
    "renamed": {"dtype": "float", "from": "price"},
    "counted": {"dtype": "float", "from": "visits"},  # int to float
    "rounded": {"dtype": "int", "from": "stars"},  # float to int
    "code": {"dtype": "string", "from": "zone"},  # int to string
    "parsed": {"dtype": "int", "from": "year"},  # string to int
    "pair": {"dtype": "float", "size": 2, "default": (10.0, 20.0)},
    "word": {"dtype": "string", "default": "none"},
    "absent": {"dtype": "int", "default": -7},
}
ADAPTED_SPECS = {
    "renamed": tf.TensorSpec([None, 1], tf.float32, name="renamed"),
    "counted": tf.TensorSpec([None], tf.float64, name="counted"),
    "rounded": tf.TensorSpec([None, 1], tf.int32, name="rounded"),
    "code": tf.TensorSpec([None, 1], tf.string, name="code"),
    "parsed": tf.TensorSpec([None, 1], tf.int64, name="parsed"),
    "pair": tf.TensorSpec([None, 2], tf.float32, name="pair"),
    "word": tf.TensorSpec([None], tf.string, name="word"),
    "absent": tf.TensorSpec([None, 1], tf.int64, name="absent"),
}
ADAPTED_PARSING = {
    name: tf.io.FixedLenFeature([2] if name == "pair" else [1], tf.int64 if spec.dtype == tf.int32 else spec.dtype)
    for name, spec in {**ADAPTED_SPECS, "counted": tf.TensorSpec([None], tf.float32)}.items()
}
ADAPTED_RECORDS = [
    make_example(price=0.5, visits=3, stars=4.0, zone=12, year="1999", pair=[1.0, 2.0], word="five", noise="x"),
    make_example(price=0.25, visits=0, stars=-2.0, zone=-1, year="-5"),
]
# .5 + 3 + 4 + len("12") + 1999 + (1 + 2 * 2) + len("five") - 7, and the same with the defaults.
ADAPTED_LOGITS = [0.5 + 3 + 4 + 2 + 1999 + 5 + 4 - 7, 0.25 + 0 - 2 + 2 - 5 + 50 + 4 - 7]


def _sum_up(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    def number(name: str) -> tf.Tensor:
        return tf.reshape(tf.cast(inputs[name], tf.float32), [-1])

    def length(name: str) -> tf.Tensor:
        return tf.reshape(tf.cast(tf.strings.length(inputs[name]), tf.float32), [-1])

    numbers = number("renamed") + number("counted") + number("rounded") + number("parsed") + number("absent")
    pair = inputs["pair"][:, 0] + 2.0 * inputs["pair"][:, 1]
    return {"click": numbers + pair + length("code") + length("word")}


def test_adapts_features_for_a_signature_of_named_tensors(tmp_path: Path, labeler: Labeler) -> None:
    teacher = save_teacher(tmp_path / "teacher", lambda module, **inputs: _sum_up(**inputs), ADAPTED_SPECS)
    examples = write_examples(tmp_path / "examples", {"train": [ADAPTED_RECORDS]})

    labelled = labeler.run(examples, teacher, make_surface(features=ADAPTED))

    assert labelled.soft_labels("click") == ADAPTED_LOGITS


def test_adapts_features_for_a_signature_of_serialized_examples(tmp_path: Path, labeler: Labeler) -> None:
    def answer(module: tf.Module, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return _sum_up(**tf.io.parse_example(examples, ADAPTED_PARSING))

    teacher = save_teacher(
        tmp_path / "teacher", answer, {"examples": tf.TensorSpec([None], tf.string, name="examples")}
    )
    examples = write_examples(tmp_path / "examples", {"train": [ADAPTED_RECORDS]})

    labelled = labeler.run(examples, teacher, make_surface(features=ADAPTED, takes="examples"))

    assert labelled.soft_labels("click") == ADAPTED_LOGITS


def test_a_teacher_that_takes_examples_sees_declared_features_only(tmp_path: Path, labeler: Labeler) -> None:
    """The target's `y` is something else than the teacher's optional `y`, which nobody declared."""

    def answer(module: tf.Module, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {name: tf.io.FixedLenFeature([], tf.float32, 0.0) for name in ("x", "y")}
        parsed = tf.io.parse_example(examples, spec)
        return {"click": parsed["x"] + 100.0 * parsed["y"]}

    teacher = save_teacher(
        tmp_path / "teacher", answer, {"examples": tf.TensorSpec([None], tf.string, name="examples")}
    )
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0, y=5.0)]]})

    assert labeler.run(examples, teacher, make_surface(takes="examples")).soft_labels("click") == [1.0]


def test_fills_never_enter_the_examples(tmp_path: Path, labeler: Labeler) -> None:
    teacher = save_teacher(
        tmp_path / "teacher", lambda module, x, gone: {"click": x + gone}, {"x": floats(), "gone": floats(name="gone")}
    )
    surface = make_surface(features={"x": {"dtype": "float"}, "gone": {"dtype": "float", "default": 3.0}})
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0)]]})

    (record,) = labeler.run(examples, teacher, surface).records()

    assert set(tf.train.Example.FromString(record).features.feature) == {"x", "teacher/click"}
    assert soft_label_of(record, "click") == 4.0


def test_an_empty_list_is_an_absent_value(tmp_path: Path, labeler: Labeler) -> None:
    empty = tf.train.Example()
    empty.features.feature["x"].float_list.value.extend([])
    empty.features.feature["x"].float_list.SetInParent()
    teacher = save_teacher(tmp_path / "teacher", lambda module, x: {"click": x}, {"x": floats()})
    surface = make_surface(features={"x": {"dtype": "float", "default": 8.0}})
    records = [make_example(x=1.0), empty.SerializeToString(), tf.train.Example().SerializeToString()]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, teacher, surface)

    assert labelled.soft_labels("click") == [1.0, 8.0, 8.0]
    assert labelled.report.splits["train"].features["x"].filled == 2


def test_a_soft_label_that_is_there_already_is_replaced(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path
) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0, **{"teacher/click": 99.0})]]})

    labelled = labeler.run(examples, doubling_teacher, make_surface())

    assert labelled.soft_labels("click") == [2.0]
    spec = {"teacher/click": tf.io.FixedLenFeature([], tf.float32)}
    assert tf.io.parse_example(labelled.records(), spec)["teacher/click"].numpy().tolist() == [2.0]


def test_a_column_of_another_type_may_show_up_late(tmp_path: Path, labeler: Labeler) -> None:
    """`late` is an int column that the first records do not carry; the teacher takes floats."""
    teacher = save_teacher(
        tmp_path / "teacher", lambda module, x, late: {"click": x + late}, {"x": floats(), "late": floats(name="late")}
    )
    surface = make_surface(features={"x": {"dtype": "float"}, "late": {"dtype": "float", "default": -1.0}})
    records = [make_example(x=float(number)) for number in range(300)] + [make_example(x=0.0, late=5)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, teacher, surface, batch_size=64)

    assert labelled.soft_labels("click") == [*(number - 1.0 for number in range(300)), 5.0]
    assert labelled.report.overall.bad == {}


def test_teacher_may_lie_where_tfx_puts_models(tmp_path: Path, labeler: Labeler) -> None:
    teacher = tmp_path / "model"
    save_teacher(teacher / "Format-Serving", lambda module, x: {"click": x}, {"x": floats()})
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0)]]})

    assert labeler.run(examples, teacher, make_surface()).soft_labels("click") == [1.0]


def test_an_empty_shard_beside_a_full_one_is_no_fault(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[], [make_example(x=1.0)], []]})

    labelled = labeler.run(examples, doubling_teacher, make_surface())

    assert labelled.soft_labels("click") == [2.0]
    assert len(list((Path(labelled.examples[0].uri) / "Split-train").iterdir())) == 3


def test_order_is_kept_over_many_small_batches(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    records = [make_example(x=float(number)) for number in range(1000)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    labelled = labeler.run(examples, doubling_teacher, make_surface(), batch_size=7)

    assert labelled.soft_labels("click") == [2.0 * number for number in range(1000)]


def test_compression_level_changes_size_and_nothing_else(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path
) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0, text="same " * 50)] * 500]})

    runs = [labeler.run(examples, doubling_teacher, make_surface(), compression_level=level) for level in (0, 9)]

    stored, small = (next((Path(run.examples[0].uri) / "Split-train").iterdir()) for run in runs)
    assert gzip.decompress(stored.read_bytes()) == gzip.decompress(small.read_bytes())
    assert small.stat().st_size < stored.stat().st_size / 10


def test_reads_gzip_files_of_several_members(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0)]]})
    (shard,) = (tmp_path / "examples" / "Split-train").iterdir()
    other = write_shard(tmp_path / "other.gz", [make_example(x=2.0)])
    shard.write_bytes(shard.read_bytes() + other.read_bytes())

    assert labeler.run(examples, doubling_teacher, make_surface()).soft_labels("click") == [2.0, 4.0]

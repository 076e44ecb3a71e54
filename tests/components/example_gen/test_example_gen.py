"""ExampleGen under TFX's own executor, with its driver's fingerprint of the same files."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import json_format
from tfx.components.example_gen import utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from components.example_gen import executor
from components.example_gen.executor import Executor
from schema.errors import InputError
from tests.evaluation.evaluating import BEAM_ARGS
from tests.examples import example

INPUT = example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="train", pattern="train/*")])


def write(path: Path, records: list[bytes], compression: str = "GZIP") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)


def records_of(first: int, count: int) -> list[bytes]:
    return [example({"book": number}).SerializeToString() for number in range(first, first + count)]


def take_in(base: Path, out: Path) -> list[int]:
    """Runs the executor; returns the books that came out, sorted."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(out)
    properties = {
        "input_base": glob.escape(str(base)),
        "input_config": json_format.MessageToJson(INPUT),
        "output_config": json_format.MessageToJson(example_gen_pb2.Output()),
        "output_data_format": example_gen_pb2.FORMAT_TF_EXAMPLE,
        "output_file_format": example_gen_pb2.FORMAT_TFRECORDS_GZIP,
    }
    context = BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(out / "tmp"))
    Executor(context).Do({}, {"examples": [artifact]}, properties)
    files = sorted(str(each) for each in (out / "Split-train").iterdir())
    found = tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    return sorted(tf.train.Example.FromString(each).features.feature["book"].int64_list.value[0] for each in found)


def test_the_gzipped_files_are_taken_in_whatever_the_path(tmp_path: Path) -> None:
    base = tmp_path / "data [v2] *x?"
    write(base / "train" / "part-0.gz", records_of(0, 3))
    write(base / "train" / "part-1.gz", records_of(3, 2))
    write(base / "train" / "_SUCCESS", [], "")
    (base / "train" / ".part-0.gz.crc").write_bytes(b"crc\0")
    assert take_in(base, tmp_path / "out") == [0, 1, 2, 3, 4]


def test_files_are_copied_to_the_byte_under_tfx_s_names(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "train" / f"part-{number}.gz", records_of(10 * number, 10))
    take_in(tmp_path, tmp_path / "out")
    copies = {each.name: each.read_bytes() for each in (tmp_path / "out" / "Split-train").iterdir()}
    assert copies == {
        f"data_tfrecord-0000{number}-of-00003.gz": (tmp_path / "train" / f"part-{number}.gz").read_bytes()
        for number in range(3)
    }


def test_records_are_counted_over_batches_and_gzip_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "_BATCH", 4)
    write(tmp_path / "one.gz", records_of(0, 5))
    write(tmp_path / "other.gz", records_of(5, 6))
    both = tmp_path / "both.gz"
    both.write_bytes((tmp_path / "one.gz").read_bytes() + (tmp_path / "other.gz").read_bytes())
    assert executor.copy_examples(str(both), str(tmp_path / "copy.gz")) == 11
    assert (tmp_path / "copy.gz").read_bytes() == both.read_bytes()


def test_a_copy_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write(tmp_path / "part-0.gz", records_of(0, 3))
    with pytest.raises(InputError, match=r"part-0.gz: failed copying to .*nowhere"):
        executor.copy_examples(str(tmp_path / "part-0.gz"), str(tmp_path / "nowhere" / "copy.gz"))


def test_the_drivers_fingerprint_sees_the_same_path(tmp_path: Path) -> None:
    base = tmp_path / "data [v2]"
    write(base / "train" / "part-0.gz", records_of(0, 3))
    fingerprint, _, _ = utils.calculate_splits_fingerprint_span_and_version(glob.escape(str(base)), INPUT.splits)
    assert "num_files:1" in fingerprint


def test_an_uncompressed_file_beside_them_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train" / "part-0.gz", records_of(0, 3))
    write(tmp_path / "train" / "part-1.tfrecord", records_of(3, 2), "")
    with pytest.raises(Exception, match=r"train/part-1.tfrecord: expected gzipped TFRecords"):
        take_in(tmp_path, tmp_path / "out")


def test_a_record_that_is_no_example_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train" / "part-0.gz", [*records_of(0, 3), b"\xff\xff"])
    with pytest.raises(Exception, match=r"part-0.gz: expected tf.Examples, found other bytes in record 3"):
        take_in(tmp_path, tmp_path / "out")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train" / "part-0.gz", records_of(0, 300))
    path = tmp_path / "train" / "part-0.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(Exception, match=r"part-0.gz: expected complete gzipped TFRecords"):
        take_in(tmp_path, tmp_path / "out")

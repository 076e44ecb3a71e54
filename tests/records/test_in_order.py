"""Files of results hold the rows of the files that were read, in their order, whoever wrote which of them."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.beam_options import beam_args
from records.in_order import Part, Place, WriteInOrder, put_together, with_place, without_place
from schema.errors import InputError

THREADS = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
BATCHES = [
    (Place(file, 10 * batch), [f"{file} {batch} {row}".encode() * 40 for row in range(10)])
    for file in range(3)
    for batch in range(12)
]


def write(batches: list[tuple[Place, list[bytes]]], folder: Path, engine: list[str]) -> dict[str, bytes]:
    with beam.Pipeline(options=PipelineOptions(beam_args(engine))) as pipeline:
        _ = pipeline | beam.Create(batches) | WriteInOrder(str(folder / "out" / "part"), str(folder / "parts"))
    return {file.name: file.read_bytes() for file in sorted(folder.glob("out/*"))}


def test_files_are_those_that_were_read_in_their_order(tmp_path):
    mixed = random.Random(0).sample(BATCHES, len(BATCHES))
    found = write(mixed, tmp_path, [])
    assert list(found) == ["part-00000.gz", "part-00001.gz", "part-00002.gz"]
    for file, name in enumerate(found):
        dataset = tf.data.TFRecordDataset(str(tmp_path / "out" / name), compression_type="GZIP")
        expected = [record for place, batch in BATCHES if place.file == file for record in batch]
        assert list(dataset.as_numpy_iterator()) == expected


def test_every_engine_writes_the_same_bytes(tmp_path):
    mixed = random.Random(1).sample(BATCHES, len(BATCHES))
    assert write(mixed, tmp_path / "threads", THREADS) == write(BATCHES, tmp_path / "memory", [])


def test_a_second_attempt_replaces_the_first_and_what_is_left_of_others_is_not_read(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "of-a-killed-worker").write_bytes(b"half a batch")
    first = write(BATCHES, tmp_path, [])
    assert write(BATCHES, tmp_path, []) == first
    assert gzip.decompress(first["part-00000.gz"]).count(b"0 0 9") == 40


def test_what_cannot_be_written_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "parts").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"parts.*failed writing"):
        write(BATCHES, tmp_path, [])
    assert not list(tmp_path.glob("out/*"))


def test_a_part_that_is_gone_leaves_no_file(tmp_path):
    with pytest.raises(InputError, match=r"part-00007\.gz: failed writing"):
        put_together((7, [Part(0, str(tmp_path / "gone"), 0, 10)]), str(tmp_path / "part"), str(tmp_path))
    assert not list(tmp_path.glob("part-*"))


def test_a_batch_keeps_its_columns_and_says_where_it_stood():
    batch = pa.RecordBatch.from_pydict({"x": [[1.0], None, [2.0, 3.0]]})
    placed = with_place(batch, Place(5, 2000))
    assert placed.column(1).to_pylist() == [[(5 << 40) + row] for row in (2000, 2001, 2002)]
    assert without_place(placed) == (Place(5, 2000), batch)
    assert without_place(placed.slice(2))[0] == Place(5, 2002)
    with pytest.raises(KeyError):
        without_place(batch)

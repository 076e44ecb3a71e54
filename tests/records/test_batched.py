"""Examples read in batches are those that tfx-bsl reads one by one."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.util import tfxio_utils
from tfx.proto import example_gen_pb2
from tfx_bsl.tfxio import tf_example_record

from pipeline.beam_options import beam_args
from records.batched import BATCH, BatchedExamples, reading_in_batches
from records.in_order import PLACE, PLACE_FIELD
from records.record_files import write_records
from schema.errors import InputError
from tests.components.teacher_labeler.conftest import make_example

SCHEMA = text_format.Parse(
    'feature { name: "x" type: FLOAT } feature { name: "tags" type: BYTES } feature { name: "other" type: INT }',
    schema_pb2.Schema(),
)
PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
COUNTS = (3, 2 * BATCH + 7, 1)
NUMBERS = [10_000 * file + number for file, count in enumerate(COUNTS) for number in range(count)]


def row(number: int) -> bytes:
    tags = {"tags": ["a"] * (number % 3)} if number % 3 else {}
    return make_example(x=float(number), other=number, **tags)


def records(count: int, start: int = 0) -> list[bytes]:
    return [row(start + number) for number in range(count)]


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    for file, count in enumerate(COUNTS):
        write_records(str(tmp_path / f"data-{file}.gz"), records(count, 10_000 * file), level=1)
    return str(tmp_path / "data-*.gz")


def reader(pattern: str, schema: schema_pb2.Schema | None = SCHEMA) -> tf_example_record.TFExampleRecord:
    return tf_example_record.TFExampleRecord([pattern], schema=schema, telemetry_descriptors=["test"])


def read(
    tfxio: tf_example_record.TFExampleRecord, folder: Path, engine: list[str], size: int | None = None
) -> pa.Table:
    out = str(folder / "read.arrow")
    with beam.Pipeline(options=PipelineOptions(beam_args(engine))) as pipeline:
        _ = pipeline | tfxio.BeamSource(size) | beam.combiners.ToList() | beam.Map(_keep, out)
    with pa.ipc.open_file(out) as file:
        table = file.read_all()
    if "other" not in table.column_names:
        return table
    return table.append_column("number", pc.list_flatten(table["other"]))


def _keep(batches: list[pa.RecordBatch], path: str) -> None:
    with pa.ipc.new_file(path, batches[0].schema) as file:
        for batch in batches:
            file.write_batch(batch)


@pytest.mark.parametrize("schema", [SCHEMA, None], ids=["with a schema", "without"])
def test_the_rows_are_those_of_tfx_bsl(pattern, schema, tmp_path):
    usual = reader(pattern, schema)
    expected, found = (read(each, tmp_path, []) for each in (usual, BatchedExamples(usual)))
    assert found.num_rows == sum(COUNTS)
    assert found.schema == expected.schema
    assert found.sort_by("number").equals(expected.sort_by("number"))


def test_files_come_in_the_order_of_their_names_and_in_batches(pattern, tmp_path):
    found = read(BatchedExamples(reader(pattern)), tmp_path, [])
    assert [len(chunk) for chunk in found["other"].chunks] == [3, BATCH, BATCH, 7, 1]
    assert found["number"].to_pylist() == NUMBERS
    assert read(BatchedExamples(reader(pattern)), tmp_path, [], size=5)["x"].num_chunks == 1 + 402 + 1


def test_worker_processes_share_the_files(pattern, tmp_path):
    found = read(BatchedExamples(reader(pattern)), tmp_path, PROCESSES)
    assert sorted(found["number"].to_pylist()) == NUMBERS


def test_a_choice_of_columns_is_read_in_batches_too(pattern, tmp_path):
    chosen = BatchedExamples(reader(pattern)).Project(["x"])
    found = read(chosen, tmp_path, [])
    assert found.column_names == ["x"]
    assert [len(chunk) for chunk in found["x"].chunks] == [3, BATCH, BATCH, 7, 1]


def test_a_column_of_whole_records_is_read_in_batches_too(pattern, tmp_path):
    usual = tf_example_record.TFExampleRecord(
        [pattern], schema=SCHEMA, raw_record_column_name="record", telemetry_descriptors=["test"]
    )
    found = read(BatchedExamples(usual), tmp_path, [])
    assert pc.list_flatten(found["record"]).to_pylist() == [*map(row, NUMBERS)]
    assert [len(chunk) for chunk in found["record"].chunks] == [3, BATCH, BATCH, 7, 1]
    assert found.schema == read(usual, tmp_path, []).schema
    assert found["number"].to_pylist() == NUMBERS


def test_a_size_may_be_asked_for(pattern, tmp_path):
    with reading_in_batches(size=5):
        found = read(made(pattern, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE), tmp_path, [])
    assert found["x"].num_chunks == 1 + 402 + 1


@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda content: content[:40] + b"x" + content[41:]])
def test_a_damaged_file_is_an_error_that_names_it(pattern, damage, tmp_path):
    file = tmp_path / "data-1.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"data-1\.gz"):
        read(BatchedExamples(reader(pattern)), tmp_path, [])


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected files of examples, found none"):
        BatchedExamples(reader(str(tmp_path / "*"))).BeamSource()


def made(pattern: str, format_: int) -> object:
    return tfxio_utils.make_tfxio(pattern, ["test"], format_, schema=SCHEMA)


def test_tfx_makes_these_readers_within_and_its_own_outside(pattern):
    examples = example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE
    with reading_in_batches():
        assert isinstance(made(pattern, examples), BatchedExamples)
        parquet = made(pattern, example_gen_pb2.PayloadFormat.FORMAT_PARQUET)
        assert not isinstance(parquet, tf_example_record.TFExampleRecord)
    assert type(made(pattern, examples)) is tf_example_record.TFExampleRecord
    with pytest.raises(RuntimeError, match="inside"), reading_in_batches():
        raise RuntimeError("inside")
    assert type(made(pattern, examples)) is tf_example_record.TFExampleRecord


def test_rows_say_where_they_stood(pattern, tmp_path):
    plain, placed = (BatchedExamples(reader(pattern), placed=each) for each in (False, True))
    found = read(placed.Project(["x", "other"]), tmp_path, [])
    places = [divmod(place, 1 << 40) for place in pc.list_flatten(found[PLACE]).to_pylist()]
    assert sorted(places) == [(file, row) for file, count in enumerate(COUNTS) for row in range(count)]
    assert [10_000 * file + row for file, row in places] == found["number"].to_pylist()
    assert [*placed.ArrowSchema()] == [*plain.ArrowSchema(), PLACE_FIELD]
    assert placed.TensorAdapterConfig().arrow_schema == placed.ArrowSchema()
    assert placed.TensorRepresentations() == plain.TensorRepresentations()


def test_a_column_of_that_name_is_an_error(pattern):
    schema = text_format.Parse(f'feature {{ name: "{PLACE}" type: INT }}', schema_pb2.Schema())
    with pytest.raises(InputError, match="expected no column 'crosskd/place'"):
        BatchedExamples(reader(pattern, schema), placed=True).ArrowSchema()

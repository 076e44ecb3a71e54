"""Transform comes to what TFX's comes to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.utils.shared import Shared
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.beam import impl
from tfx.components.transform import executor as usual
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx_bsl.coders import example_coder
from tfx_bsl.tfxio import tf_example_record

from components.transform.component import Transform
from components.transform.executor import Executor, RunGraph
from models import batching, inputs
from models.store import Store
from pipeline.beam_options import beam_args
from records.batched import BatchedExamples
from records.in_order import PLACE, Place, with_place
from records.record_files import files_in_order, first_records
from schema.errors import InputError
from schema.training import Training
from tests.components.teacher_labeler import conftest as tiny
from tests.models.reading import batches_of

SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "tags" type: BYTES }
"""
SHARDS = [
    [
        tiny.make_example(x=float(10 * shard + row), **({"tags": [f"t{row % 4}"] * (row % 3)} if row % 3 else {}))
        for row in range(10)
    ]
    for shard in range(3)
]
_WORDS = "words"
PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """A dense column, a list and one computed by a vocabulary of all rows."""
    words = tf.strings.as_string(tf.cast(inputs["x"], tf.int64) % 4)
    return {
        "x": tft.scale_to_z_score(inputs["x"]),
        "tags": inputs["tags"],
        "word": tft.compute_and_apply_vocabulary(words, vocab_filename=_WORDS),
    }


def run(
    kind: type[usual.Executor], folder: Path, engine: list[str], lost_bytes: int = 0, disable_statistics: int = 1
) -> Path:
    folder.mkdir()
    examples = tiny.write_examples(folder / "examples", {"train": SHARDS, "eval": SHARDS[:1]})
    last = max((folder / "examples" / "Split-train").iterdir())
    last.write_bytes(last.read_bytes()[: last.stat().st_size - lost_bytes])
    schema, graph, transformed = (
        standard_artifacts.Schema(),
        standard_artifacts.TransformGraph(),
        standard_artifacts.Examples(),
    )
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(SCHEMA)
    schema.uri, graph.uri, transformed.uri = str(folder / "schema"), str(folder / "graph"), str(folder / "transformed")
    context = BaseBeamExecutor.Context(beam_pipeline_args=beam_args(engine), tmp_dir=str(folder / "tmp"))
    kind(context).Do(
        {"examples": [examples], "schema": [schema]},
        {"transform_graph": [graph], "transformed_examples": [transformed]},
        {
            "preprocessing_fn": f"{__name__}.preprocessing_fn",
            "disable_statistics": disable_statistics,
            "force_tf_compat_v1": 0,
        },
    )
    assert set(artifact_utils.decode_split_names(transformed.split_names)) == {"train", "eval"}
    return folder


def run_spans(folder: Path, spans: list[int]) -> list[str]:
    """Transforms examples of some spans, handed over in this order; patterns of the results, in that of their places.

    Of span 7 the rows are 70, 71 and 72.
    """
    examples = [
        tiny.write_examples(
            folder / f"span-{span}",
            {split: [[tiny.make_example(x=float(10 * span + row)) for row in range(3)]] for split in ("train", "eval")},
            span=span,
        )
        for span in spans
    ]
    made = {
        "transform_graph": standard_artifacts.TransformGraph(),
        "transformed_examples": standard_artifacts.Examples(),
    }
    for key, artifact in made.items():
        artifact.uri = str(folder / key)
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(SCHEMA)
    outputs = {key: [artifact] for key, artifact in made.items()}
    context = BaseBeamExecutor.Context(beam_pipeline_args=beam_args([]), tmp_dir=str(folder / "tmp"))
    given = {"preprocessing_fn": f"{__name__}.as_it_is", "disable_statistics": 1, "force_tf_compat_v1": 0}
    Executor(context).Do({"examples": examples, "schema": [schema]}, outputs, given)
    return [f"{each.uri}/Split-train/*" for each in outputs["transformed_examples"]]


def as_it_is(inputs: dict[str, Any]) -> dict[str, Any]:
    """The number that says which row it is, and a label."""
    return {"x": inputs["x"], "label/x": inputs["x"]}


def files(folder: Path, split: str = "train") -> list[Path]:
    return sorted((folder / "transformed" / f"Split-{split}").iterdir())


def rows(folder: Path, split: str) -> list[tf.train.Example]:
    records = first_records([str(file) for file in files(folder, split)])
    found = map(tf.train.Example.FromString, records)
    return sorted(found, key=lambda row: row.features.feature["x"].float_list.value[0])


def ids(folder: Path) -> list[bytes]:
    output = tft.TFTransformOutput(str(folder / "graph"))
    return output.vocabulary_by_name(_WORDS)


def test_examples_and_graph_are_those_of_tfx(tmp_path):
    expected, found = (run(kind, tmp_path / kind.__module__, []) for kind in (usual.Executor, Executor))
    for split, count in (("train", 30), ("eval", 10)):
        assert len(rows(found, split)) == count
        assert rows(found, split) == rows(expected, split)
    assert ids(found) == ids(expected) == [b"1", b"0", b"3", b"2"]


@pytest.mark.slow
def test_worker_processes_come_to_the_same_rows_in_the_same_order(tmp_path):
    alone, shared = run(Executor, tmp_path / "alone", []), run(Executor, tmp_path / "shared", PROCESSES)

    def values(folder: Path) -> list[list[float]]:
        return [
            [row.features.feature["x"].float_list.value[0] for row in map(tf.train.Example.FromString, records)]
            for records in map(first_records, map(str, files(folder)))
        ]

    assert [file.name for file in files(shared)] == [f"transformed_examples-0000{number}.gz" for number in range(3)]
    np.testing.assert_allclose(values(shared), values(alone), rtol=1e-6)
    assert values(alone) == sorted(values(alone))
    assert ids(shared) == ids(alone)


@pytest.fixture(scope="module")
def of_spans(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Eleven spans, handed over as they were labelled: the window's oldest ones after the newest."""
    return run_spans(tmp_path_factory.mktemp("spans"), [11, 3, 1, 2, 4, 5, 6, 7, 8, 9, 10])


def test_spans_are_written_in_their_order_in_whatever_order_they_were_labelled(of_spans):
    assert [pattern.split("/")[-3] for pattern in of_spans] == [str(place) for place in range(11)]
    for span, pattern in enumerate(of_spans, start=1):
        found = map(tf.train.Example.FromString, first_records(files_in_order([pattern])))
        values = [row.features.feature["x"].float_list.value[0] for row in found]
        assert values == [10 * span + row for row in range(3)]


@pytest.mark.parametrize("memory_limit", [0, 2**30], ids=["streamed", "in_memory"])
@pytest.mark.parametrize("handed", [1, -1], ids=["as they are", "backwards"])
def test_the_last_rows_are_those_of_the_newest_span(of_spans, memory_limit, handed):
    """Of more than ten spans, too: the folder `10` comes after `9`, whatever the order of the patterns."""
    spec = {name: tf.io.FixedLenFeature([], tf.float32) for name in ("x", "label/x")}
    training = Training(batch_size=4, validation_fraction=1 / 8, hold_out="last")
    store = Store(of_spans[::handed], spec)
    data = inputs.transformed(store, training, memory_limit=memory_limit)
    held_out = [float(x) for features, _ in batches_of(data.held_out()) for x in features["x"]]
    assert held_out == [101, 102, 110, 111, 112]
    fitted = sorted(float(x) for features, _ in batches_of(data.epoch(0)) for x in features["x"])
    assert fitted == [10 * span + row for span in range(1, 11) for row in range(3)][:-2]
    read_again = inputs.transformed_columns(of_spans[::handed], spec, ["x"])["x"]
    assert read_again[batching.split(store.rows, training)[1]].tolist() == held_out


def test_statistics_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected disable_statistics"):
        run(Executor, tmp_path / "run", [], disable_statistics=0)


def test_no_part_is_left(tmp_path):
    folder = run(Executor, tmp_path / "run", [])
    assert sorted(path.name for path in (folder / "transformed").iterdir()) == ["Split-eval", "Split-train"]


def test_a_truncated_file_is_an_error_and_leaves_no_examples(tmp_path):
    with pytest.raises(InputError, match="00002-of-00003"):
        run(Executor, tmp_path / "truncated", [], lost_bytes=9)
    assert not list(tmp_path.glob("truncated/transformed/*/*.gz"))


def graph_runner(kind: type[impl._RunMetaGraphDoFn], shared: Shared, examples: BatchedExamples) -> Any:
    made = kind(
        None, shared, {PLACE}, use_tf_compat_v1=False, input_tensor_adapter_config=examples.TensorAdapterConfig()
    )
    made.setup()
    return made


def test_a_worker_goes_on_when_its_graph_was_made_a_second_time(tmp_path):
    folder = run(Executor, tmp_path / "run", [])
    first, second = (folder / "graph" / "transform_fn", tmp_path / "made-again")
    shutil.copytree(first, second)
    pattern = str(folder / "examples" / "Split-train" / "*")
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    reader = tf_example_record.TFExampleRecord([pattern], schema=schema, telemetry_descriptors=["test"])
    examples = BatchedExamples(reader, placed=True)
    decoder = example_coder.ExamplesToRecordBatchDecoder(schema.SerializeToString())
    batch = with_place(decoder.DecodeBatch(SHARDS[0]), Place(0, 0))
    usual_shared, ours_shared = Shared(), Shared()
    theirs = graph_runner(impl._RunMetaGraphDoFn, usual_shared, examples)
    one, other = (graph_runner(RunGraph, ours_shared, examples) for _ in range(2))
    (expected,) = theirs.process(batch, str(first))
    with pytest.raises(AssertionError):
        list(theirs.process(batch, str(second)))
    for runner, made in ((one, first), (other, first), (one, second), (other, second), (other, first)):
        (found,) = runner.process(batch, str(made))
        assert runner._graph_state.saved_model_dir == str(made)
        np.testing.assert_array_equal(found["x"], expected["x"])
        assert found[PLACE].to_pylist() == [[row] for row in range(10)]


def test_tfx_has_its_own_parts_again(tmp_path):
    before = usual.TransformProcessor, impl._RunMetaGraphDoFn
    run(Executor, tmp_path / "run", [])
    assert (usual.TransformProcessor, impl._RunMetaGraphDoFn) == before
    assert Transform.EXECUTOR_SPEC.executor_class is Executor

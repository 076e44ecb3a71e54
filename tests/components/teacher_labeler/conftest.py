"""Tiny teachers and examples, made on the spot, and the real executor to run them through."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, artifact_utils, standard_artifacts

from components.teacher_labeler import options, spec
from components.teacher_labeler.executor import Executor
from contracts.artifacts import DeadLetters, LabelReportArtifact
from contracts.label_report import LabelReport
from records import documents
from records.fingerprint import fingerprint
from schema.surface import Surface

# TFX packs itself for the workers of every executor, which takes over a second, unless told what they run on.
BEAM_ARGS = ("--runner=FnApiRunner", "--sdk_container_image=unused-in-process")
Value = int | float | str | bytes


def make_example(**columns: Value | Sequence[Value]) -> bytes:
    """A serialized tf.Example; floats, ints and strings go into the list of their type."""
    example = tf.train.Example()
    for name, given in columns.items():
        values = list(given) if isinstance(given, list | tuple) else [given]
        feature = example.features.feature[name]
        if all(isinstance(value, float) for value in values):
            feature.float_list.value.extend(values)
        elif all(isinstance(value, int) for value in values):
            feature.int64_list.value.extend(values)
        else:
            feature.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in values)
    return example.SerializeToString()


def write_shard(path: Path, records: Sequence[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for record in records:
            writer.write(record)
    return path


def write_examples(
    folder: Path,
    splits: Mapping[str, Sequence[Sequence[bytes]]],
    span: int | None = None,
    version: int | None = None,
) -> Artifact:
    """An Examples artifact as ExampleGen writes it: for each split a list of shards."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names(list(splits))
    if span is not None:
        artifact.set_int_custom_property("span", span)
    if version is not None:
        artifact.set_int_custom_property("version", version)
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    artifact.set_string_custom_property("file_format", "tfrecords_gzip")
    for split, shards in splits.items():
        for index, records in enumerate(shards):
            write_shard(folder / f"Split-{split}" / f"data_tfrecord-{index:05d}-of-{len(shards):05d}.gz", records)
    return artifact


def make_surface(
    features: Mapping[str, Mapping[str, Any]] | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
    teacher_tasks: Mapping[str, Mapping[str, Any]] | None = None,
    **teacher: Any,
) -> Surface:
    """A surface whose teacher takes `x` and answers `click`."""
    return Surface.model_validate(
        {
            "name": "tiny",
            "features": {"x": {"kind": "numeric"}},
            "tasks": tasks
            or {"click": {"kind": "binary", "label": "clicked", "ungated": "a test", "distil": {"from": "click"}}},
            "teacher": {
                "tasks": teacher_tasks or {"click": {"kind": "binary"}},
                "features": features or {"x": {"dtype": "float"}},
                **teacher,
            },
        }
    )


def save_teacher(
    folder: Path,
    function: Callable[..., Mapping[str, tf.Tensor]],
    inputs: Mapping[str, tf.TensorSpec],
    signature: str = "serving_default",
) -> Path:
    """A SavedModel with one signature: `function` over the named `inputs`."""
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    concrete = tf.function(lambda **tensors: function(module, **tensors)).get_concrete_function(**inputs)
    tf.saved_model.save(module, str(folder), signatures={signature: concrete})
    return folder


def floats(size: int | None = 1, name: str | None = None) -> tf.TensorSpec:
    return tf.TensorSpec([None] if size is None else [None, size], tf.float32, name=name)


@pytest.fixture(scope="session")
def doubling_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`click` = 2 x, of shape [batch, 1]."""
    folder = tmp_path_factory.mktemp("teachers") / "doubling"
    return save_teacher(folder, lambda module, x: {"click": module.scale * x}, {"x": floats()})


@dataclass
class Labelled:
    """What one run of the executor left behind."""

    examples: list[Artifact]
    report: LabelReport
    dead_letters_uri: Path

    def records(self, split: str = "train", artifact: int = 0) -> list[bytes]:
        paths = sorted((Path(self.examples[artifact].uri) / f"Split-{split}").iterdir())
        return [record for path in paths for record in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator()]

    def soft_labels(self, task: str, split: str = "train", artifact: int = 0) -> list[float]:
        return [soft_label_of(record, task) for record in self.records(split, artifact)]

    def dead_letters(self, split: str = "train") -> list[dict[str, Any]]:
        paths = sorted(self.dead_letters_uri.glob(f"**/Split-{split}/*.jsonl.gz"))
        return [json.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]


def soft_label_of(record: bytes, task: str) -> float:
    (value,) = tf.train.Example.FromString(record).features.feature[f"teacher/{task}"].float_list.value
    return value


class Labeler:
    """Runs the real executor, each run into its own folder unless `into` is given."""

    def __init__(self, root: Path, beam_args: Sequence[str] = BEAM_ARGS) -> None:
        self.root = root
        self.beam_args = beam_args
        self._runs = 0

    def run(
        self,
        examples: Artifact | Sequence[Artifact],
        teacher: Path,
        surface: Surface,
        into: Path | None = None,
        **exec_properties: Any,
    ) -> Labelled:
        self._runs += 1
        root = into or self.root / f"run-{self._runs}"
        inputs = {
            spec.EXAMPLES_KEY: [examples] if isinstance(examples, Artifact) else list(examples),
            spec.TEACHER_KEY: [_artifact(standard_artifacts.Model(), teacher)],
        }
        outputs = {
            spec.LABELLED_EXAMPLES_KEY: [_artifact(standard_artifacts.Examples(), root / "labelled_examples")],
            spec.LABEL_REPORT_KEY: [_artifact(LabelReportArtifact(), root / "label_report")],
            spec.DEAD_LETTERS_KEY: [_artifact(DeadLetters(), root / "dead_letters")],
        }
        properties = {
            spec.SURFACE_KEY: surface.model_dump_json(by_alias=True),
            spec.TEACHER_FINGERPRINT_KEY: fingerprint(str(teacher)) if teacher.is_dir() else "absent",
            spec.BATCH_SIZE_KEY: options.DEFAULT_BATCH_SIZE,
            spec.COMPRESSION_LEVEL_KEY: options.DEFAULT_COMPRESSION_LEVEL,
            spec.MAX_BAD_FRACTION_KEY: options.DEFAULT_MAX_BAD_FRACTION,
            **exec_properties,
        }
        context = BaseBeamExecutor.Context(beam_pipeline_args=list(self.beam_args), tmp_dir=str(root / "tmp"))
        Executor(context).Do(inputs, outputs, properties)
        return Labelled(
            outputs[spec.LABELLED_EXAMPLES_KEY],
            documents.read(str(root / "label_report"), LabelReport),
            root / "dead_letters",
        )


def _artifact(artifact: Artifact, uri: Path) -> Artifact:
    artifact.uri = str(uri)
    return artifact


@pytest.fixture
def labeler(tmp_path: Path) -> Labeler:
    return Labeler(tmp_path / "runs")

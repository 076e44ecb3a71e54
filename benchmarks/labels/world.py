"""What the benchmark labels, and with what: random examples, and a teacher that lacks 12 of its 32 inputs there.

Speed depends on how many features there are, of which types, and on the teacher's size; not
on what the numbers mean.  So they are drawn at random, and the teacher is not trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tfx.types import artifact_utils, standard_artifacts

from models.export import export_teacher
from records.encoding import NumberField, NumberLayout, encode_strings
from records.tfrecords import RecordWriter
from schema.surface import Surface

SPLIT = "train"
EXAMPLES_SIGNATURE = "examples"
EXAMPLES_INPUT = "examples"
TENSORS_SIGNATURE = "serving_default"
TASKS = {"click": "binary", "stay": "regression"}
LABELS = {"click": "clicked", "stay": "minutes"}

_VECTOR = 8
_IDS = {"user_id": 100_000, "item_id": 40_000, "category": 1_000, "device": 8}
_WORDS = {"language": 64}
_NUMBERS = [f"number_{index}" for index in range(14)]
_VECTORS = ["content"]
_ABSENT_IDS = {"channel_id": 20_000, "playlist_id": 5_000}
_ABSENT_NUMBERS = [f"source_number_{index}" for index in range(9)]
_ABSENT_VECTORS = ["profile"]
_LANGUAGES = np.array([f"language-{index:02d}".encode() for index in range(_WORDS["language"])], object)
_BLOCK = 10_000
_SHARD_ROWS = 50_000
_GZIP_LEVEL = 1


@dataclass(frozen=True)
class TeacherSize:
    """Width of the user and item embeddings, and of the dense layers."""

    embedding: int
    dense: tuple[int, ...]


DEFAULT_TEACHER = "5M"
TEACHERS = {
    DEFAULT_TEACHER: TeacherSize(32, (512, 512, 256)),
    "20M": TeacherSize(128, (1024, 1024, 512)),
    "50M": TeacherSize(256, (2048, 2048, 1024)),
    "100M": TeacherSize(512, (4096, 2048, 1024)),
}


def present_features() -> dict[str, tf.TensorSpec]:
    """The teacher's inputs that the target has, as its signature takes them."""
    return _specs({**_IDS}, _WORDS, _NUMBERS, _VECTORS)


def absent_features() -> dict[str, tf.TensorSpec]:
    """Those that the target lacks."""
    return _specs(_ABSENT_IDS, {}, _ABSENT_NUMBERS, _ABSENT_VECTORS)


def _specs(
    ids: Mapping[str, int], words: Mapping[str, int], numbers: list[str], vectors: list[str]
) -> dict[str, tf.TensorSpec]:
    return {
        **{name: tf.TensorSpec([None, 1], tf.int64, name=name) for name in ids},
        **{name: tf.TensorSpec([None, 1], tf.string, name=name) for name in words},
        **{name: tf.TensorSpec([None, 1], tf.float32, name=name) for name in numbers},
        **{name: tf.TensorSpec([None, _VECTOR], tf.float32, name=name) for name in vectors},
    }


def make_surface(takes: str = "tensors") -> Surface:
    """The surface under which TeacherLabeler labels."""
    kinds = {tf.int64: "int", tf.float32: "float", tf.string: "string"}
    features = {
        name: {
            "dtype": kinds[spec.dtype],
            "size": spec.shape[1],
            **({"default": 0} if name in absent_features() else {}),
        }
        for name, spec in {**present_features(), **absent_features()}.items()
    }
    tasks = {
        name: {"kind": kind, "label": LABELS[name], "ungated": "a benchmark", "distil": {"from": name}}
        for name, kind in TASKS.items()
    }
    return Surface.model_validate(
        {
            "name": "benchmark",
            "features": {"number_0": {"kind": "numeric"}},
            "tasks": tasks,
            "teacher": {
                "signature": TENSORS_SIGNATURE if takes == "tensors" else EXAMPLES_SIGNATURE,
                "takes": takes,
                "tasks": {name: {"kind": kind} for name, kind in TASKS.items()},
                "features": features,
            },
        }
    )


def save_teacher(folder: Path, size: TeacherSize) -> int:
    """Exports an untrained teacher with a signature of named tensors and one of serialized examples.

    Returns:
      Its number of parameters.
    """
    keras.utils.set_random_seed(0)
    specs = {**present_features(), **absent_features()}
    model = _ranker(specs, size)

    def score(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        indices = {
            name: tf.strings.to_hash_bucket_fast(tensor, _WORDS[name]) if name in _WORDS else tensor
            for name, tensor in inputs.items()
        }
        return model(indices)

    def score_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return score(tf.io.parse_example(examples, parsing_spec()))

    export_teacher(
        model,
        {
            TENSORS_SIGNATURE: (score, [specs]),
            EXAMPLES_SIGNATURE: (score_examples, [tf.TensorSpec([None], tf.string, name=EXAMPLES_INPUT)]),
        },
        str(folder),
    )
    return int(model.count_params())


def parsing_spec() -> dict[str, tf.io.FixedLenFeature]:
    """All inputs of the teacher, zeros where the examples lack them."""
    return {
        name: tf.io.FixedLenFeature([spec.shape[1]], spec.dtype, np.zeros(spec.shape[1], spec.dtype.as_numpy_dtype))
        if name in absent_features()
        else tf.io.FixedLenFeature([spec.shape[1]], spec.dtype)
        for name, spec in {**present_features(), **absent_features()}.items()
    }


def _ranker(specs: Mapping[str, tf.TensorSpec], size: TeacherSize) -> keras.Model:
    wide = dict.fromkeys(("user_id", "item_id"), size.embedding)
    inputs, parts = {}, []
    for name, spec in specs.items():
        vocabulary = {**_IDS, **_WORDS, **_ABSENT_IDS}.get(name)
        dtype = "int64" if vocabulary else "float32"
        inputs[name] = keras.Input((spec.shape[1],), name=name, dtype=dtype)
        if vocabulary:
            embedded = keras.layers.Embedding(vocabulary, wide.get(name, 16))(inputs[name])
            parts.append(keras.layers.Flatten()(embedded))
        else:
            parts.append(inputs[name])
    hidden = keras.layers.Concatenate()(parts)
    for width in size.dense:
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
    return keras.Model(inputs, {name: keras.layers.Dense(1)(hidden) for name in TASKS})


def write_examples(folder: Path, rows: int, shards: int | None = None) -> standard_artifacts.Examples:
    """Writes `rows` random examples as gzipped TFRecords, and returns their artifact.

    Args:
      folder: The artifact's folder.
      rows: How many.
      shards: Number of files; by default one for each 50,000 rows, and an even number.
    """
    count = shards or max(2, -(-rows // _SHARD_ROWS) // 2 * 2)
    target = folder / f"Split-{SPLIT}"
    target.mkdir(parents=True)
    sizes = [rows // count + (index < rows % count) for index in range(count)]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_write_shard, target, index, count, size) for index, size in enumerate(sizes)]:
            done.result()
    return examples_artifact(folder)


def examples_artifact(folder: Path) -> standard_artifacts.Examples:
    """The artifact of examples that `write_examples` wrote into `folder`."""
    artifact = standard_artifacts.Examples()
    artifact.uri, artifact.split_names = str(folder), artifact_utils.encode_split_names([SPLIT])
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    artifact.set_string_custom_property("file_format", "tfrecords_gzip")
    return artifact


def _write_shard(folder: Path, index: int, count: int, rows: int) -> None:
    random = np.random.default_rng(index)
    with (folder / f"data-{index:05d}-of-{count:05d}.gz").open("wb") as file:
        writer = RecordWriter(file, _GZIP_LEVEL)
        for start in range(0, rows, _BLOCK):
            writer.write(_records(random, min(_BLOCK, rows - start)))
        writer.finish()


def _records(random: np.random.Generator, rows: int) -> list[bytes]:
    columns: dict[str, NDArray[Any]] = {name: random.integers(0, size, (rows, 1)) for name, size in _IDS.items()}
    columns |= {name: random.normal(size=(rows, 1)) for name in _NUMBERS}
    columns |= {name: random.normal(size=(rows, _VECTOR)) for name in _VECTORS}
    columns[LABELS["click"]] = random.integers(0, 2, (rows, 1))
    columns[LABELS["stay"]] = random.normal(size=(rows, 1))
    fields = [
        NumberField(name, "int" if values.dtype.kind == "i" else "float", values.shape[1])
        for name, values in columns.items()
    ]
    numbers = NumberLayout(fields).encode(list(columns.values()))
    words = encode_strings("language", random.choice(_LANGUAGES, (rows, 1)))
    return [number + word for number, word in zip(numbers, words, strict=True)]

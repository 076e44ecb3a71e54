"""Runs the component's executor over examples made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.candidate_sampler.executor import Executor
from contracts.artifacts import CandidateReportArtifact as ReportArtifact
from contracts.candidate_report import CandidateReport
from records import documents
from records.fingerprint import fingerprint
from schema.candidates import fingerprint_key
from schema.pairs import pair_plan
from schema.surface import Surface

Row = Mapping[str, object]

SCHEMA = text_format.Parse(
    """
    feature { name: "user" type: INT presence { min_fraction: 1 } shape {} }
    feature { name: "item" type: BYTES presence { min_fraction: 1 } shape {} }
    feature { name: "taste" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 2 } } }
    feature { name: "content" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 2 } } }
    feature { name: "match" type: FLOAT presence { min_fraction: 1 } shape {} }
    feature { name: "seen" type: INT presence { min_fraction: 1 } shape {} }
    feature { name: "position" type: INT presence { min_fraction: 1 } shape {} }
    feature { name: "genre" type: BYTES value_count { min: 1 max: 1 } }
    feature { name: "new" type: INT presence { min_fraction: 1 } shape {} }
    feature { name: "clicked" type: INT presence { min_fraction: 1 } value_count { min: 1 max: 1 } }
    """,
    schema_pb2.Schema(),
)

USERS, ITEMS = 10, 30
# Item 0 is shown as often as all others together.
POPULARITY = np.array([ITEMS - 1] + (ITEMS - 1) * [1]) / (2 * ITEMS - 2)
SCALE = 0.5


def surface(**unlabelled: object) -> Surface:
    numeric = {"kind": "numeric"}
    return Surface.model_validate(
        {
            "name": "made",
            "features": {
                "user": {"kind": "categorical", "side": "user"},
                "item": {"kind": "categorical", "side": "item"},
                "taste": {**numeric, "side": "user", "size": 2},
                "content": {**numeric, "side": "item", "size": 2},
                "match": {**numeric, "side": "cross"},
                "seen": {**numeric, "side": "cross"},
                "position": {**numeric, "side": "context"},
                "genre": {"kind": "categorical", "side": "item", "default": "none"},
            },
            "tasks": {"click": {"kind": "binary", "label": "clicked", "distil": {"from": "click"}, "ungated": "test"}},
            "teacher": {"tasks": {"click": {"kind": "binary"}}, "features": {"user": {"dtype": "int"}}},
            "unlabelled": {
                "item": ["item"],
                "cross": {"match": {"dot": ["taste", "content"], "scale": SCALE}, "seen": {"value": 0}},
                **unlabelled,
            },
        }
    )


def shown(rng: np.random.Generator, user: int, item: int) -> dict[str, object]:
    """The example of a pair: tastes and content depend on the ids, the position on nothing."""
    taste, content = np.float32([user, 1.5]), np.float32([0.25, item])
    row: dict[str, object] = {
        "user": user,
        "item": f"item-{item}".encode(),
        "taste": taste,
        "content": content,
        "match": float(SCALE * taste @ content),
        "seen": 1,
        "position": int(rng.integers(5)),
        "new": int(item >= 6),
        "clicked": int(rng.integers(2)),
    }
    return row | ({"genre": f"genre-{item}".encode()} if item % 2 else {})


def draw(seed: int, count: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    items = rng.choice(ITEMS, size=count, p=POPULARITY)
    return [shown(rng, int(user), int(item)) for user, item in zip(rng.integers(USERS, size=count), items, strict=True)]


def serialized(row: Row) -> bytes:
    example = tf.train.Example()
    for name, value in row.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.extend(np.atleast_1d(value))
    return example.SerializeToString()


def write(folder: Path, rows: Sequence[Row], parts: int = 2) -> Path:
    folder.mkdir(parents=True)
    for part in range(parts):
        with tf.io.TFRecordWriter(str(folder / f"part-{part}.gz"), "GZIP") as writer:
            for row in rows[part::parts]:
                writer.write(serialized(row))
    return folder


def read(folder: Path) -> list[dict[str, list]]:
    files = sorted(str(path) for path in folder.glob("*.gz"))
    found = []
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        found.append({name: list(getattr(each, each.WhichOneof("kind")).value) for name, each in features.items()})
    return found


@dataclass(frozen=True)
class Made:
    """What a run of the executor left."""

    inputs: Path
    outputs: Path
    pairs: list[dict[str, list]]
    report: CandidateReport
    splits: list[str]


Run = Callable[..., Made]


def run(
    folder: Path,
    rows: Mapping[str, Sequence[Row]],
    asked: Surface,
    candidates: Path | None = None,
    **catalogues: Path,
) -> Made:
    examples, schema = standard_artifacts.Examples(), standard_artifacts.Schema()
    extended, found = standard_artifacts.Examples(), ReportArtifact()
    for artifact, name in ((examples, "in"), (schema, "schema"), (extended, "out"), (found, "report")):
        artifact.uri = str(folder / name)
    for split, of_split in rows.items():
        write(folder / "in" / f"Split-{split}", of_split)
    examples.split_names = artifact_utils.encode_split_names(sorted(rows))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(SCHEMA))
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=unused-in-process"]
    )
    properties = {"plan": pair_plan(asked).model_dump_json()}
    for name, place in {"candidates": candidates, **catalogues}.items():
        if place is not None:
            properties |= {name: str(place), fingerprint_key(name): fingerprint(str(place))}
    Executor(context).Do(
        {"examples": [examples], "schema": [schema]},
        {"extended_examples": [extended], "candidate_report": [found]},
        properties,
    )
    pairs = read(folder / "out" / "Split-unlabelled")
    splits = artifact_utils.decode_split_names(extended.split_names)
    return Made(folder / "in", folder / "out", pairs, documents.read(found.uri, CandidateReport), splits)


@pytest.fixture(scope="session")
def rows() -> dict[str, list[dict[str, object]]]:
    return {"train": draw(0, 60), "eval": draw(1, 15)}

"""Columns and tasks may be called as they like: also as our layers, or as no layer may be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import apache_beam as beam
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from components.serving_validator.graph import read_graph
from components.serving_validator.judge import graph_checks
from components.serving_validator.requirements import requirements_of
from contracts.decision import Verdict
from contracts.roles import ModelRole
from models import trunks
from models.export import EXAMPLES_INPUT, SIGNATURE, export_student
from models.lookups import vocabulary_name
from models.names import identifier
from models.preprocessing import preprocessing_fn
from models.ranker import build
from models.scales import LabelStatistics
from models.trainer import train
from schema.surface import Surface

NUMBERS = [
    "user/age", "user_age", "features", "tower_click", "serving_click", "distillation_click", "trunk", "größe", "a b",
    "head.serving_click", "input_user_age", "my_teacher/age", "gate_click", "probability_click", "0", "a.b", "-x",
]  # fmt: skip
IDS = ["user/genre", "user_genre", "embedding_features"]
TASKS = ["click", "x", "x_mixture", "x_sum", "shared", "gate", "expert_0", "distillation_x", "representation_trunk"]

SURFACE = Surface.model_validate(
    {
        "name": "odd",
        "features": {
            **{name: {"kind": "numeric"} for name in NUMBERS},
            **{name: {"kind": "categorical", "embedding": 2} for name in IDS},
        },
        "tasks": {
            name: {"kind": "binary", "label": "clicked", "distil": {"from": "t"}, "ungated": "test"} for name in TASKS
        },
        "teacher": {
            "tasks": {"t": {"kind": "binary"}},
            "features": {"user/age": {"dtype": "float"}},
            "representations": {"layer": {"size": 2}},
        },
        "representations": {"trunk": {"from": "layer"}, "x": {"from": "layer"}},
        "non_serving_heads": {"stay": {"from": "t"}},
        "model": {"trunk": [4, 3], "tower": [2], "experts": 2},
        "training": {"epochs": 1, "batch_size": 16},
    }
)


def test_different_columns_have_different_identifiers() -> None:
    names = [*NUMBERS, *IDS, "user age", "user-age", "USER/AGE"]
    found = [identifier(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") for each in found)
    assert identifier("plain_Name_0") == "plain_Name_0"
    assert vocabulary_name("user/genre") != vocabulary_name("user_genre")


@pytest.mark.parametrize("head", ["auxiliary", "stacked"])
@pytest.mark.parametrize("kind", list(trunks.TrunkKind))
def test_no_name_collides_with_a_layer_whatever_the_trunk(kind: str, head: str) -> None:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["model"]["trunk_kind"] = kind
    for task in content["tasks"].values():
        task["distil"]["head"] = head
    surface = Surface.model_validate(content)
    statistics = dict.fromkeys(TASKS, LabelStatistics(0.5, 0.5))
    ranker = build(surface, dict.fromkeys(IDS, 4), statistics, distil=True)
    repeated = [name for name, count in Counter(each.name for each in ranker.training.layers).items() if count > 1]
    assert not repeated
    expected = {f"{kind}_{name}" for kind in ("serving", "distillation") for name in TASKS} | {
        "distillation_stay",
        "distillation_representation.trunk",
        "distillation_representation.x",
    }
    assert set(ranker.training.output) == expected


def test_a_column_reaches_its_own_input() -> None:
    """Of many odd names each one moves the answer when it changes, and no other stands in for it."""
    statistics = dict.fromkeys(TASKS, LabelStatistics(0.5, 0.5))
    ranker = build(SURFACE, dict.fromkeys(IDS, 4), statistics, distil=False)
    taken = keras.Model(ranker.serving.input, ranker.serving.input)
    batch = {name: np.full((1, 1), place, np.float32) for place, name in enumerate(NUMBERS)}
    batch |= {name: np.array([place % 4]) for place, name in enumerate(IDS)}
    for name, value in taken(batch).items():
        np.testing.assert_array_equal(value, batch[name])


def _rows(count: int) -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {
            **{name: float(rng.normal()) for name in NUMBERS},
            **{name: f"{place}-{index % 3}" for place, name in enumerate(IDS)},
            "clicked": index % 2,
            "teacher/t": float(rng.normal()),
            "teacher/layer": [float(rng.normal()), 1.0],
        }
        for index in range(count)
    ]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    spec = {name: tf.io.FixedLenFeature([], tf.float32) for name in (*NUMBERS, "teacher/t")}
    spec |= {name: tf.io.FixedLenFeature([], tf.string) for name in IDS}
    spec |= {"clicked": tf.io.FixedLenFeature([], tf.int64), "teacher/layer": tf.io.FixedLenFeature([2], tf.float32)}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    config = {"surface": SURFACE.model_dump_json(by_alias=True)}
    with beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        raw = pipeline | beam.Create(_rows(96)), metadata
        (data, described), function = raw | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        coder = tft.coders.ExampleProtoCoder(described.schema)
        _ = data | beam.Map(coder.encode) | beam.io.WriteToTFRecord(str(folder / "train"), file_name_suffix=".gz")
        _ = function | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / tft.TFTransformOutput.RAW_METADATA_DIR))
    return folder


def test_such_a_surface_is_trained_and_served_and_passes_for_what_it_is(transformed: Path, tmp_path: Path) -> None:
    graph = str(transformed / "graph")
    exported = {}
    for role in (ModelRole.STUDENT, ModelRole.CONTROL):
        ranker, _ = train(SURFACE, role, graph, [str(transformed / "train*")], str(tmp_path / "log"))
        exported[role] = str(tmp_path / role.value)
        export_student(ranker, SURFACE, graph, exported[role])
    found = tft.TFTransformOutput(graph)
    assert {each.decode() for each in found.vocabulary_by_name(vocabulary_name("user_genre"))} == {"1-0", "1-1", "1-2"}

    features = tf.train.Features()
    for name in NUMBERS:
        features.feature[name].float_list.value.append(0.5)
    for place, name in enumerate(IDS):
        features.feature[name].bytes_list.value.append(f"{place}-1".encode())
    request = tf.constant([tf.train.Example(features=features).SerializeToString()])
    served = tf.saved_model.load(exported[ModelRole.STUDENT]).signatures[SIGNATURE](**{EXAMPLES_INPUT: request})
    assert set(served) == set(TASKS)

    graphs = [read_graph(exported[role]) for role in (ModelRole.STUDENT, ModelRole.CONTROL)]
    checks = list(graph_checks(*graphs, requirements_of(SURFACE)))
    assert [each.sentence for each in checks if each.verdict is not Verdict.PASS] == []

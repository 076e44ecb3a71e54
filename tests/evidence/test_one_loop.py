"""The Trainer and an experiment train the same model: the same weights, bit for bit, with every technique.

The Trainer's side reads transformed TFRecords as it does in a run; the experiment's reads
the same run through `evidence.data`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schema.distillation import Head, Loss
from schema.training import Optimizer, TrunkKind
from tests.evidence.both_ways import (
    CASES,
    EVAL,
    GRAPH,
    KINDS,
    KINDS_CASES,
    TEACHER,
    TRAIN,
    UNLABELLED,
    surface_of,
)
from tests.models import all_kinds
from tests.models.conftest import write_transformed

_REPOSITORY = Path(__file__).parents[2]
_PAIRS = 150


class Offering(tf.Module):
    """A teacher that offers embeddings of users 0 to 5."""

    @tf.function(input_signature=[])
    def embeddings(self):
        ids = tf.range(6, dtype=tf.int64)
        return {"user_ids": ids, "user_vectors": tf.cast(ids, tf.float32)[:, None] * tf.constant([[3.0, 4.0, 1.0]])}


def _raw_example(row: dict) -> tf.train.Example:
    """A row as the labelled examples of a run have it."""
    example = tf.train.Example()
    for name, value in row.items():
        values = value if isinstance(value, list) else [value]
        kept = example.features.feature[name]
        for each in values:
            if isinstance(each, str):
                kept.bytes_list.value.append(each.encode())
            elif isinstance(each, int):
                kept.int64_list.value.append(each)
            else:
                kept.float_list.value.append(each)
    return example


def write_examples(folder: Path, examples: list[tf.train.Example]) -> None:
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "part.gz"), "GZIP") as writer:
        for example in examples:
            writer.write(example.SerializeToString())


def pairs_of(pattern: str) -> list[tf.train.Example]:
    """Some of the transformed training examples without hard labels."""
    files = tf.io.gfile.glob(pattern)
    examples = []
    for record in tf.data.TFRecordDataset(sorted(files), "GZIP").take(_PAIRS).as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        for label in ("label/click", "label/minutes"):
            example.features.feature[label].float_list.value[:] = [np.nan]
        examples.append(example)
    return examples


def _write_kinds(folder: Path) -> None:
    """The same of the surface with every kind of feature."""
    surface, rows = all_kinds.surface_in(folder / "surface"), all_kinds.drawn_rows(300)
    graph, files = all_kinds.transform(surface, rows, folder)
    assert (graph, files) == (str(folder / GRAPH), [str(folder / TRAIN / "*")])
    write_examples(folder / UNLABELLED, pairs_of(files[0]))
    write_examples(folder / EVAL, [tf.train.Example.FromString(all_kinds.serialized(row)) for row in rows[:100]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run as far as training goes, and all cases trained both ways."""
    folder = tmp_path_factory.mktemp("run")
    transformed = write_transformed(folder)
    assert {each.name for each in folder.iterdir()} >= {GRAPH, TRAIN}
    # Of the day after the training rows: what serves of histories is known by then.
    write_examples(folder / EVAL, [_raw_example(row | {"day": [8]}) for row in transformed.raw[:100]])
    write_examples(folder / UNLABELLED, pairs_of(transformed.train_files[0]))
    _write_kinds(folder / KINDS)
    module = Offering()
    for each in (folder, folder / KINDS):
        tf.saved_model.save(module, str(each / TEACHER), signatures={"embeddings": module.embeddings})
    done = subprocess.run(
        [sys.executable, "-m", "tests.evidence.both_ways", str(folder)],
        cwd=_REPOSITORY,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.mark.parametrize(
    ("place", "cases", "case"),
    [*((".", CASES, case) for case in CASES), *((KINDS, KINDS_CASES, case) for case in KINDS_CASES)],
    ids=[*CASES, *KINDS_CASES],
)
def test_the_trainer_and_the_experiment_reach_equal_weights(place, cases, case, folder):
    number = list(cases).index(case)
    trainer, experiment = (dict(np.load(folder / place / f"{number}-{way}.npz")) for way in ("trainer", "experiment"))
    assert set(trainer) == set(experiment)
    for name, value in trainer.items():
        np.testing.assert_array_equal(experiment[name], value, strict=True)
    assert trainer["epoch"] > 0  # it is not the start that is compared


@pytest.mark.parametrize(("place", "cases"), [(".", CASES), (KINDS, KINDS_CASES)], ids=["techniques", "kinds"])
def test_no_two_cases_train_the_same_model(place, cases, folder):
    losses = [
        float(np.load(folder / place / f"{number}-trainer.npz")["selection_loss"]) for number in range(len(cases))
    ]
    assert len(set(losses)) == len(cases)


def test_every_technique_is_among_the_cases():
    surfaces = [surface_of(case) for case in CASES.values() if not case.get("control")]
    distillations = [each for surface in surfaces for each in surface.distillations().values()]
    assert {each.loss for each in distillations} == set(Loss)
    assert {each.head for each in distillations} == set(Head)
    assert {surface.model.trunk_kind for surface in surfaces} == set(TrunkKind)
    assert {surface.training.batch_by for surface in surfaces} == {"rows", "group"}
    assert {surface.training.loss_weights for surface in surfaces} == {"fixed", "uncertainty"}
    assert {surface.training.optimizer for surface in surfaces} == set(Optimizer)
    assert {surface.training.early_stopping.by for surface in surfaces} == {"relative", "sum"}
    for used in (
        [each.schedule for each in distillations],
        [surface.training.early_stopping.patience for surface in surfaces],
        [surface.training.learning_rate_decay for surface in surfaces],
        [surface.training.warm_up_steps for surface in surfaces],
        [surface.training.clip_norm for surface in surfaces],
        [surface.training.mixed_precision for surface in surfaces],
        [surface.training.device == "cpu" for surface in surfaces],
        [surface.representations for surface in surfaces],
        [surface.unlabelled for surface in surfaces],
        [surface.warm_start for surface in surfaces],
        [surface.weight_column for surface in surfaces],
        [surface.model.l2 for surface in surfaces],
        [each.adapter for each in distillations],
        [each.reliability for each in distillations],
        [each.weight_column for each in distillations],
        [each.trunk_gradient < 1 for each in distillations],
        [surface.trust.known for surface in surfaces],
        [surface.histories for surface in surfaces],
    ):
        assert any(used)
        assert not all(used)

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from evidence.data import RunData, load
from evidence.paths import RunPaths
from schema.errors import InputError
from schema.slice import Slice
from tests.models.conftest import ROWS, SURFACE, Transformed
from tests.models.conftest import transformed as transformed  # a fixture: what Transform left

SLICED = SURFACE.model_copy(
    update={
        "slices": {
            "rock": Slice(features={"genre": "rock"}),
            "by_user": Slice(features={"user": None}),
            "rock_by_clicked": Slice(features={"genre": "rock", "clicked": None}),
        }
    }
)


def serialized(row: dict) -> bytes:
    example = tf.train.Example()
    for name, value in row.items():
        feature = example.features.feature[name]
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                feature.bytes_list.value.append(each.encode())
            elif isinstance(each, int):
                feature.int64_list.value.append(each)
            else:
                feature.float_list.value.append(each)
    return example.SerializeToString()


@pytest.fixture(scope="module")
def paths(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A run whose evaluation split is its training split, in another order."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "train").mkdir()
    (folder / "eval").mkdir()
    for path in sorted(Path(transformed.train_files[0]).parent.glob("*.gz")):
        shutil.copy(path, folder / "train")
    with tf.io.TFRecordWriter(str(folder / "eval" / "part.gz"), "GZIP") as writer:
        for row in reversed(transformed.raw):
            writer.write(serialized(row))
    return RunPaths("made", transformed.graph, (str(folder / "train"),), str(folder / "eval"))


@pytest.fixture(scope="module")
def loaded(paths: RunPaths) -> RunData:
    return load(SLICED, paths, ["user"])


def test_training_rows_are_split_as_the_trainer_splits_them(loaded: RunData):
    assert len(loaded.held_out) == ROWS / 5
    np.testing.assert_array_equal(loaded.held_out, np.arange(0, ROWS, 5))
    np.testing.assert_array_equal(np.sort(np.concatenate([loaded.fitted, loaded.held_out])), np.arange(ROWS))


def test_the_evaluation_split_is_transformed_row_by_row(loaded: RunData, transformed: Transformed):
    rows = transformed.raw[::-1]
    np.testing.assert_array_equal(loaded.raw["user"], [row["user"] for row in rows])
    np.testing.assert_array_equal(loaded.evaluation["label/click"], [row["clicked"] for row in rows])
    match = np.array([row["match"] for row in rows], np.float32)
    scaled = (match - match.mean()) / match.std()
    np.testing.assert_allclose(loaded.evaluation["match"][:, 0], scaled, rtol=1e-3, atol=1e-4)


def test_slices_by_buckets_and_most_frequent_values(paths: RunPaths, transformed: Transformed):
    slices = {
        "age": Slice(buckets={"age": (1.0, 3.0)}),
        "user": Slice(most_frequent={"user": 2}, features={"genre": "rock"}),
    }
    found = load(SURFACE.model_copy(update={"slices": slices}), paths).slices
    rows = transformed.raw[::-1]
    ages = [row["age"][0] if row["age"] else None for row in rows]
    expected = {
        "age (bucket)=1 to under 3": [age is not None and 1 <= age < 3 for age in ages],
        "age (bucket)=3 or more": [age is not None and age >= 3 for age in ages],
        # 400 rows of 7 users in turn: the first of them have one row more.
        "user user (top 2)=0": [row["genre"] == ["rock"] and row["user"] == 0 for row in rows],
        "user user (top 2)=1": [row["genre"] == ["rock"] and row["user"] == 1 for row in rows],
        "user user (top 2)=others": [row["genre"] == ["rock"] and row["user"] > 1 for row in rows],
    }
    kept = {name: where for name, where in expected.items() if name in found}
    assert set(found) == set(kept)
    assert "user user (top 2)=others" in kept
    for name, where in kept.items():
        np.testing.assert_array_equal(found[name], where)


def test_the_teacher_is_not_scaled(loaded: RunData, transformed: Transformed):
    expected = [row["teacher/click"][0] if row["teacher/click"] else np.nan for row in transformed.raw[::-1]]
    assert list(loaded.teacher) == ["click"]
    np.testing.assert_allclose(loaded.teacher["click"], np.array(expected, np.float32))


def test_slices_are_those_of_the_surface(loaded: RunData, transformed: Transformed):
    rows = transformed.raw[::-1]
    rock = np.array([row["genre"] == ["rock"] for row in rows])
    clicked = np.array([row["clicked"] == 1 for row in rows])
    np.testing.assert_array_equal(loaded.slices["rock"], rock)
    np.testing.assert_array_equal(loaded.slices["user=3"], np.array([row["user"] == 3 for row in rows]))
    np.testing.assert_array_equal(loaded.slices["rock_by_clicked clicked=1"], rock & clicked)
    assert sum(name.startswith("user=") for name in loaded.slices) == 7
    assert loaded.small_slices == 0


def test_a_run_of_another_surface_is_refused(paths: RunPaths):
    tasks = {**SURFACE.tasks, "bought": SURFACE.tasks["click"].model_copy(update={"label": "bought", "distil": None})}
    with pytest.raises(InputError, match="made: Transform's output lacks label/bought"):
        load(SURFACE.model_copy(update={"tasks": tasks}), paths)


def test_missing_splits_and_columns_are_named(paths: RunPaths, tmp_path: Path):
    with pytest.raises(InputError, match="expected the transformed training split"):
        load(SURFACE, replace(paths, train=str(tmp_path)))
    with pytest.raises(InputError, match=r"expected gzipped TFRecords of tf.Example \(\*.gz\), found none"):
        load(SURFACE, replace(paths, labelled_eval=str(tmp_path)))
    with pytest.raises(InputError, match="has no column nobody"):
        load(SURFACE, paths, ["nobody"])


def test_without_the_evaluation_split_its_files_are_not_opened(paths: RunPaths, loaded: RunData, tmp_path: Path):
    found = load(SLICED, replace(paths, labelled_eval=str(tmp_path / "gone")), evaluation=False)
    assert (found.evaluation, found.teacher, found.raw, found.slices) == ({}, {}, {}, {})
    np.testing.assert_array_equal(found.training["match"], loaded.training["match"])
    np.testing.assert_array_equal(found.held_out, loaded.held_out)

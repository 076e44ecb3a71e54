"""The reference teacher with lists and sequences: padded tensors and serialized examples say the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.export import SIGNATURE
from models.teacher import EXAMPLES_SIGNATURE, train_teacher
from schema.errors import InputError

SURFACE = """
name: source
features:
  item: {kind: categorical, side: item, embedding: 4}
  tags: {kind: categorical, side: item, many: true, length: 3, weights: shares, embedding: 2}
  recent: {kind: categorical, side: user, sequence: past, embedding_of: item}
  recent_age: {kind: numeric, side: user, sequence: past}
sequences:
  past: {length: 4, read: attention}
tasks:
  click: {kind: binary, label: click, ungated: reference teacher}
model: {trunk: [16], tower: [8]}
training: {epochs: 15, batch_size: 32, learning_rate: 0.02}
"""
SCHEMA = """
feature { name: "item" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "tags" type: INT }
feature { name: "shares" type: FLOAT }
feature { name: "recent" type: INT }
feature { name: "recent_age" type: FLOAT }
feature { name: "click" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
"""


def example(item: int, recent: list[int], tags: list[int] = (), ages: list[float] = ()) -> tf.train.Example:
    found = tf.train.Example()
    found.features.feature["item"].int64_list.value.append(item)
    found.features.feature["recent"].int64_list.value.extend(recent)
    found.features.feature["tags"].int64_list.value.extend(tags)
    found.features.feature["recent_age"].float_list.value.extend(ages)
    return found


def write(folder: Path, surface: str = SURFACE) -> Path:
    (folder / "train").mkdir(parents=True)
    (folder / "surface.yaml").write_text(surface)
    (folder / "schema.pbtxt").write_text(SCHEMA)
    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(folder / "train" / "part.gz"), options="GZIP") as writer:
        for _ in range(800):
            item, recent = int(rng.integers(6)), rng.integers(6, size=rng.integers(6)).tolist()
            click = int(rng.random() < (0.9 if item in recent[:4] else 0.1))
            row = example(
                item, recent, rng.integers(3, size=rng.integers(5)).tolist(), rng.random(len(recent)).tolist()
            )
            row.features.feature["click"].int64_list.value.append(click)
            writer.write(row.SerializeToString())
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("source") / "source")
    return tf.saved_model.load(str(train_teacher(folder, folder, folder.parent / "teacher").path))


def test_it_learns_that_an_item_is_among_the_recent_ones(teacher):
    signature = teacher.signatures[EXAMPLES_SIGNATURE]

    def logit(recent: Callable[[int, list[int]], list[int]]) -> float:
        """The mean over all items, for a list that is made of the item and the four that come after it."""
        rows = [example(item, recent(item, [(item + step) % 6 for step in range(1, 5)])) for item in range(6)]
        return float(np.mean(signature(examples=tf.constant([row.SerializeToString() for row in rows]))["click"]))

    assert logit(lambda item, others: [item, others[0]]) > 0.5
    assert logit(lambda item, others: others[:2]) < -0.5
    assert logit(lambda item, others: []) < -0.5
    assert logit(lambda item, others: [*others, item]) < -0.5  # the fifth is cut


def test_padded_tensors_say_what_examples_say(teacher):
    rows = [example(2, [2, 3], [1], [0.5, 0.7]), example(4, []), example(9, [9, 2, 2, 2, 2], [1, 2, 0, 1])]
    by_examples = teacher.signatures[EXAMPLES_SIGNATURE](
        examples=tf.constant([row.SerializeToString() for row in rows])
    )["click"]
    by_tensors = teacher.signatures[SIGNATURE](
        item=tf.constant([2, 4, 9], tf.int64),
        recent=tf.constant([[2, 3, -1, -1], [-1, -1, -1, -1], [9, 2, 2, 2]], tf.int64),
        tags=tf.constant([[1, -1, -1], [-1, -1, -1], [1, 2, 0]], tf.int64),
        recent_age=tf.constant([[0.5, 0.7, 0.0, 0.0], [0.0] * 4, [np.nan] * 4]),
        shares=tf.constant([[1.0, 0.0, 0.0], [0.0] * 3, [np.nan] * 3]),
    )["click"]
    np.testing.assert_allclose(by_tensors, by_examples, atol=1e-6)


def test_the_embedding_of_shared_ids_is_offered_once(teacher):
    found = teacher.signatures["embeddings"]()
    assert set(found) == {"item_ids", "item_vectors", "tags_ids", "tags_vectors"}
    assert found["item_ids"].numpy().tolist() == list(range(6))
    assert found["tags_ids"].numpy().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{length: 4, read", "{newest: last, read", "sequences.past.newest: .* expected the newest event `first`"),
        ("weights: shares, ", "hash: 9, ", "features.tags: `hash` is for students"),
    ],
)
def test_what_it_cannot_read_is_said(old, new, message, tmp_path):
    folder = write(tmp_path / "source", SURFACE.replace(old, new))
    with pytest.raises(InputError, match=message):
        train_teacher(folder, folder, tmp_path / "teacher")

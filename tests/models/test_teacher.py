import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.export import SIGNATURE
from models.teacher import EXAMPLES_SIGNATURE, REPRESENTATIONS_SIGNATURE, train_teacher
from schema.errors import InputError

SURFACE = """
name: source
features:
  user: {kind: categorical, side: user, embedding: 4}
  match: {kind: numeric, side: cross}
  extra: {kind: numeric, size: 2}
tasks:
  click: {kind: binary, label: click, ungated: reference teacher}
  stay: {kind: regression, label: stay, ungated: reference teacher}
model: {trunk: [8], tower: [4]}
training: {epochs: 4, batch_size: 32, learning_rate: 0.01}
"""

SCHEMA = """
feature { name: "user" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "match" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "extra" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 2 } } }
feature { name: "click" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
feature { name: "stay" type: FLOAT value_count { min: 0 max: 1 } not_in_environment: "SERVING" }
"""


def example(user: int, match: float, click: int, stay: float | None) -> tf.train.Example:
    features = tf.train.Features()
    features.feature["user"].int64_list.value.append(user)
    features.feature["match"].float_list.value.append(match)
    features.feature["extra"].float_list.value.extend([match / 2, 1.0])
    features.feature["click"].int64_list.value.append(click)
    if stay is not None:
        features.feature["stay"].float_list.value.append(stay)
    return tf.train.Example(features=features)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    (folder / "surface.yaml").write_text(SURFACE)
    (folder / "schema.pbtxt").write_text(SCHEMA)
    (folder / "train").mkdir()
    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(folder / "train" / "part.gz"), options="GZIP") as writer:
        for index in range(600):
            match = float(rng.normal())
            click = int(rng.random() < 1 / (1 + np.exp(-3 * match)))
            writer.write(
                example(100 + 10 * (index % 5), match, click, match + 5 if click else None).SerializeToString()
            )
    return folder


@pytest.fixture(scope="module")
def teacher(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("teacher") / "model"
    return train_teacher(source, source, out)


def test_several_folders_are_one(source, teacher, tmp_path):
    for part in range(2):
        shutil.copytree(source / "train", tmp_path / f"span-{part}" / "train")
    both = train_teacher(source, [tmp_path / "span-0", tmp_path / "span-1"], tmp_path / "out")
    assert (both.rows, both.parameters) == (2 * teacher.rows, teacher.parameters)


ROWS = [(100, -1.0), (140, 1.0), (7, 0.0)]  # 7 is no user of the training data


def logits(teacher):
    signature = tf.saved_model.load(str(teacher.path)).signatures[SIGNATURE]
    matches = tf.constant([match for _, match in ROWS])
    extra = tf.stack([matches / 2, tf.ones(3)], axis=1)
    return signature(user=tf.constant([user for user, _ in ROWS], tf.int64), match=matches, extra=extra)


def test_it_learns_and_serves_logits(teacher):
    found = logits(teacher)
    assert teacher.rows == 600
    assert set(found) == {"click", "stay"}
    click = found["click"].numpy()
    assert click[0] < -0.5 < 0.5 < click[1]
    assert found["stay"].numpy()[1] == pytest.approx(6.0, abs=0.7)


def test_both_signatures_agree_also_in_a_tf1_session(teacher):
    serialized = [example(user, match, 0, None).SerializeToString() for user, match in ROWS]
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(teacher.path))
        signature = loaded.signature_def[EXAMPLES_SIGNATURE]
        outputs = {task: tensor.name for task, tensor in signature.outputs.items()}
        found = session.run(outputs, {signature.inputs["examples"].name: serialized})
    for task, expected in logits(teacher).items():
        np.testing.assert_allclose(found[task], expected.numpy(), atol=1e-5)


def test_the_signature_takes_the_types_of_the_schema(teacher):
    signature = tf.saved_model.load(str(teacher.path)).signatures[SIGNATURE]
    specs = signature.structured_input_signature[1]
    assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in specs.items()} == {
        "user": (tf.int64, [None]),
        "match": (tf.float32, [None]),
        "extra": (tf.float32, [None, 2]),
    }


def test_a_signature_of_its_own_offers_the_trunk(teacher):
    signatures = tf.saved_model.load(str(teacher.path)).signatures
    batch = {"user": tf.constant([100, 7]), "match": tf.constant([0.5, -1.0]), "extra": tf.zeros([2, 2])}
    batch = {name: tf.cast(value, tf.int64) if name == "user" else value for name, value in batch.items()}
    plain, wider = signatures[SIGNATURE](**batch), signatures[REPRESENTATIONS_SIGNATURE](**batch)
    assert set(wider) == {*plain, "trunk"}
    assert wider["trunk"].shape == (2, 8)
    assert np.all(wider["trunk"].numpy() >= 0)  # after the activation
    np.testing.assert_allclose(wider["click"], plain["click"], rtol=1e-5)


def test_an_existing_teacher_is_not_overwritten(teacher, source):
    with pytest.raises(InputError, match="already exists"):
        train_teacher(source, source, teacher.path)


def test_a_split_without_files_is_an_error(source, tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match=r"train.*expected gzipped TFRecords"):
        train_teacher(source, tmp_path, tmp_path / "out")


def test_it_offers_its_embeddings_for_students_to_start_from(teacher):
    loaded = tf.saved_model.load(str(teacher.path))
    found = loaded.signatures["embeddings"]()
    assert found["user_ids"].numpy().tolist() == [100, 110, 120, 130, 140]
    tables = [each.numpy() for each in loaded.variables if tuple(each.shape) == (6, 4)]
    assert any(np.array_equal(found["user_vectors"], table[1:]) for table in tables)
    assert np.ptp(found["user_vectors"], axis=0).min() > 0


def test_every_weight_is_stored_once(teacher):
    """Keras's archive writes those of a tracked layer twice (issue 23553)."""
    stored = tf.train.load_checkpoint(str(teacher.path / "variables" / "variables")).get_variable_to_shape_map()
    numbers = sum(int(np.prod(shape)) for name, shape in stored.items() if "VARIABLE_VALUE" in name)
    loaded = tf.saved_model.load(str(teacher.path))
    assert numbers == sum(int(np.prod(each.shape)) for each in loaded.variables)
    assert numbers >= teacher.parameters

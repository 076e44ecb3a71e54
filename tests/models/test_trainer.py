from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from contracts import keys
from contracts.held_out import HeldOut, HeldOutRows, cautions
from contracts.roles import ModelRole
from models.export import EXAMPLES_INPUT, SIGNATURE, export_student, promised_signature
from models.trainer import run_job, train
from models.workers.job import Job
from records import documents
from records.sessions import TENSORS_SIGNATURE
from schema.candidates import Unlabelled, WarmStart
from schema.errors import InputError
from schema.surface import Surface
from tests.models.conftest import RAW_SPEC, SURFACE
from tests.models.promises import expect_promised


@pytest.fixture(scope="module")
def student(transformed, tmp_path_factory):
    logs = str(tmp_path_factory.mktemp("logs"))
    ranker, history = train(SURFACE, ModelRole.STUDENT, transformed.graph, transformed.train_files, logs)
    out = str(tmp_path_factory.mktemp("export") / "model")
    export_student(ranker, SURFACE, transformed.graph, out)
    return ranker, history, out


@pytest.fixture(scope="module")
def requests(transformed):
    def example(row, *, optional: bool):
        features = tf.train.Features()
        features.feature["user"].int64_list.value.append(row["user"])
        features.feature["match"].float_list.value.append(row["match"])
        features.feature["content"].float_list.value.extend(row["content"])
        if optional and row["genre"]:
            features.feature["genre"].bytes_list.value.append(row["genre"][0].encode())
        return tf.train.Example(features=features).SerializeToString()

    return [example(row, optional=index != 0) for index, row in enumerate(transformed.raw[:20])]


def served(path, requests):
    return tf.saved_model.load(path).signatures[SIGNATURE](**{EXAMPLES_INPUT: tf.constant(requests)})


def test_tensors_are_answered_as_serialized_examples_are(student, requests, transformed):
    rows = transformed.raw[:20]
    genres = [row["genre"][0] if index and row["genre"] else "unknown" for index, row in enumerate(rows)]
    tensors = {
        "user": tf.constant([row["user"] for row in rows], tf.int64),
        "genre": tf.constant(genres),
        "match": tf.constant([row["match"] for row in rows]),
        "content": tf.constant([row["content"] for row in rows]),
        "age": tf.fill([len(rows)], 1.5),
    }
    expected = served(student[2], requests)
    found = tf.saved_model.load(student[2]).signatures[TENSORS_SIGNATURE](**tensors)
    assert set(found) == set(expected)
    for task, values in expected.items():
        np.testing.assert_allclose(found[task], values, rtol=1e-6)
    assert np.std(found["click"]) > 0


def test_history_holds_hard_and_soft_losses_of_every_epoch(student):
    history = student[1]
    sums = ("loss", "hard_loss", "soft_loss", "val_hard_loss", "val_selection_loss")
    for name in (*sums, "distillation_stay", "serving_click"):
        assert len(history[name]) == SURFACE.training.epochs
    assert history["soft_loss"][-1] < history["soft_loss"][0]


def test_the_same_seed_trains_the_same_model(student, transformed, tmp_path):
    again, _ = train(SURFACE, ModelRole.STUDENT, transformed.graph, transformed.train_files, str(tmp_path))
    for old, new in zip(student[0].serving.get_weights(), again.serving.get_weights(), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-5)


def test_control_takes_the_same_steps_without_soft_losses(student, transformed, tmp_path):
    ranker, history = train(SURFACE, ModelRole.CONTROL, transformed.graph, transformed.train_files, str(tmp_path))
    assert len(history["loss"]) == len(student[1]["loss"])
    assert "soft_loss" not in history
    assert set(ranker.training.output) == {"serving_click", "serving_minutes"}


@pytest.fixture(scope="module")
def evaluated(transformed, tmp_path_factory):
    """Evaluation splits of the days 2 and 10, the newer of which alone judges: half of its users are unknown."""
    root = tmp_path_factory.mktemp("transformed")
    record = next(
        iter(tf.data.TFRecordDataset(tf.io.gfile.glob(transformed.train_files[0]), "GZIP").as_numpy_iterator())
    )
    for day, users in (("2", [0] * 4), ("10", [0, 1, 7, 7])):
        (root / day).mkdir()
        with tf.io.TFRecordWriter(str(root / day / "part.gz"), "GZIP") as writer:
            for user in users:
                example = tf.train.Example.FromString(record)
                example.features.feature["user"].int64_list.value[:] = [user]
                writer.write(example.SerializeToString())
    return [f"{root}/10/*", f"{root}/2/*"]


@pytest.mark.parametrize("which", ["every", "last"])
def test_it_is_noted_how_new_people_are_to_the_rows_that_choose(which, transformed, evaluated, tmp_path):
    training = SURFACE.training.model_copy(update={"epochs": 1, "hold_out": which})
    surface, logs = SURFACE.model_copy(update={"training": training}), str(tmp_path)
    files = transformed.train_files
    train(surface, ModelRole.CONTROL, transformed.graph, files, logs, eval_files=evaluated)
    (of_users, _) = documents.read(logs, HeldOut).rows
    assert of_users == HeldOutRows(
        slice="user without a training row", held_out=0.0, evaluation=0.5, last=which == "last"
    )
    assert cautions([of_users])


@pytest.mark.parametrize("arm", [ModelRole.STUDENT, ModelRole.CONTROL])
def test_in_a_run_the_control_notes_it_for_both(arm, transformed, evaluated, tmp_path):
    few = SURFACE.model_copy(update={"training": SURFACE.training.model_copy(update={"epochs": 1})})
    job = Job(
        config={keys.SURFACE: few.model_dump_json(by_alias=True), "arm": arm.value},
        transform_output=transformed.graph,
        train_files=transformed.train_files,
        model_run_dir=str(tmp_path / "run"),
        serving_model_dir=str(tmp_path / "model"),
        eval_files=evaluated,
    )
    run_job(job)
    found = documents.find(str(tmp_path / "run"), HeldOut)
    assert (found is not None) is (arm is ModelRole.CONTROL)
    assert found is None or found.rows[0].evaluation == 0.5


def test_without_evaluation_files_or_ids_nothing_is_noted(transformed, evaluated, tmp_path):
    files = transformed.train_files
    few = SURFACE.model_copy(update={"training": SURFACE.training.model_copy(update={"epochs": 1})})
    train(few, ModelRole.CONTROL, transformed.graph, files, str(tmp_path / "none"))
    assert documents.find(str(tmp_path / "none"), HeldOut) is None
    nobody = few.model_copy(
        update={"features": {name: few.features[name] for name in ("match", "content")}, "group": None}
    )
    train(nobody, ModelRole.CONTROL, transformed.graph, files, str(tmp_path / "nobody"), eval_files=evaluated)
    assert documents.read(str(tmp_path / "nobody"), HeldOut).rows == ()


def test_the_export_takes_requests_without_labels(student, requests):
    outputs = served(student[2], requests)
    assert set(outputs) == {"click", "minutes"}
    clicks = outputs["click"].numpy()
    assert clicks.shape == (20,)
    assert ((clicks > 0) & (clicks < 1)).all()


def test_the_export_says_the_same_in_a_tf1_session(student, requests):
    expected = served(student[2], requests)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], student[2])
        signature = loaded.signature_def[SIGNATURE]
        outputs = {task: tensor.name for task, tensor in signature.outputs.items()}
        found = session.run(outputs, {signature.inputs[EXAMPLES_INPUT].name: requests})
    for task, values in found.items():
        np.testing.assert_allclose(values, expected[task].numpy(), atol=1e-6)


def test_the_export_knows_nothing_of_labels_or_the_teacher(student):
    graph = (tf.io.gfile.GFile(f"{student[2]}/saved_model.pb", "rb")).read()
    for word in (b"teacher", b"label", b"distillation", b"clicked", b"stay"):
        assert word not in graph


def test_clients_are_promised_what_is_exported_with_a_score_and_without(student, transformed, tmp_path):
    expect_promised(SURFACE, RAW_SPEC, student[2])
    scored = Surface.model_validate({**SURFACE.model_dump(by_alias=True), "score": {"formula": "click * exp(minutes)"}})
    export_student(student[0], scored, transformed.graph, str(tmp_path / "scored"))
    expect_promised(scored, RAW_SPEC, str(tmp_path / "scored"))
    kinds = promised_signature(scored, RAW_SPEC).kinds
    assert kinds == {"click": "binary", "minutes": "regression", "score": "regression"}


def test_a_request_without_a_required_feature_is_an_error(student):
    with pytest.raises(tf.errors.InvalidArgumentError, match="content"):
        served(student[2], [tf.train.Example().SerializeToString()])


@pytest.fixture(scope="module")
def unlabelled_files(transformed, tmp_path_factory):
    """The training examples without hard labels, as the split of pairs never shown."""
    folder = tmp_path_factory.mktemp("transformed") / "Split-unlabelled"
    folder.mkdir()
    files = [str(path) for path in sorted(Path(transformed.train_files[0]).parent.glob("*.gz"))]
    with tf.io.TFRecordWriter(str(folder / "part.gz"), "GZIP") as writer:
        for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
            example = tf.train.Example.FromString(record)
            for label in ("label/click", "label/minutes"):
                example.features.feature[label].float_list.value[:] = [np.nan]
            writer.write(example.SerializeToString())
    return [str(folder / "*")]


class Offering(tf.Module):
    """A teacher that offers embeddings of users 0 to 5, all far apart in one direction."""

    @tf.function(input_signature=[])
    def embeddings(self):
        ids = tf.range(6, dtype=tf.int64)
        return {"user_ids": ids, "user_vectors": tf.cast(ids, tf.float32)[:, None] * tf.constant([[3.0, 4.0]])}


@pytest.fixture(scope="module")
def offering(tmp_path_factory):
    folder, module = str(tmp_path_factory.mktemp("offering")), Offering()
    tf.saved_model.save(module, folder, signatures={"embeddings": module.embeddings})
    return folder


EXTENDED = SURFACE.model_copy(update={"unlabelled": Unlabelled(per_row=2), "warm_start": {"user": WarmStart()}})


def test_a_student_with_everything_trains_and_the_control_is_what_it_was(
    transformed, unlabelled_files, offering, tmp_path
):
    files = [*transformed.train_files, *unlabelled_files]
    student, history = train(EXTENDED, ModelRole.STUDENT, transformed.graph, files, str(tmp_path / "a"), offering)
    assert history["soft_loss"][-1] < history["soft_loss"][0]
    table = student.training.get_layer("embedding_user").get_weights()[0]
    assert np.isfinite(table).all()
    control, of_control = train(EXTENDED, ModelRole.CONTROL, transformed.graph, files, str(tmp_path / "b"))
    plain, of_plain = train(SURFACE, ModelRole.CONTROL, transformed.graph, transformed.train_files, str(tmp_path / "c"))
    np.testing.assert_allclose(of_control["hard_loss"], of_plain["hard_loss"], atol=1e-5)
    for one, other in zip(control.serving.get_weights(), plain.serving.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        (EXTENDED.model_copy(update={"warm_start": {}}), "files of the split 'unlabelled'"),
        (EXTENDED.model_copy(update={"unlabelled": None}), "a warm start needs the teacher"),
    ],
    ids=["pairs", "teacher"],
)
def test_what_the_trainer_was_not_given_is_an_error(surface, message, transformed, tmp_path):
    with pytest.raises(InputError, match=message):
        train(surface, ModelRole.STUDENT, transformed.graph, transformed.train_files, str(tmp_path))

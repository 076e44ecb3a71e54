"""What goes on from an earlier run, by hand-made states and by trainings through Transform."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from contracts.continuation import Continued, StartingPoint
from contracts.roles import ModelRole
from models import continuing
from models.continuing import Continuing, Start, read_start
from models.export import EXAMPLES_INPUT, SIGNATURE, export_student
from models.ranker import build
from models.scales import LabelStatistics
from models.trainer import train
from models.training_state import Lapsed, Left, read_left
from models.vocabulary import known_values
from records import documents
from records.training_states import STATE_FOLDER, ArmState
from schema.errors import InputError
from schema.surface import Surface
from tests.models.conftest import RAW_SPEC, SURFACE, raw_rows
from tests.models.transforming import through_transform

STATISTICS = {"click": LabelStatistics(0.5, 0.5), "minutes": LabelStatistics(3.0, 2.0)}


def changed(**training: object) -> Surface:
    content = SURFACE.model_dump(by_alias=True)
    return Surface.model_validate(
        {**content, "training": {**content["training"], "continue_from": "served", **training}}
    )


GOES_ON = changed()
STILL = GOES_ON.model_copy(update={"training": GOES_ON.training.model_copy(update={"learning_rate": 0.0})})


def point(role: ModelRole = ModelRole.STUDENT, version: int | None = 1) -> StartingPoint:
    return StartingPoint(role=role, version=version, sentence="From 1.", data="span/2", lineage=("span/1",))


def handed(folder: Path, left: Path | None, role: ModelRole = ModelRole.STUDENT) -> str:
    """What Continuation hands to a Trainer."""
    documents.write(str(folder), point(role, None if left is None else 1))
    if left is not None:
        (folder / STATE_FOLDER).symlink_to(left / STATE_FOLDER)
    return str(folder)


def left_of(
    surface: Surface,
    known: dict[str, list[bytes]],
    sizes: dict[str, int],
    lapsed: Lapsed | None = None,
    statistics: dict[str, LabelStatistics] = STATISTICS,
) -> Left:
    """What an untrained arm would leave, its weights told apart by their places."""
    ranker = build(surface, sizes, statistics, distil=True)
    found = Continuing(surface, ranker, known, Start(point(version=None), None))
    weights = {}
    for number, (path, variable) in enumerate(found._variables.items(), start=1):
        weights[path] = np.arange(np.prod(variable.shape), dtype=np.float32).reshape(variable.shape) + 1000 * number
    state = ArmState(
        role="student",
        data="span/1",
        lineage=(),
        tables=found._meanings.tables,
        inputs=found._meanings.inputs,
        heads=found._meanings.heads,
        scales={},
        optimizer=None,
        steps=0,
        files={},
    )
    return Left(state, found._keys, weights, {}, lapsed or Lapsed())


def gone_on(
    surface: Surface,
    known: dict[str, list[bytes]],
    sizes: dict[str, int],
    left: Left,
    statistics: dict[str, LabelStatistics] = STATISTICS,
):
    ranker = build(surface, sizes, statistics, distil=True)
    fresh = {each.path: each.numpy().copy() for each in ranker.training.weights}
    found = Continuing(surface, ranker, known, Start(point(), left))
    told = found.apply()
    return {each.path: each.numpy() for each in ranker.training.weights}, fresh, told, found


KNOWN = {"user": [b"a", b"b", b"c"], "genre": [b"rock"]}
SIZES = {"user": 4, "genre": 2}
USERS = "embedding_user/embeddings"


def test_rows_follow_their_ids_when_a_vocabulary_grows_shrinks_and_is_reordered():
    left = left_of(GOES_ON, KNOWN, SIZES)
    now, fresh, told, found = gone_on(
        GOES_ON, {**KNOWN, "user": [b"new", b"c", b"a", b"d"]}, {"user": 5, "genre": 2}, left
    )
    old = left.weights[USERS]
    # new and d start anew, c and a come from rows 2 and 0, and the row of unknown ids stays the last one.
    expected = np.stack([fresh[USERS][0], old[2], old[0], fresh[USERS][3], old[3]])
    np.testing.assert_array_equal(now[USERS], expected)
    rows = told.rows["user"]
    assert (rows.continued, rows.returned, rows.new, rows.lapsed) == (2, 0, 2, 1)
    assert found._lapsed.keys["embedding_user"] == [b"b"]
    np.testing.assert_array_equal(found._lapsed.weights[USERS], old[1:2])


def test_a_lapsed_id_comes_back_with_its_row_and_another_stays_away():
    lapsed = Lapsed({"embedding_user": [b"x", b"y"]}, {USERS: np.array([[7.0] * 4, [8.0] * 4], np.float32)})
    left = left_of(GOES_ON, KNOWN, SIZES, lapsed)
    now, _, told, found = gone_on(GOES_ON, {**KNOWN, "user": [b"y", b"b", b"c"]}, SIZES, left)
    np.testing.assert_array_equal(now[USERS][0], [8.0] * 4)
    np.testing.assert_array_equal(now[USERS][1:], left.weights[USERS][1:])
    assert (told.rows["user"].continued, told.rows["user"].returned, told.rows["user"].new) == (2, 1, 0)
    assert found._lapsed.keys["embedding_user"] == [b"a", b"x"]
    np.testing.assert_array_equal(found._lapsed.weights[USERS], np.stack([left.weights[USERS][0], [7.0] * 4]))


def test_rows_of_unknown_ids_start_anew_where_there_are_more_of_them():
    left = left_of(GOES_ON, KNOWN, SIZES)
    content = GOES_ON.model_dump(by_alias=True)
    content["features"]["user"]["oov"] = 2
    now, fresh, _, _ = gone_on(Surface.model_validate(content), KNOWN, {"user": 5, "genre": 2}, left)
    np.testing.assert_array_equal(now[USERS][:3], left.weights[USERS][:3])
    np.testing.assert_array_equal(now[USERS][3:], fresh[USERS][3:])


def test_everything_goes_on_where_nothing_changed():
    left = left_of(GOES_ON, KNOWN, SIZES)
    now, _, told, _ = gone_on(GOES_ON, KNOWN, SIZES, left)
    assert set(told.weights) == set(now) == set(left.weights)
    assert told.new == told.dropped == ()
    for path, array in left.weights.items():
        np.testing.assert_array_equal(now[path], array)


def with_changes(change) -> Surface:
    content = json.loads(GOES_ON.model_dump_json(by_alias=True))
    change(content)
    return Surface.model_validate(content)


def test_a_feature_more_and_one_less_leave_the_rows_of_the_others_in_the_first_layer():
    def change(content):
        features = content["features"]
        del features["match"]
        content["features"] = {"mood": {"kind": "numeric", "side": "user"}, **features}

    left = left_of(GOES_ON, KNOWN, SIZES)
    now, fresh, told, _ = gone_on(with_changes(change), KNOWN, SIZES, left)
    kernel, old, new = "trunk/trunk_0/kernel", left.weights["trunk/trunk_0/kernel"], fresh["trunk/trunk_0/kernel"]
    # Before: user 0-3, genre 4-5, match 6, content 7-8, age 9.  Now: mood 0, user 1-4, genre 5-6, content 7-8, age 9.
    assert old.shape == new.shape == (10, 8)
    np.testing.assert_array_equal(now[kernel], np.concatenate([new[:1], old[:6], old[7:]]))
    assert kernel in told.weights
    np.testing.assert_array_equal(now["trunk/trunk_0/bias"], left.weights["trunk/trunk_0/bias"])


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (lambda content: content["tasks"]["click"].update(label="finished"), "head.serving_click/kernel"),
        (lambda content: content["features"]["user"].update(embedding=6), USERS),
        (lambda content: content["features"]["genre"].update(hash=2), "embedding_genre/embeddings"),
        (lambda content: content["model"].update(tower=[5]), "tower_click/tower_click_0/kernel"),
        (lambda content: content["non_serving_heads"]["stay"].update({"from": "click"}), "head.distillation_stay/bias"),
        (lambda content: content["non_serving_heads"]["stay"].update(loss="bce"), "head.distillation_stay/bias"),
        (lambda content: content["tasks"]["click"].update(sampled={"negatives": 0.5}), "head.serving_click/bias"),
    ],
    ids=["label", "width", "hash", "tower", "teacher's task", "scale of soft labels", "sampling"],
)
def test_what_is_about_something_else_starts_anew_and_is_named(change, anew):
    left = left_of(GOES_ON, KNOWN, SIZES)
    now, fresh, told, _ = gone_on(with_changes(change), KNOWN, SIZES, left)
    np.testing.assert_array_equal(now[anew], fresh[anew])
    assert anew in told.new
    assert anew in told.dropped
    assert anew in told.sentence
    np.testing.assert_array_equal(now["trunk/trunk_0/bias"], left.weights["trunk/trunk_0/bias"])


def test_heads_of_classes_start_anew_where_the_classes_are_others_or_in_another_order():
    def of(classes, offered):
        def change(content):
            content["features"]["place"] = {"kind": "numeric", "side": "context"}
            content["teacher"]["tasks"]["shape"] = {"kind": "multiclass", "classes": offered}
            distil = {"from": "shape", "loss": "kl", "head": "stacked"}
            task = {"kind": "multiclass", "label": "shape", "classes": classes, "ungated": "test"}
            content["tasks"]["shape"] = {**task, "bias": ["place"], "distil": distil}

        return with_changes(change)

    statistics = {**STATISTICS, "shape": LabelStatistics(0.0, 1.0)}
    layers = ("serving_shape", "distillation_shape", "stacked_shape")
    heads = {*(f"head.{each}/kernel" for each in layers), "bias_shape.logit/kernel"}
    before = of(["audio", "paper", "screen"], ["audio", "paper", "screen"])
    left = left_of(before, KNOWN, SIZES, statistics=statistics)

    def kept(surface: Surface) -> set[str]:
        return heads & set(gone_on(surface, KNOWN, SIZES, left, statistics)[2].weights)

    assert kept(before) == heads
    assert not kept(of(["paper", "audio", "screen"], ["audio", "paper", "screen"]))
    # The teacher's classes are looked up by name: where they stand changes nothing of what a head says.
    assert kept(of(["audio", "paper", "screen"], ["screen", "audio", "paper"])) == heads


def test_a_first_layer_below_interactions_starts_anew_when_features_change():
    def crossed(content):
        content["model"]["interactions"] = ["cross"]

    def one_less(content):
        crossed(content)
        del content["features"]["match"]

    left = left_of(with_changes(crossed), KNOWN, SIZES)
    now, fresh, told, _ = gone_on(with_changes(one_less), KNOWN, SIZES, left)
    for path in ("trunk/trunk_0/kernel", *(each for each in now if each.startswith("interaction_"))):
        np.testing.assert_array_equal(now[path], fresh[path])
    assert USERS in told.weights


@pytest.fixture(scope="module")
def first(transformed, tmp_path_factory):
    """A first run's student and control, which start cold."""
    folders = {}
    for role in (ModelRole.STUDENT, ModelRole.CONTROL):
        folder = tmp_path_factory.mktemp(f"first-{role}")
        start = read_start(handed(folder / "start", None, role), role)
        ranker, _ = train(
            changed(continue_optimizer=True, learning_rate=0.02),
            role,
            transformed.graph,
            transformed.train_files,
            str(folder),
            start=start,
        )
        export_student(ranker, SURFACE, transformed.graph, str(folder / "model"))
        folders[role] = folder
    return folders


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """Another day: user 6 did not come, 7 and 8 are new, and others came more often."""
    rows = raw_rows()
    for index, row in enumerate(rows):
        row["user"] = (8, 8, 8, 5, 5, 3, 7, 0, 1, 2, 4)[index % 11]
        row["minutes"] = [each * 2 for each in row["minutes"]]
    return through_transform(SURFACE, rows, RAW_SPEC, tmp_path_factory.mktemp("later"))


def request(user: int) -> bytes:
    features = tf.train.Features()
    features.feature["user"].int64_list.value.append(user)
    features.feature["match"].float_list.value.append(0.5)
    features.feature["content"].float_list.value.extend([3.0, 2.0])
    return tf.train.Example(features=features).SerializeToString()


def answers(model: Path | str, users) -> dict[str, np.ndarray]:
    found = tf.saved_model.load(str(model)).signatures[SIGNATURE](
        **{EXAMPLES_INPUT: tf.constant([request(each) for each in users])}
    )
    return {task: values.numpy() for task, values in found.items()}


def test_without_a_step_the_model_answers_as_the_earlier_one_did(first, later, tmp_path):
    """Numbers are scaled by each day's own means; the two days differ in users and labels alone."""
    start = read_start(handed(tmp_path / "start", first[ModelRole.STUDENT]), ModelRole.STUDENT)
    ranker, _ = train(STILL, ModelRole.STUDENT, later[0], later[1], str(tmp_path), start=start)
    export_student(ranker, STILL, later[0], str(tmp_path / "model"))
    known = [0, 1, 2, 3, 4, 5]
    order = known_values(SURFACE, tft.TFTransformOutput(later[0]))["user"]
    assert order[:2] == [b"8", b"5"]
    before, after = (answers(each, known) for each in (first[ModelRole.STUDENT] / "model", tmp_path / "model"))
    assert np.ptp(before["click"]) > 1e-3
    for task, values in before.items():
        np.testing.assert_allclose(after[task], values, rtol=0, atol=1e-6)
    # 6 lapsed, and is answered as an id that nobody knows.
    np.testing.assert_allclose(answers(tmp_path / "model", [6])["click"], answers(tmp_path / "model", [99])["click"])
    told = documents.read(str(tmp_path), Continued)
    rows = told.rows["user"]
    assert (rows.continued, rows.returned, rows.new, rows.lapsed) == (6, 0, 2, 1)
    assert told.sentence.startswith("From 1. ")


def test_what_an_arm_leaves_is_read_back_whole(first):
    left = read_left(str(first[ModelRole.CONTROL] / STATE_FOLDER))
    assert left.state.role == "control"
    assert left.state.optimizer == "adam"
    assert left.state.steps > 0
    assert left.keys["embedding_user"] and sorted(left.keys["embedding_user"]) == [
        str(each).encode() for each in range(7)
    ]
    assert left.weights[USERS].shape == (8, 4)
    assert left.slots[f"mean/{USERS}"].shape == (8, 4)
    assert np.abs(left.slots[f"mean/{USERS}"]).max() > 0
    assert not [each for each in left.weights if "distillation" in each]


def test_the_optimizer_goes_on_where_it_was_or_starts_anew(first, transformed, tmp_path):
    """Two trainings, the second with the first one's optimizer: its steps are counted on."""
    surface = changed(continue_optimizer=True)
    start = read_start(handed(tmp_path / "start", first[ModelRole.CONTROL], ModelRole.CONTROL), ModelRole.CONTROL)
    train(surface, ModelRole.CONTROL, transformed.graph, transformed.train_files, str(tmp_path), start=start)
    one, two = (read_left(f"{each}/{STATE_FOLDER}") for each in (first[ModelRole.CONTROL], tmp_path))
    assert two.state.steps == 2 * one.state.steps
    assert documents.read(str(tmp_path), Continued).optimizer
    plain = tmp_path / "plain"
    train(GOES_ON, ModelRole.CONTROL, transformed.graph, transformed.train_files, str(plain), start=start)
    assert not documents.read(str(plain), Continued).optimizer
    assert read_left(f"{plain}/{STATE_FOLDER}").slots == {}


def test_a_control_never_continues_from_a_student(first, tmp_path):
    crossed = handed(tmp_path / "crossed", first[ModelRole.STUDENT], ModelRole.CONTROL)
    with pytest.raises(
        InputError, match="the control must continue from an earlier control, found what a student left"
    ):
        read_start(crossed, ModelRole.CONTROL)
    own = handed(tmp_path / "own", first[ModelRole.STUDENT], ModelRole.STUDENT)
    with pytest.raises(InputError, match="the control must continue from an earlier control"):
        read_start(own, ModelRole.CONTROL)


@pytest.mark.parametrize("harm", ["cut", "gone", "changed"])
def test_a_damaged_state_is_an_error_and_no_cold_start(harm, first, tmp_path):
    folder = tmp_path / "start"
    documents.write(str(folder), point())
    (folder / STATE_FOLDER).mkdir()
    for each in (first[ModelRole.STUDENT] / STATE_FOLDER).iterdir():
        (folder / STATE_FOLDER / each.name).write_bytes(each.read_bytes())
    weights = folder / STATE_FOLDER / "weights.npz"
    if harm == "gone":
        weights.unlink()
    else:
        content = weights.read_bytes()
        weights.write_bytes(content[:-10] if harm == "cut" else content[:500] + b"x" + content[501:])
    with pytest.raises(InputError, match=r"weights\.npz (is gone|has another content than was left)"):
        read_start(str(folder), ModelRole.STUDENT)


def test_a_trainer_without_a_starting_point_is_an_error():
    with pytest.raises(InputError, match="needs what Continuation found"):
        read_start(None, ModelRole.STUDENT)


def test_a_regression_keeps_the_scale_that_its_head_was_trained_in(first):
    left = read_left(str(first[ModelRole.STUDENT] / STATE_FOLDER))
    found = continuing.scales(SURFACE, Start(point(), left), STATISTICS)
    assert found["click"] == STATISTICS["click"]
    assert found["minutes"].mean == left.state.scales["minutes"].mean != 3.0
    other = SURFACE.model_copy(
        update={
            "tasks": {**SURFACE.tasks, "minutes": SURFACE.tasks["minutes"].model_copy(update={"transform": "log1p"})}
        }
    )
    assert continuing.scales(other, Start(point(), left), STATISTICS)["minutes"] == STATISTICS["minutes"]

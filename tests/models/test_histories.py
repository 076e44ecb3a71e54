"""Histories of ids: what they are made of, and above all what they are not made of."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from contracts import keys
from contracts.roles import ModelRole
from models import histories, trainer
from models.columns import NO_PERIOD, history_column, input_columns, serving_columns, written_columns
from models.export import EXAMPLES_INPUT, SIGNATURE, export_student
from models.histories import Past
from models.trainer import train
from schema.errors import InputError
from schema.history import History
from schema.surface import Surface
from tests.models.conftest import RAW_SPEC, SURFACE, raw_rows
from tests.models.transforming import through_transform

REMEMBERING = Surface.model_validate(
    SURFACE.model_dump(mode="json", by_alias=True)
    | {"histories": {"user": {"of": "layer", "decay": 0.5}}, "period": {"column": "day", "step": 2}}
)
KNOWN, SIZE = 5, 3


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of ids 0 to 6, of which 5 and 6 are unknown ones, in periods that not every id has."""

    ids: np.ndarray
    periods: np.ndarray
    said: np.ndarray

    def past(self, **history) -> Past:
        return Past(self.ids, self.periods, self.said, History(of="layer", **history), KNOWN)

    def before(self, ids, periods, **history) -> np.ndarray:
        return self.past(**history).before(np.asarray(ids), np.asarray(periods))


def drawn(seed: int, rows: int = 300) -> Rows:
    rng = np.random.default_rng(seed)
    ids = rng.integers(KNOWN + 2, size=rows)
    periods = rng.choice([-4, 0, 1, 5, 6, 10**12], size=rows)
    periods[rng.random(rows) < 0.1] = NO_PERIOD
    said = rng.normal(size=(rows, SIZE)).astype(np.float32)
    said[rng.random(rows) < 0.1] = np.nan
    return Rows(ids, periods, said)


def by_hand(rows: Rows, one: int, period: int, decay: float, pool: str) -> np.ndarray:
    """The history of an id before a period, row by row."""
    found = np.zeros(SIZE + 1)
    earlier = (rows.ids == one) & (rows.periods < period) & (rows.periods != NO_PERIOD)
    earlier &= np.isfinite(rows.said).all(axis=1)
    if one >= KNOWN or period == NO_PERIOD or not earlier.any():
        return found
    weights = decay ** (period - rows.periods[earlier]).astype(float)
    if pool == "mean":  # however long ago the newest one is
        weights = decay ** (rows.periods[earlier].max() - rows.periods[earlier]).astype(float)
        weights /= weights.sum()
    found[:-1] = weights @ rows.said[earlier]
    found[-1] = 1
    return found


@pytest.mark.parametrize("pool", ["mean", "sum"])
@pytest.mark.parametrize("decay", [1.0, 0.7])
def test_a_history_is_the_weighted_mean_or_sum_of_earlier_rows(decay, pool):
    rows = drawn(0)
    found = rows.before(rows.ids, rows.periods, decay=decay, pool=pool)
    expected = [by_hand(rows, one, period, decay, pool) for one, period in zip(rows.ids, rows.periods, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert 0.2 < found[:, -1].mean() < 0.8  # there are both


@pytest.mark.parametrize("pool", ["mean", "sum"])
@pytest.mark.parametrize("period", [-4, 0, 1, 5, 6, 10**12])
def test_nothing_that_is_said_of_a_period_is_in_a_history_of_it_or_before(period, pool):
    rows = drawn(1)
    poisoned = dataclasses.replace(rows, said=np.where((rows.periods >= period)[:, None], np.float32(1e6), rows.said))
    asked = (rows.ids, np.full(len(rows.ids), period))
    np.testing.assert_array_equal(poisoned.before(*asked, pool=pool), rows.before(*asked, pool=pool))
    later = rows.ids, np.full(len(rows.ids), period + 1)
    assert np.abs(poisoned.before(*later, pool=pool)).max() > 1e3  # and the test would notice


def test_a_period_between_others_and_after_all_reads_what_was_before():
    rows = Rows(np.array([0, 0, 1]), np.array([2, 7, 2]), np.float32([[1, 0, 0], [3, 0, 0], [9, 9, 9]]))
    found = rows.before([0, 0, 0, 0, 1, 1, 2], [2, 3, 7, 9, 2, 3, 9])
    np.testing.assert_allclose(found[:, 0], [0, 1, 1, 2, 0, 9, 0])
    np.testing.assert_array_equal(found[:, -1], [0, 1, 1, 1, 0, 1, 0])


def test_nobody_has_a_history_where_nothing_was_said():
    rows = Rows(np.array([0, 1]), np.array([1, 2]), np.full((2, SIZE), np.nan, np.float32))
    np.testing.assert_array_equal(rows.before([0, 1], [5, 5]), np.zeros((2, SIZE + 1)))


COLUMNS = {
    "user": np.array([0, 0, 1, 0, 6]),
    "period/id": np.array([1, 2, 2, 3, 3]),
    "teacher/layer": np.float32([[1, 1, 1], [2, 2, 2], [4, 4, 4], [8, 8, 8], [16, 16, 16]]),
}


def made(columns=COLUMNS, pairs=None) -> histories.Histories:
    return histories.make(REMEMBERING, {"user": 7}, {"user": KNOWN}, columns, pairs)


def test_what_serves_is_of_before_the_newest_period():
    found = made()
    of_first = (2 + 0.5 * 1) / 1.5
    expected = np.zeros((7, SIZE + 1))
    expected[0, :], expected[1, :] = [of_first] * 3 + [1], [4, 4, 4, 1]
    np.testing.assert_allclose(found.tables["user"], expected)
    np.testing.assert_allclose(found.rows["history/user"][:, 0], [0, 1, 0, of_first, 0])


def test_a_pair_reads_what_was_said_before_the_time_of_its_context():
    pairs = {"user": np.array([1, 0, 0, 6, 0]), "period/id": np.array([2, 2, 3, 3, NO_PERIOD])}
    found = made(pairs=pairs).pairs["history/user"]
    np.testing.assert_allclose(found[:, 0], [0, 1, (2 + 0.5 * 1) / 1.5, 0, 0])


def test_histories_dealt_out_are_those_of_other_ids():
    dealt = made({**COLUMNS, "history/dealt/user": np.array([1, 1, 0, 1, 6])})
    ours = made()
    np.testing.assert_array_equal(dealt.tables["user"][[1, 0]], ours.tables["user"][[0, 1]])
    np.testing.assert_array_equal(dealt.rows["history/user"][:, 0], [0, 0, 1, 4, 0])


def test_rows_without_any_time_are_an_error():
    with pytest.raises(InputError, match="no training row has a value in the column that `period` names"):
        made({**COLUMNS, "period/id": np.full(5, NO_PERIOD)})


def test_evaluation_before_the_newest_training_row_is_an_error():
    training = np.array([1, 2, 5, NO_PERIOD])
    histories.expect_later("eval", training, np.array([5, 6, NO_PERIOD]))
    with pytest.raises(InputError, match=r"eval: histories: .* found 2 of 3 before it \(from 4 periods before on\)"):
        histories.expect_later("eval", training, np.array([1, 4, 5, NO_PERIOD]))


def test_a_control_has_no_histories():
    control = REMEMBERING.of_arm(distil=False)
    assert "history/user" in input_columns(REMEMBERING)
    assert "history/user" not in input_columns(control)
    assert "history/user" not in written_columns(REMEMBERING)
    assert REMEMBERING.undistilled().histories == {}


def rows_with_days() -> list[dict]:
    """The users of the tiny surface, each with its own taste, over eight days; the first row has no time."""
    rows = raw_rows()
    for row in rows:
        said = row["teacher/layer"]
        row["teacher/layer"] = [float(row["user"]), *said[1:]] if said else []
    return rows


@pytest.fixture(scope="module")
def remembered(tmp_path_factory) -> SimpleNamespace:
    """Transform's output of rows that have times."""
    folder = tmp_path_factory.mktemp("remembered")
    graph, files = through_transform(REMEMBERING, rows_with_days(), RAW_SPEC, folder)
    return SimpleNamespace(graph=graph, files=files, folder=folder)


def test_transform_writes_the_periods(remembered):
    found = [
        tf.train.Example.FromString(each).features.feature["period/id"].int64_list.value[0]
        for each in tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(remembered.files[0])), "GZIP").as_numpy_iterator()
    ]
    assert sorted(set(found)) == [NO_PERIOD, 0, 1, 2, 3]
    assert found.count(NO_PERIOD) == 1
    assert found.count(0) == 99  # days 0 and 1


@pytest.fixture(scope="module")
def student(remembered, tmp_path_factory):
    logs = str(tmp_path_factory.mktemp("logs"))
    return train(REMEMBERING, ModelRole.STUDENT, remembered.graph, remembered.files, logs)[0]


def drawn_batch(seed: int, rows: int) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(seed)
    columns = input_columns(REMEMBERING).items()
    return {name: tf.constant(rng.integers(0, 2, size=(rows, *each.shape)), each.dtype) for name, each in columns}


def test_what_serves_has_the_layers_of_a_control_and_no_history(student, remembered, tmp_path):
    control, _ = train(REMEMBERING, ModelRole.CONTROL, remembered.graph, remembered.files, str(tmp_path))
    for ours, theirs in ((student.serving, control.serving), (student.logits, control.logits)):
        assert sorted(each.path for each in ours.weights) == sorted(each.path for each in theirs.weights)
        assert set(ours.input) == set(theirs.input) == set(serving_columns(REMEMBERING))
    batch = drawn_batch(0, 6)
    other = {**batch, history_column("user"): batch[history_column("user")] + 5.0}
    served = student.logits({name: batch[name] for name in serving_columns(REMEMBERING)})
    for each in (batch, other):  # nor has the training model, once it is settled
        raw = student.training(each)["serving_click"]
        np.testing.assert_allclose(served["click"], raw[:, 0], rtol=1e-5)


def test_settling_keeps_the_answers_of_the_histories_that_serve(remembered, monkeypatch, tmp_path):
    settled = {}

    def look(ranker, tables):
        batch = drawn_batch(1, len(tables["user"]))
        batch |= {
            "user": tf.range(len(tables["user"]), dtype=tf.int64),
            history_column("user"): tf.constant(tables["user"]),
        }
        settled["before"] = ranker.training(batch)["serving_click"][:, 0].numpy()
        settled["alone"] = ranker.logits({name: batch[name] for name in serving_columns(REMEMBERING)})["click"].numpy()
        settle(ranker, tables)
        settled["after"] = ranker.logits({name: batch[name] for name in serving_columns(REMEMBERING)})["click"].numpy()
        settled["tables"] = tables

    settle = histories.settle
    monkeypatch.setattr(histories, "settle", look)
    train(REMEMBERING, ModelRole.STUDENT, remembered.graph, remembered.files, str(tmp_path))
    np.testing.assert_allclose(settled["after"], settled["before"], rtol=1e-5)
    assert np.abs(settled["alone"] - settled["before"]).max() > 1e-4  # histories do say something
    table = settled["tables"]["user"]
    assert table[:7, -1].tolist() == [1.0] * 7
    assert table[7:].sum() == 0  # unknown ids


def example(row: dict) -> bytes:
    """A row as a server has it."""
    features = tf.train.Features()
    features.feature["user"].int64_list.value.append(row["user"])
    features.feature["match"].float_list.value.append(row["match"])
    features.feature["content"].float_list.value.extend(row["content"])
    return tf.train.Example(features=features).SerializeToString()


def test_the_export_needs_no_history_and_is_as_large_as_that_of_a_control(student, remembered, tmp_path):
    control, _ = train(REMEMBERING, ModelRole.CONTROL, remembered.graph, remembered.files, str(tmp_path / "logs"))
    sizes = {}
    for role, ranker in ((ModelRole.STUDENT, student), (ModelRole.CONTROL, control)):
        surface = REMEMBERING.of_arm(distil=role is ModelRole.STUDENT)
        export_student(ranker, surface, remembered.graph, str(tmp_path / role))
        sizes[role] = sum(each.stat().st_size for each in (tmp_path / role / "variables").iterdir())
    requests = tf.constant([example(row) for row in rows_with_days()[:20]])
    answers = tf.saved_model.load(str(tmp_path / "student")).signatures[SIGNATURE](**{EXAMPLES_INPUT: requests})
    assert set(answers) == {"click", "minutes"}
    assert np.isfinite(answers["click"]).all()
    assert np.std(answers["click"]) > 0
    assert sizes[ModelRole.STUDENT] == pytest.approx(sizes[ModelRole.CONTROL], abs=200)  # and names of layers
    graph = (tmp_path / "student" / "saved_model.pb").read_bytes()
    for word in (b"teacher", b"period", b"day"):
        assert word not in graph


def run_arguments(remembered, tmp_path, eval_files) -> FnArgs:
    return FnArgs(
        train_files=remembered.files,
        eval_files=eval_files,
        transform_output=remembered.graph,
        serving_model_dir=str(tmp_path / "serving"),
        model_run_dir=str(tmp_path / "run"),
        custom_config={keys.SURFACE: REMEMBERING.model_dump_json(by_alias=True), "arm": "student"},
    )


def test_the_trainer_refuses_evaluation_rows_of_before_what_serves_knows(remembered, tmp_path):
    # The training rows themselves, as if they had been divided at random.
    with pytest.raises(InputError, match=r"found 299 of 399 before it \(from 3 periods before on\)"):
        trainer.run_fn(run_arguments(remembered, tmp_path, remembered.files))
    assert not (tmp_path / "serving").exists()


def test_the_trainer_takes_evaluation_rows_of_the_newest_period(remembered, tmp_path):
    folder = tmp_path / "Split-eval"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "part.gz"), "GZIP") as writer:
        for record in tf.data.TFRecordDataset(
            sorted(tf.io.gfile.glob(remembered.files[0])), "GZIP"
        ).as_numpy_iterator():
            if tf.train.Example.FromString(record).features.feature["period/id"].int64_list.value[0] in (3, NO_PERIOD):
                writer.write(record)
    # Earlier spans of a window have evaluation rows of their own, which judge nothing.
    trainer.run_fn(run_arguments(remembered, tmp_path, [*remembered.files, str(folder / "*")]))
    assert (tmp_path / "serving" / "saved_model.pb").is_file()

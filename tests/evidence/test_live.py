from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from evidence.live import LiveResult, Pair, Traffic, run, same_model, score
from evidence.slates import ENGAGEMENT, PAGES, Slates, outcome
from evidence.statistics import lift, mean_of
from schema.errors import InputError
from worlds.simulated import World


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Two rankers for radio that need no training: by what music knows of tastes, and by position."""
    folder = tmp_path_factory.mktemp("exports")
    return Pair(*(_export(str(folder / column), column) for column in ("music_profile_match", "device")))


def _export(out: str, column: str) -> str:
    spec = {column: tf.io.FixedLenFeature([], tf.int64 if column == "device" else tf.float32)}

    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"engagement": tf.sigmoid(tf.cast(tf.io.parse_example(examples, spec)[column], tf.float32))}

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", serve, input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    archive.write_out(out, verbose=False)
    return out


def _silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def result(live_world: World, exports: Pair) -> LiveResult:
    return run("radio", live_world, [exports, exports], Traffic(slates=300, draws=5), _silent)


def test_a_better_ranker_lifts_engagement(result: LiveResult):
    by_metric = {each.metric: each for each in result.lifts}
    assert list(by_metric) == ["engagement", "discovery", "new_release_engagement"]
    assert by_metric["engagement"].low > 0
    assert by_metric["engagement"].control > 1
    assert result.pairs[0][0].endswith("music_profile_match")
    # The same pair twice: no variance between pairs.
    assert by_metric["engagement"].replicates[0] == by_metric["engagement"].replicates[1]


def test_a_model_against_itself_by_common_chance_is_exactly_nothing(live_world: World, exports: Pair):
    found = run("radio", live_world, [Pair(exports.control, exports.control)], Traffic(slates=100, draws=2), _silent)
    assert {(each.mean, each.low, each.high, each.p_value) for each in found.lifts} == {(0.0, 0.0, 0.0, 1.0)}


def test_a_result_reads_back(result: LiveResult):
    assert LiveResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("surface", ["homepage", "radio"])
def test_intervals_of_a_model_against_itself_hold_zero_as_often_as_they_say(live_world, slates, surface):
    """150 A/A runs: the number of 90% intervals that hold zero is within 3.5 standard errors of 135."""
    values = np.random.default_rng(1).normal(size=slates.repeated.size)
    runs = [same_model(PAGES[surface], live_world, slates, values, Traffic(), draw, 0.9) for draw in range(150)]
    for metric in (ENGAGEMENT, "discovery"):
        held = sum(each[metric].low <= 0 <= each[metric].high for each in runs)
        assert abs(held - 135) <= 3.5 * np.sqrt(150 * 0.9 * 0.1)


def test_intervals_of_equally_good_rankers_hold_zero_as_often_as_they_say(live_world: World, slates: Slates):
    """The arms' common chance is in the interval too: rankers that know nothing, drawn anew each time."""
    rng, held = np.random.default_rng(2), 0
    for draw in range(150):
        ours, theirs = (
            outcome(PAGES["radio"], live_world, slates, rng.normal(size=slates.repeated.size), draw)[ENGAGEMENT]
            for _ in range(2)
        )
        found = mean_of([lift(ours, theirs)], confidence=0.9)
        held += found.low <= 0 <= found.high
    assert abs(held - 135) <= 3.5 * np.sqrt(150 * 0.9 * 0.1)


def test_scores_do_not_depend_on_how_candidates_are_sent(live_world: World, slates: Slates, monkeypatch):
    def parse(records):
        spec = {"item_id": tf.io.FixedLenFeature([], tf.int64)}
        return tf.io.parse_example(tf.constant(records), spec)["item_id"].numpy()

    monkeypatch.setattr("evidence.live._BLOCK", 1000)
    found = score(PAGES["radio"], live_world, slates.candidates, [parse])
    np.testing.assert_array_equal(found[0], slates.candidates.items)


def test_a_served_score_is_what_pages_are_ranked_by(live_world: World, exports: Pair, tmp_path: Path):
    """The same score by another name: `engagement` itself would rank the other way round."""
    serve = tf.saved_model.load(exports.student).signatures["serving_default"]

    def with_score(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        engagement = serve(examples=examples)["engagement"]
        return {"engagement": -engagement, "score": engagement}

    archive = keras.export.ExportArchive()
    signature = [tf.TensorSpec([None], tf.string, name="examples")]
    archive.add_endpoint("serving_default", with_score, input_signature=signature)
    archive.write_out(str(tmp_path / "scored"), verbose=False)
    pair = Pair(str(tmp_path / "scored"), exports.student)
    found = run("radio", live_world, [pair], Traffic(slates=100, draws=0), _silent)
    assert {each.mean for each in found.lifts} == {0.0}


def test_what_cannot_be_run_is_refused(live_world: World, exports: Pair, tmp_path: Path):
    with pytest.raises(InputError, match=r"expected serving_default to serve click, .*; it serves engagement"):
        run("homepage", live_world, [exports], Traffic(), _silent)
    with pytest.raises(InputError, match="expected the SavedModel that a run exports"):
        run("radio", live_world, [Pair(str(tmp_path), exports.control)], Traffic(), _silent)
    with pytest.raises(
        InputError, match=r"expected a surface of the simulated world \(homepage, radio\); found 'coat'"
    ):
        run("coat", live_world, [exports], Traffic(), _silent)
    with pytest.raises(InputError, match="needs a student and its control"):
        run("radio", live_world, [], Traffic(), _silent)

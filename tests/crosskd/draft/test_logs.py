"""What `crosskd init` makes of six logs: right, left out with the reason, or left open; nothing wrong and unmarked."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from crosskd.init import Answers, Drafted, DraftSources, draft_folder
from crosskd.main import app
from schema.loader import load_surface
from schema.training import Training
from tests.crosskd.draft.logs import LOGS

# By log: tasks, features, what is left out, what is asked, and the division of undivided examples.
EXPECTED = {
    "shop": (
        {"bought"},
        {"customer", "sku", "price", "tags", "brand"},
        {"shown_at", "coupon", "receipt_id"},
        {"on_sale", "basket_value", "visit", "place", "refundable", "voucher_used"},
        "{by: time, column: shown_at}",
    ),
    "news": (
        {"click", "read_seconds"},
        {"reader_id", "article_id", "section", "author_no", "headline_words"},
        {"published", "request_id"},
        {"headline", "outcome", "time_on_page", "is_subscriber"},
        "{by: time, column: published}",
    ),
    "video": (
        {"like"},
        {"viewer_id", "video_id", "embedding", "device", "topics", "uid"},
        set(),
        {"watch_seconds", "completion", "part_of_it", "is_new", "has_trailer", "playlist_length"},
        "{by: group, column: uid}",  # viewer_id is not in every example
    ),
    "jobs": (
        {"applied", "hired"},
        {"candidate_id", "job_id", "zip", "skills"},
        {"event_id", "country", "posted", "applied_at"},
        {"salary", "remote", "outcome_code"},
        "{by: random}",
    ),
    "games": (
        {"install"},
        {"player_id", "game_id", "level", "hour"},
        {"user", "crash"},
        {"install_count_30d", "sessions_after", "shown_rank", "installments", "revenue_d7"},
        "{by: group, column: player_id}",
    ),
    "music": (
        {"skip", "listen_minutes"},
        {"listener_id", "track_id", "tempo"},
        {"ts", "mood", "release_date"},
        {"kept", "explicit", "not_skipped", "saved_before"},
        "{by: time, column: ts}",
    ),
}


TEACHERS_INPUT = {
    "shop": ("price", tf.float32),
    "news": ("article_id", tf.int64),
    "video": ("video_id", tf.int64),
    "jobs": ("job_id", tf.int64),
    "games": ("level", tf.int64),
    "music": ("tempo", tf.float32),
}


class Scores(tf.Module):
    """A teacher that reads one column."""

    def __init__(self, column: str, dtype: tf.DType):
        super().__init__()
        signature = [tf.TensorSpec([None, 1], dtype, name=column)]
        self.score = tf.function(lambda given: {"score": tf.sin(tf.cast(given, tf.float32))}, input_signature=signature)


@pytest.fixture(scope="module")
def drafts(tmp_path_factory) -> dict[str, tuple[Drafted, Path]]:
    found = {}
    for name, log in LOGS.items():
        folder = tmp_path_factory.mktemp(name)
        pq.write_table(pa.table(log()), folder / "log.parquet")
        found[name] = draft_folder(DraftSources(folder / "log.parquet", 1200), folder / "surface", Answers()), folder
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_is_wrong_and_unmarked(drafts, name):
    drafted, folder = drafts[name]
    tasks, features, left_out, asked, split = EXPECTED[name]
    assert set(drafted.tasks) == tasks
    assert set(drafted.features) == features
    assert set(drafted.left_out) == left_out
    assert {place.removeprefix("features.") for place in drafted.open} == asked
    text = (folder / "surface" / "surface.yaml").read_text()
    assert f"split: {split}" in text
    assert text.count("training: {") == 1
    assert all(f"# GAP {each}: " in text for each in asked)
    assert set(load_surface(folder / "surface").surface.features) == features


@pytest.mark.parametrize(
    ("name", "which", "said"),
    [
        ("shop", "last", "# guess: the sample is in the order of time, and `split:` below evaluates what came last."),
        (
            "news",
            "every",
            "This sample is not in the\n# order of time: write the examples in it, and add `hold_out: last`",
        ),
        ("video", "every", ""),
        ("jobs", "every", ""),
        ("games", "every", ""),
    ],
)
def test_the_last_rows_choose_where_time_divides_and_orders(drafts, name, which, said):
    loaded = load_surface(drafts[name][1] / "surface")
    text = (loaded.path / "surface.yaml").read_text()
    assert loaded.surface.training.hold_out == which
    assert said in text
    assert ("hold_out" in text) is bool(said)
    assert loaded.surface.training == Training(hold_out=which)


@pytest.mark.parametrize(
    ("name", "column", "why"),
    [
        ("shop", "basket_value", "suspected to be made from a label: rank correlation 1.00 with bought"),
        ("shop", "on_sale", "0 or 1: a feature that a server knows, or what happened afterwards (a label)?"),
        ("news", "outcome", "suspected to be made from a label: its values tell click (100% of its variance)"),
        ("video", "watch_seconds", "an action, by its name"),
        ("video", "completion", "an action, by its name"),
        ("video", "part_of_it", "suspected to be made from a label: correlation 1.00 with watch_seconds"),
        ("music", "kept", "suspected to be made from a label: correlation -1.00 with skip"),
        ("jobs", "salary", "numbers as text"),
        ("shop", "visit", "its rows stand together, and no value comes back"),
        ("shop", "place", "where it was shown, as it counts up and starts again"),
        ("games", "shown_rank", "where it was shown, by its name"),
        ("news", "time_on_page", "suspected to be made from a label: rank correlation 1.00 with click"),
        ("music", "not_skipped", "suspected to be made from a label: correlation -1.00 with skip"),
    ],
)
def test_what_is_asked_says_why(drafts, name, column, why):
    assert drafts[name][0].open[f"features.{column}"].startswith(why)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_answered_draft_passes_the_check(drafts, name, tmp_path):
    """A teacher that reads one column, and one GAP filled: nothing that is open stops a run."""
    column, dtype = TEACHERS_INPUT[name]
    teacher = Scores(column, dtype)
    tf.saved_model.save(teacher, str(tmp_path / "teacher"), signatures={"serving_default": teacher.score})
    log, surface = drafts[name][1] / "log.parquet", tmp_path / "surface"
    drafted = draft_folder(DraftSources(log, 1200, tmp_path / "teacher"), surface, Answers(same_ids=(column,)))
    label = drafted.tasks[0]
    assert not drafted.loads
    assert f"tasks.{label}.distil" in drafted.open
    file = surface / "surface.yaml"
    file.write_text(file.read_text().replace("    # distil: {from: score}", "    distil: {from: score}", 1))
    options = {"surface": surface, "examples": log, "teacher": tmp_path / "teacher"}
    done = CliRunner().invoke(app, ["check", *(word for each in options for word in (f"--{each}", str(options[each])))])
    assert done.exit_code == 0, done.stdout


@pytest.mark.parametrize(("name", "column"), [("video", "viewer_id"), ("news", "author_no")])
def test_ids_that_a_tool_made_floats_are_ids_again(drafts, name, column):
    loaded = load_surface(drafts[name][1] / "surface")
    assert loaded.surface.features[column].kind == "categorical"
    assert "whole numbers, which are stored as real ones" in (loaded.path / "surface.yaml").read_text()

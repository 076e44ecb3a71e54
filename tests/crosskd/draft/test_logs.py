"""What `crosskd init` makes of six logs: right, left out with the reason, or left open; nothing wrong and unmarked."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crosskd.init import Answers, Drafted, DraftSources, draft_folder
from schema.loader import load_surface
from tests.crosskd.draft.logs import LOGS

# By log: tasks, features, what is left out, what is asked, and the division of undivided examples.
EXPECTED = {
    "shop": (
        {"bought"},
        {"customer", "sku", "price", "tags"},
        {"shown_at", "coupon", "receipt_id"},
        {"on_sale", "basket_value"},
        "{by: time, column: shown_at}",
    ),
    "news": (
        {"click", "read_seconds"},
        {"reader_id", "article_id", "section"},
        {"published", "request_id"},
        {"headline", "outcome"},
        "{by: time, column: published}",
    ),
    "video": (
        {"like"},
        {"viewer_id", "video_id", "embedding", "device", "topics"},
        set(),
        {"watch_seconds", "completion", "part_of_it", "is_new"},
        "{by: group, column: viewer_id}",
    ),
    "jobs": (
        {"applied", "hired"},
        {"candidate_id", "job_id"},
        {"event_id", "country", "posted", "applied_at"},
        {"salary", "remote"},
        "{by: random}",
    ),
    "games": (
        {"install"},
        {"player_id", "game_id", "level", "hour"},
        {"user"},
        {"install_count_30d", "sessions_after"},
        "{by: group, column: player_id}",
    ),
    "music": (
        {"skip", "listen_minutes"},
        {"listener_id", "track_id", "tempo"},
        {"ts", "mood"},
        {"kept", "explicit"},
        "{by: time, column: ts}",
    ),
}


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
    assert all(f"# GAP {each}: " in text for each in asked)
    assert set(load_surface(folder / "surface").surface.features) == features


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
    ],
)
def test_what_is_asked_says_why(drafts, name, column, why):
    assert drafts[name][0].open[f"features.{column}"].startswith(why)


def test_ids_that_a_tool_made_floats_are_ids_again(drafts):
    loaded = load_surface(drafts["video"][1] / "surface")
    assert loaded.surface.features["viewer_id"].kind == "categorical"
    assert "whole numbers, which are stored as real ones" in (loaded.path / "surface.yaml").read_text()

"""What a surface must say before pairs never shown can be made of its examples."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.errors import InputError
from schema.loader import load_surface
from schema.pairs import pair_plan

SHIPPED = Path(__file__).parents[2] / "schema" / "homepage"
CONTENT = yaml.safe_load((SHIPPED / "surface.yaml").read_text())
SCHEMA = (SHIPPED / "schema.pbtxt").read_text()
CROSS = {
    "music_profile_match": {"dot": ["user_profile_music", "item_content"], "scale": 0.35355339},
    "familiar": {"value": 0},
}


def without_shape(schema: str, *columns: str) -> str:
    """The schema in which these columns may be absent."""
    for name in columns:
        start = schema.index(f'name: "{name}"')
        at = schema.index("shape {}", start)
        assert at < schema.find("feature {", start)
        schema = schema[:at] + "value_count { min: 1 max: 1 }" + schema[at + len("shape {}") :]
    return schema


OPTIONAL = without_shape(SCHEMA, "click", "discovery")


def load(folder: Path, schema: str = OPTIONAL, **changes: Any):
    content = copy.deepcopy(CONTENT)
    content["unlabelled"] = {"cross": copy.deepcopy(CROSS)}
    for key, value in changes.items():
        place = content
        *way, last = key.split("__")
        for part in way:
            place = place[part]
        place[last] = value
    (folder / "surface.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / "schema.pbtxt").write_text(schema)
    return load_surface(folder).surface


def test_sides_and_identity_come_from_the_features(tmp_path):
    plan = pair_plan(load(tmp_path))
    assert (plan.user, plan.item) == (("user_id",), ("item_id",))
    assert plan.item_side == ("item_id", "item_content", "item_age")
    assert {"user_id", "user_profile_music"} <= set(plan.user_side)
    assert {"position", "shelf"} <= set(plan.context_side)
    assert not {"familiar", "music_profile_match"} & {*plan.user_side, *plan.context_side, *plan.item_side}
    assert plan.labels == ("click", "trail_engagement", "discovery")
    assert (plan.per_row, plan.weights) == (5, "popularity")


def test_a_control_asks_for_no_pairs(tmp_path):
    surface = load(tmp_path, warm_start={"user_id": {}})
    assert surface.warm_start["user_id"].outputs("user_id") == ("user_id_ids", "user_id_vectors")
    control = surface.undistilled()
    assert control.unlabelled is None
    assert not control.warm_start


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"unlabelled__cross": {"familiar": {"value": 0}}},
            "a pair has no 'music_profile_match' .* unless",
        ),
        ({"unlabelled__cross": {**CROSS, "familar": {"value": 0}}}, "cross.familar: .* did you mean 'familiar'"),
        ({"unlabelled__cross__familiar": {}}, "made by `dot: .*` or by `value:`"),
        (
            {"unlabelled__cross__music_profile_match": {"dot": ["item_content", "user_profile_music"]}},
            "expected a column of the user's or the context's, found 'item_content'",
        ),
        (
            {"unlabelled__cross__music_profile_match": {"dot": ["user_activity", "item_content"]}},
            r"expected two columns of one size, found \[\] and \[8\]",
        ),
        ({"unlabelled__weights": "new_release"}, "`weights: new_release` and `new_release: .*` need each other"),
        (
            {"unlabelled__weights": "new_release", "unlabelled__new_release": {"column": "new_releases"}},
            "did you mean 'new_release'",
        ),
        ({"unlabelled__item": ["item_content"]}, "expected an id that every example has .* found 'item_content'"),
        ({"unlabelled__columns": {"position": "user"}}, "columns.position: it is a feature"),
        ({"unlabelled__columns": {"click": "user"}}, "columns.click: it is a label, and no pair has one"),
        ({"unlabelled__per_row": 0}, "unlabelled.per_row: .* found 0"),
        ({"teacher__features__when": {"dtype": "int", "from": "timestamp"}}, "columns: {timestamp: user}"),
        ({"warm_start": {"item_content": {}}}, "expected a categorical feature, found 'item_content'"),
    ],
)
def test_what_cannot_work_is_said_when_the_surface_is_read(changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load(tmp_path, **changes)


def test_the_side_of_a_column_that_only_the_teacher_reads_can_be_told(tmp_path):
    told = {"unlabelled__columns": {"timestamp": "context"}}
    surface = load(tmp_path, **told, teacher__features__when={"dtype": "int", "from": "timestamp"})
    assert "timestamp" in pair_plan(surface).context_side


def test_labels_must_be_allowed_to_be_absent(tmp_path):
    with pytest.raises(InputError, match=r"the schema gives 'click' a `shape`.* write `value_count"):
        load(tmp_path, schema=SCHEMA)


def test_a_cross_feature_with_a_default_may_be_absent(tmp_path):
    schema = without_shape(OPTIONAL, "familiar")
    cross = {"music_profile_match": CROSS["music_profile_match"]}
    surface = load(
        tmp_path, schema, unlabelled__cross=cross, features__familiar={**CONTENT["features"]["familiar"], "default": 0}
    )
    assert set(pair_plan(surface).cross) == {"music_profile_match"}


def test_what_identifies_a_person_is_the_person_s_even_where_it_is_the_group(tmp_path):
    told = {"unlabelled__columns": {"timestamp": "context"}, "unlabelled__user": ["timestamp"]}
    plan = pair_plan(load(tmp_path, **told))
    assert "timestamp" in plan.user_side
    assert "timestamp" not in plan.context_side

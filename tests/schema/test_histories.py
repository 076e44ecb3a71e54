from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.loader import load_surface
from schema.surface import Surface
from tests.schema.homepage import CONTENT, SCHEMA, changed

LAYER = """
feature {
  name: "teacher/layer"
  type: FLOAT
  presence { min_fraction: 1 min_count: 1 }
  shape { dim { size: 4 } }
  not_in_environment: "RAW"
  not_in_environment: "SERVING"
}
"""
PERIOD = {"column": "timestamp", "step": 86400}
TEACHER = CONTENT["teacher"] | {"representations": {"layer": {"size": 4}}}


def with_histories(**top: Any) -> dict[str, Any]:
    """The home page with histories of people, and other keys at the top of the file."""
    return CONTENT | {"teacher": TEACHER, "period": PERIOD, "histories": {"user_id": {"of": "layer"}}} | top


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Surface]:
    def load(content: dict[str, Any]) -> Surface:
        (tmp_path / "surface.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        (tmp_path / "schema.pbtxt").write_text(SCHEMA + LAYER)
        return load_surface(tmp_path).surface

    return load


def test_histories_have_defaults_and_are_no_part_of_a_control(load):
    surface = load(with_histories(histories={"user_id": {"of": "layer"}, "item_id": {"of": "layer", "decay": 0.9}}))
    assert (surface.histories["user_id"].decay, surface.histories["user_id"].pool) == (1.0, "mean")
    assert surface.histories["item_id"].decay == 0.9
    assert surface.of_arm(distil=True) is surface
    assert surface.of_arm(distil=False).histories == surface.undistilled().histories == {}
    assert surface.undistilled() == load(with_histories(histories={})).undistilled()


def test_a_period_alone_is_sound_so_that_an_experiment_can_try_histories(load):
    assert load(with_histories(histories={})).period.step == 86400


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ({"period": None}, "`histories` needs `period: {column: ..., step: ...}`"),
        ({"period": {"column": "timestmp"}}, "period.column: expected a feature of the schema, found 'timestmp'"),
        ({"period": {"column": "timestamp", "step": 0}}, "period.step: input should be greater than 0, found 0"),
        ({"histories": {"user": {"of": "layer"}}}, "histories.user: expected a categorical feature, found 'user'"),
        ({"histories": {"position": {"of": "layer"}}}, "histories.position: expected a categorical feature"),
        (
            {"histories": {"user_id": {"of": "trunk"}}},
            "histories.user_id.of: expected a name of teacher.representations",
        ),
        ({"histories": {"user_id": {}}}, "histories.user_id.of: this key is required and absent"),
        ({"histories": {"user_id": {"of": "layer", "decay": 0}}}, "decay: input should be greater than 0, found 0"),
        ({"histories": {"user_id": {"of": "layer", "decay": 2}}}, "decay: input should be less than or equal to 1"),
        ({"histories": {"user_id": {"of": "layer", "poll": "sum"}}}, "poll: unknown key; did you mean 'pool'?"),
        ({"teacher": CONTENT["teacher"]}, "expected a layer of the teacher, 'layer', under teacher.representations"),
        (
            {"training": CONTENT["training"] | {"continue_from": "served"}},
            "`training.continue_from` and `histories` exclude each other",
        ),
        (
            {"student": "my_ranker.model:student"},
            "`histories.user_id` and `student` exclude each other",
        ),
    ],
)
def test_what_does_not_fit_is_refused(refused, top, message):
    assert message in refused(with_histories(**top), schema=SCHEMA + LAYER)


def test_times_are_numbers(refused):
    schema = SCHEMA.replace('name: "timestamp"\n  type: INT', 'name: "timestamp"\n  type: BYTES')
    assert "period.column: expected FLOAT or INT, the schema has BYTES for 'timestamp'" in refused(
        with_histories(), schema=schema + LAYER
    )


def test_an_embedding_that_others_read_is_refused(refused):
    features = CONTENT["features"] | {"shelf": {"kind": "categorical", "embedding_of": "user_id"}}
    message = refused(with_histories(features=features), schema=SCHEMA + LAYER)
    assert "histories.user_id: expected an embedding of its own, found one that shelf reads too" in message


def test_ids_that_share_rows_are_refused(refused):
    content = with_histories(features=changed("features.user_id.hash", 50)["features"])
    assert "histories.user_id: expected a categorical feature" in refused(content, schema=SCHEMA + LAYER)


def test_a_bias_feature_is_refused(refused):
    content = with_histories(histories={"device": {"of": "layer"}})
    content["tasks"] = changed("tasks.click.bias", ["device"])["tasks"]
    assert "histories.device: expected a feature that serves, found one of a task's `bias`" in refused(
        content, schema=SCHEMA + LAYER
    )


@pytest.mark.parametrize("name", ["history/user_id", "period/id"])
def test_names_of_made_columns_are_taken(refused, name):
    content = with_histories(features=CONTENT["features"] | {name: {"kind": "numeric"}})
    schema = SCHEMA + LAYER + f'feature {{ name: "{name}" type: FLOAT shape {{}} }}'
    assert f"features.{name}: names that begin with" in refused(content, schema=schema)

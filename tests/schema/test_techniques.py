from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import Surface
from tests.schema.homepage import CONTENT, SCHEMA


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Surface]:
    """Loads the home page with another distillation of click and of trail_engagement, and other top-level keys."""

    def load(click: dict[str, Any], trail: dict[str, Any] | None = None, **top: Any) -> Surface:
        tasks = {name: dict(task) for name, task in CONTENT["tasks"].items()}
        tasks["click"]["distil"] = {"from": "click", **click}
        tasks["trail_engagement"]["distil"] = {"from": "trail_engagement", **(trail or {})}
        training = CONTENT["training"] | top.pop("training", {})
        content = CONTENT | {"tasks": tasks, "training": training} | top
        (tmp_path / "surface.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        (tmp_path / "schema.pbtxt").write_text(SCHEMA)
        return load_surface(tmp_path).surface

    return load


GROUPED = {"group": "user_id", "training": {"batch_by": "group"}}


def test_what_fits_loads(load):
    surface = load({"loss": "kl", "temperature": 2, "head": "stacked"}, {"loss": "listwise"}, **GROUPED)
    assert surface.distillations()["click"].temperature == 2.0
    assert surface.undistilled().distillations() == {}
    assert surface.undistilled().training == surface.training


def test_trust_is_no_part_of_a_control(load):
    distil = {"adapter": {"weight": 2}, "reliability": True, "weight_column": "position", "trunk_gradient": 0.5}
    surface = load(distil, {"weight_column": "position"}, trust={"folds": 4, "known": ["user_id"]})
    assert list(surface.trusted) == ["click"]
    assert surface.reads_teacher
    assert surface.undistilled() == load({}).undistilled()


@pytest.mark.parametrize(
    ("click", "trail", "top", "message"),
    [
        ({"loss": "mae"}, {}, {}, r"tasks.click.distil.loss: input should be 'mse', 'huber', .* found 'mae'"),
        ({"temprature": 2}, {}, {}, r"tasks.click.distil.temprature: unknown key; did you mean 'temperature'\?"),
        ({"temperature": 2}, {}, {}, r"tasks.click.distil: temperature has no meaning with loss mse"),
        ({"loss": "bce", "temperature": 0}, {}, {}, r"temperature: input should be greater than 0, found 0"),
        ({"schedule": {"from": 0, "stepps": 2}}, {}, {}, r"schedule.stepps: unknown key; did you mean 'steps'\?"),
        (
            {},
            {"loss": "kl"},
            {},
            r"distil.loss: kl compares probabilities.*'trail_engagement' is a regression",
        ),
        ({}, {"from": "click", "head": "shared"}, {}, r"trail_engagement.distil.head: a shared head has one output"),
        ({"loss": "pairwise"}, {}, {}, r"click.distil.loss: pairwise compares the rows of a group.*`batch_by: group`"),
        ({}, {}, {"training": {"batch_by": "group"}}, r"training.batch_by: expected `group:` at the top level"),
        ({}, {}, GROUPED | {"group": "hour_sin"}, r"group: expected INT or BYTES to batch by, the schema has FLOAT"),
        ({}, {}, {"weight_column": "positon"}, r"weight_column: expected a feature of .* did you mean 'position'\?"),
        ({}, {}, {"representations": {"trnk": {"from": "layer"}}}, r"representations.trnk: expected `trunk` or a task"),
        (
            {},
            {},
            {"representations": {"trunk": {"from": "layer"}}},
            r"representations.trunk.from: expected a name of teacher.representations, found 'layer'",
        ),
        (
            {},
            {},
            {"teacher": CONTENT["teacher"] | {"representations": {"layer": {"size": 4}}}},
            r"teacher.representations.layer: expected a feature of .*, found 'teacher/layer'",
        ),
        ({}, {}, {"model": {"trunk_kind": "moe"}}, r"model.trunk_kind: input should be .*'mmoe'.* found 'moe'"),
        (
            {},
            {},
            {"non_serving_heads": {"watch": {"from": "click", "head": "stacked"}}},
            r"non_serving_heads.watch: a non-serving head has no serving head to be stacked with",
        ),
        (
            {},
            {},
            {"non_serving_heads": {"watch": {"from": "click", "adapter": {}}}},
            r"non_serving_heads.watch: `adapter` is fitted to a hard label, which a non-serving head has not",
        ),
        (
            {"loss": "pairwise", "reliability": True},
            {},
            GROUPED,
            r"click.distil: `reliability` multiplies the loss of each example, and loss pairwise is of pairs",
        ),
        (
            {"head": "shared", "trunk_gradient": 0.5},
            {},
            {},
            r"`trunk_gradient` is for a head that .* alone",
        ),
        ({"trunk_gradient": 1.5}, {}, {}, r"trunk_gradient: input should be less than or equal to 1, found 1.5"),
        ({"weight_column": "hour_son"}, {}, {}, r"tasks.click.distil.weight_column: .* did you mean 'hour_sin'\?"),
        ({"adapter": {"wait": 1}}, {}, {}, r"click.distil.adapter.wait: unknown key; did you mean 'weight'\?"),
        ({"adapter": {}}, {}, {"trust": {"folds": 2}}, r"trust.folds: input should be greater than or equal to 3"),
        ({}, {}, {"trust": {"known": ["user_id"]}}, r"trust.known: expected `adapter` or `reliability`.* found none"),
        ({"adapter": {}}, {}, {"trust": {"known": ["usr_id"]}}, r"trust.known: .* did you mean 'user_id'\?"),
        (
            {"adapter": {}},
            {},
            {"trust": {"known": ["shelf"]}},
            r"expected ids that the teacher reads .*'shelf'",
        ),
        (
            {"adapter": {}},
            {},
            {"trust": {"known": ["user_id"]}, "training": {"continue_from": "served"}},
            r"`training.continue_from` and `trust.known` exclude each other",
        ),
    ],
)
def test_what_does_not_fit_is_refused(load, click, trail, top, message):
    with pytest.raises(InputError, match=message):
        load(click, trail, **top)

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schema.labels import LabelRule
from schema.surface import Task


def task(kind: str, **more: Any) -> Task:
    return Task.model_validate({"kind": kind, "label": "rating", "ungated": "for the test", **more})


def test_a_task_without_a_rule_has_none() -> None:
    assert task("binary").rule is None
    assert task("regression", transform="log1p").rule is None  # the label stays in its unit


def test_rules_are_those_of_the_task() -> None:
    told = task("binary", positive={"at_least": 4}).rule
    assert told == LabelRule.model_validate({"positive": {"at_least": 4}})
    told = task("regression", clip={"max": 3600}, transform="log1p").rule
    assert told == LabelRule.model_validate({"clip": {"max": 3600}})


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("regression", {"positive": {"at_least": 4}}, "`positive` makes the label of a binary task, found kind: regre"),
        ("binary", {"clip": {"max": 4}}, "`clip` is for the labels of regression tasks, found kind: binary"),
        ("binary", {"transform": "log1p"}, "`transform` is for the labels of regression tasks"),
        ("regression", {"sampled": {"negatives": 0.1}}, "`sampled` is for binary tasks, found kind: regression"),
        ("binary", {"sampled": {"negatives": 10}}, "less than 1"),
        ("binary", {"positive": {}}, "positive needs at_least, at_most or any_of"),
        ("binary", {"positive": {"any_of": []}}, "at least 1 item"),
        ("binary", {"positive": {"at_least": 4, "at_most": 3}}, "at_least <= at_most, found 4 > 3"),
        ("binary", {"positive": {"any_of": ["like"]}}, "valid number"),
        ("regression", {"transform": "log"}, "Input should be 'log1p'"),
        ("regression", {"transform": "log1p", "clip": {"min": -1}}, "labels of 0 or more, found clip.min: -1"),
    ],
)
def test_what_is_no_label(kind: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        task(kind, **more)

"""Classes of tasks, the map from a teacher's to a student's, and what does not go with several classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schema.classes import ClassMapping, mapping_of
from schema.errors import InputError
from schema.surface import Surface, Task
from schema.techniques import check_techniques


def content(**distil: Any) -> dict[str, Any]:
    return {
        "name": "shelves",
        "features": {"x": {"kind": "numeric"}},
        "tasks": {
            "shelf": {
                "kind": "multiclass",
                "label": "shelf",
                "classes": ["top", "middle", "low"],
                "distil": {"from": "place", "loss": "kl", **distil},
                "ungated": "a test",
            },
            "click": {"kind": "binary", "label": "click", "ungated": "a test"},
        },
        "teacher": {
            "tasks": {
                "place": {"kind": "multiclass", "classes": ["low", "middle", "top", "floor"]},
                "loan": {"kind": "binary"},
            },
            "features": {"x": {"dtype": "float"}},
        },
    }


def read(**distil: Any) -> Surface:
    return Surface.model_validate(content(**distil))


def test_classes_of_the_same_names_may_stand_in_another_order() -> None:
    assert mapping_of(read(), "shelf") == ClassMapping((0, 1, 2), ((2,), (1,), (0,)), 3)


def test_a_map_names_one_class_or_several_and_lasts_through_json() -> None:
    surface = read(classes={"low": ["floor", "low"], "top": "top"})
    expected = ClassMapping((0, 2), ((2,), (3, 0)), 3)
    assert mapping_of(surface, "shelf") == expected
    assert mapping_of(Surface.model_validate_json(surface.model_dump_json(by_alias=True)), "shelf") == expected
    assert not expected.whole


def test_integers_are_classes_and_keys() -> None:
    told = content(classes={1: ["low", "floor"], 2: "top"})
    told["tasks"]["shelf"]["classes"] = [1, 2]
    surface = Surface.model_validate(told)
    assert mapping_of(surface, "shelf") == ClassMapping((0, 1), ((0, 3), (2,)), 2)


def test_a_non_serving_head_has_all_of_the_teachers_classes() -> None:
    told = content() | {"non_serving_heads": {"where": {"from": "place", "loss": "kl"}}}
    surface = Surface.model_validate(told)
    check_techniques(surface, Path("surface.yaml"))
    assert mapping_of(surface, "where") == ClassMapping((0, 1, 2, 3), ((0,), (1,), (2,), (3,)), 4)


@pytest.mark.parametrize(
    ("distil", "message"),
    [
        ({"loss": "mse"}, "expected `loss: kl`"),
        ({"loss": "bce"}, "expected `loss: kl`"),
        ({"loss": "listwise"}, "expected `loss: kl`"),
        ({"loss": "own:loss"}, "expected `loss: kl`"),
        (
            {"classes": {"top": "attic", "low": "low"}},
            "classes.top: expected classes of the teacher's task, found 'attic'",
        ),
        ({"classes": {"cellar": "low", "low": "top"}}, "classes: expected the task's classes, found 'cellar'"),
        ({"classes": {"top": "low", "low": "low"}}, "found 'low' twice"),
        ({"classes": {"top": "low"}}, "two classes or more to compare, found 1"),
        ({"from": "loan", "classes": {"top": "low", "low": "top"}}, "expected a multiclass task, distilled from one"),
    ],
)
def test_distillations_that_do_not_fit(distil: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_techniques(read(**distil), Path("surface.yaml"))
    assert message in str(caught.value)


def test_a_class_that_the_teacher_does_not_know_asks_for_a_map() -> None:
    told = content()
    told["tasks"]["shelf"]["classes"] = ["top", "midle"]
    with pytest.raises(InputError, match="has no class 'midle', but low, middle, top, floor; expected `classes:`"):
        check_techniques(Surface.model_validate(told), Path("surface.yaml"))


def test_a_shared_head_is_of_one_kind() -> None:
    told = content()
    told["tasks"]["click"]["distil"] = {"from": "place", "loss": "kl", "head": "shared"}
    with pytest.raises(InputError, match="a shared head has one output for both labels"):
        check_techniques(Surface.model_validate(told), Path("surface.yaml"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "a multiclass task needs `classes`"),
        ({"classes": ["a"]}, "at least 2 items"),
        ({"classes": ["a", "a"]}, "each class once, found a 2 times"),
        ({"classes": ["a", 1]}, "names or integers for all classes"),
        ({"classes": ["a", ""]}, "found an empty text"),
        ({"classes": [True, False]}, "put the word in quotes"),
        ({"classes": [1, 2**24 + 1]}, "name the classes instead"),
        ({"classes": [1.5, 2]}, "valid integer"),
        ({"classes": ["a", "b"], "given": "click"}, "`given` is not for multiclass tasks"),
        ({"classes": ["a", "b"], "label_smoothing": 0.1}, "`label_smoothing` is not for multiclass tasks"),
        ({"classes": ["a", "b"], "positive_weight": 2}, "`positive_weight` is not for multiclass tasks"),
        ({"classes": ["a", "b"], "loss": "huber"}, "`loss` is not for multiclass tasks"),
        ({"classes": ["a", "b"], "sampled": {"negatives": 0.1}}, "`sampled` is for binary tasks"),
        ({"classes": ["a", "b"], "clip": {"min": 0}}, "`clip` is for the labels of regression tasks"),
        ({"classes": ["a", "b"], "positive": {"at_least": 1}}, "`positive` makes the label of a binary task"),
    ],
)
def test_what_is_no_task_of_classes(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Task.model_validate({"kind": "multiclass", "label": "shelf", "ungated": "a test", **more})


def test_gates_are_on_metrics_of_classes() -> None:
    told = {"kind": "multiclass", "label": "shelf", "classes": ["a", "b"]}
    for metric in ("accuracy", "log_loss", "macro_f1"):
        Task.model_validate(told | {"gates": [{"metric": metric, "at_least": 0.1}]})
    with pytest.raises(ValidationError, match="a multiclass task is gated on one of log_loss, accuracy, macro_f1"):
        Task.model_validate(told | {"gates": [{"metric": "auc", "at_least": 0.5}]})


def test_only_multiclass_tasks_have_classes() -> None:
    with pytest.raises(ValidationError, match="`classes` are those of a multiclass task, found kind: binary"):
        Task.model_validate({"kind": "binary", "label": "x", "classes": ["a", "b"], "ungated": "a test"})
    told = content()
    told["teacher"]["tasks"]["loan"]["classes"] = ["a", "b"]
    with pytest.raises(ValidationError, match="`classes` are those of a multiclass task, found kind: binary"):
        Surface.model_validate(told)
    told = content()
    del told["teacher"]["tasks"]["place"]["classes"]
    with pytest.raises(ValidationError, match="a multiclass task needs `classes`"):
        Surface.model_validate(told)


@pytest.mark.parametrize("key", ["formula", "gain"])
def test_a_score_reads_numbers(key: str) -> None:
    score = {"formula": "click", key: "click + shelf"}
    with pytest.raises(ValidationError, match=f"score.{key}: expected tasks that are one number each, found 'shelf'"):
        Surface.model_validate(content() | {"score": score})


@pytest.mark.parametrize(
    ("sampled", "message"),
    [
        ({}, "negatives \\(a share\\), or probability \\(a column\\); found neither"),
        ({"negatives": 0.1, "probability": "kept"}, "found both"),
    ],
)
def test_negatives_are_sampled_in_one_way(sampled: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Task.model_validate({"kind": "binary", "label": "x", "ungated": "a test", "sampled": sampled})

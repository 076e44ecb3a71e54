from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from schema.score import Score, parse
from schema.surface import Surface

FUNCTIONS = {"exp": math.exp, "log": math.log, "min": min, "max": max, "sigmoid": lambda x: 1 / (1 + math.exp(-x))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("click * exp(trail) + 0.5 * discovery", 0.2 * math.exp(3) + 0.5 * 0.1),
        ("-click + (trail - 1) ** 2 / 4", -0.2 + 1),
        ("max(click, min(trail, 1e-3))", 0.2),
        ("+sigmoid(trail)", 1 / (1 + math.exp(-3))),
        ("2 * click", 0.4),
    ],
)
def test_values_by_hand(text: str, expected: float) -> None:
    assert parse(text).value({"click": 0.2, "trail": 3.0, "discovery": 0.1}, FUNCTIONS) == pytest.approx(expected)


def test_names_are_what_is_read() -> None:
    assert parse("b * exp(a) + exp(b) - c").names == ["b", "a", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "click.real",
        "click if trail else 0",
        "[click]",
        "lambda: click",
        "click < 1",
        "click and trail",
        "click // 2",
        "click % 2",
        "~click",
        "not click",
        "exp(*click)",
        "exp(x=click)",
        "exp(click, trail)",
        "min(click)",
        "open(click)",
        "(exp)(click)(click)",
        "'click'",
        "True * click",
        "1j * click",
        "click :=",
        "",
        "click\x00",
        "(" * 500 + "click" + ")" * 500,
        "+".join(["click"] * 300),
        "click + " * 400 + "1",
        "f'{click}'",
        "click[0]",
        "(x := click)",
    ],
)
def test_only_arithmetic_is_let_through(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected .*found|expected .* argument"):
        parse(text)


def surface(score: Any, **more: Any) -> Surface:
    task = {"kind": "binary", "label": "y", "ungated": "for the test"}
    tasks = {"click": task, "discovery": task} | more.pop("tasks", {})
    return Surface.model_validate(
        {"name": "s", "features": {"x": {"kind": "numeric"}}, "tasks": tasks, "score": score, **more}
    )


def test_a_formula_alone_is_a_score() -> None:
    found = surface("click + 2 * discovery")
    assert found.score == Score(formula="click + 2 * discovery")
    assert found.outputs == ("click", "discovery", "score")
    assert Surface.model_validate_json(found.model_dump_json(by_alias=True)) == found


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ("click + discovry", "score.formula: expected tasks and constants, found 'discovry'; did you mean 'discovery'"),
        (
            {"formula": "click", "gain": "clicks"},
            "score.gain: expected tasks and constants, found 'clicks'; did you mean",
        ),
        ("1 + 2", "score.formula: expected at least one task, found '1 \\+ 2'"),
        ("click +", "formula: expected an arithmetic expression, found 'click \\+'"),
        (
            {"formula": "click", "constants": {"click": 2}},
            "score.constants.click: a task or function has the same name",
        ),
        ({"formula": "click", "constants": {"exp": 2}}, "score.constants.exp: a task or function has the same name"),
        (
            {"formula": "click", "gates": [{"metric": "auc", "at_least": 0.5}]},
            "gated on one of ndcg_at_10, mrr, recall",
        ),
        (
            {"formula": "click", "gates": [{"metric": "mrr", "at_least": 0.5}]},
            "score.gates: a score is judged within gr",
        ),
    ],
)
def test_what_is_no_score_of_the_surface(score: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        surface(score)


def test_no_task_may_be_called_score() -> None:
    task = {"kind": "binary", "label": "y", "ungated": "for the test"}
    with pytest.raises(ValidationError, match=r"tasks.score: the score is served under this name; rename the task"):
        surface("click", tasks={"score": task})

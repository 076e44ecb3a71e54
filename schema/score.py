"""The score that a page is ranked by: an arithmetic expression over what is served.

The expression is parsed by Python's own parser, and then only numbers, names, arithmetic and a
few functions are let through; nothing of it is ever executed as Python.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, model_validator

from schema.base import Name, Strict, TaskKind
from schema.checks import nearest
from schema.gates import Gate
from schema.metrics import gateable_of_score

# The name of the output, and of what is judged.
SCORE = "score"
# By name, how many arguments a function takes; who evaluates an expression brings the functions.
FUNCTIONS: Mapping[str, int] = {"exp": 1, "log": 1, "log1p": 1, "sqrt": 1, "abs": 1, "sigmoid": 1, "min": 2, "max": 2}
_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_MOST_PARTS = 200
_MOST_CHARACTERS = 2000


@dataclass(frozen=True)
class Expression:
    """An expression that was found to be arithmetic."""

    text: str
    tree: ast.expr

    @property
    def names(self) -> list[str]:
        """What it reads, in the order of the text."""
        functions = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Name) and id(node) not in functions]
        return list(dict.fromkeys(node.id for node in sorted(found, key=lambda node: (node.lineno, node.col_offset))))

    def value(self, names: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
        """The value of the expression.

        Args:
          names: What each name stands for: numbers, arrays or tensors of one shape.
          functions: `FUNCTIONS` for these.
        """
        return _value(self.tree, names, functions)


def _value(node: ast.expr, names: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_value(node.operand, names, functions))
    if isinstance(node, ast.BinOp):
        left, right = (_value(each, names, functions) for each in (node.left, node.right))
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return functions[node.func.id](*(_value(each, names, functions) for each in node.args))
    raise ValueError(f"expected arithmetic, found {ast.unparse(node)}")


def parse(text: str) -> Expression:
    """Reads an expression.

    Raises:
      ValueError: It is not one of arithmetic; the message says what was found.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"expected an expression of at most {_MOST_CHARACTERS:,} characters, found {len(text):,}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"expected an arithmetic expression, found {text!r} ({error})") from error
    parts = list(ast.walk(tree))
    if len(parts) > _MOST_PARTS:
        raise ValueError(f"expected an expression of at most {_MOST_PARTS} parts, found {len(parts)}")
    for node in parts:
        _expect_arithmetic(node)
    return Expression(text, tree)


def _expect_arithmetic(node: ast.AST) -> None:
    if isinstance(node, ast.Call):
        _expect_function(node)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise ValueError(f"expected numbers, found {node.value!r}")
    elif not isinstance(node, ast.Name | ast.BinOp | ast.UnaryOp | ast.Load) and type(node) not in _OPERATORS:
        allowed = "numbers, names, + - * / **, parentheses and " + ", ".join(FUNCTIONS)
        raise ValueError(f"expected {allowed}; found {_shown(node)}")


def _expect_function(node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
        shown = ast.unparse(node.func)
        raise ValueError(f"expected one of the functions {', '.join(FUNCTIONS)}, found {shown}")
    expected = FUNCTIONS[node.func.id]
    if node.keywords or len(node.args) != expected:
        noun = "argument" if expected == 1 else "arguments"
        raise ValueError(f"{node.func.id}: expected {expected} {noun}, found {ast.unparse(node)}")


def _shown(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__


class Score(Strict):
    """What the page is ranked by.

    Attributes:
      formula: An arithmetic expression over tasks and constants:
        `click * exp(trail_engagement) + 0.5 * discovery`.  A binary task stands for its
        probability, a regression task for its value in the label's unit.
      constants: Numbers by name, for the formula.
      gain: What a good ranking puts first, as an expression over the tasks' labels; by default the
        formula itself.  A label that is absent from an example counts as 0, and an example without any
        of them is left out.
      gates: The conditions for a push, on metrics of groups.
    """

    formula: str
    constants: dict[Name, float] = Field(default_factory=dict)
    gain: str | None = None
    gates: tuple[Gate, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _is_an_expression(cls, value: Any) -> Any:
        """`score: click + discovery` is short for `score: {formula: click + discovery}`."""
        return {"formula": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_arithmetic(self) -> Score:
        for key, text in (("formula", self.formula), ("gain", self.gain)):
            if text is not None:
                try:
                    parse(text)
                except ValueError as error:
                    raise ValueError(f"{key}: {error}") from error
        expected = gateable_of_score()
        for gate in self.gates:
            if gate.metric not in expected:
                raise ValueError(f"a score is gated on one of {', '.join(expected)}; found {gate.metric}")
        return self

    def expression(self) -> Expression:
        """The formula."""
        return parse(self.formula)

    def gain_expression(self) -> Expression:
        """The gain."""
        return parse(self.gain or self.formula)

    def check(self, tasks: Mapping[str, Any]) -> None:
        """Checks that it reads tasks and constants, and at least one task.

        Args:
          tasks: The surface's tasks, by name.

        Raises:
          ValueError: It does not, or a name stands for two things.
        """
        if SCORE in tasks:
            raise ValueError(f"tasks.{SCORE}: the score is served under this name; rename the task")
        both = sorted({*tasks, *FUNCTIONS} & set(self.constants))
        if both:
            raise ValueError(f"score.constants.{both[0]}: a task or function has the same name; expected another one")
        for key, expression in (("formula", self.expression()), ("gain", self.gain_expression())):
            known = {*tasks, *self.constants}
            for name in expression.names:
                if name in tasks and tasks[name].kind is TaskKind.MULTICLASS:
                    raise ValueError(
                        f"score.{key}: expected tasks that are one number each, found {name!r}, which is a probability "
                        "for each of its classes; give the class that counts a binary task of its own"
                    )
                if name not in known:
                    raise ValueError(f"score.{key}: expected tasks and constants, found {name!r}{nearest(name, known)}")
            if not set(expression.names) & set(tasks):
                raise ValueError(f"score.{key}: expected at least one task, found {expression.text!r}")

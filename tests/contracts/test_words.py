"""A contract's word stands in contracts/ and is imported everywhere else, never copied."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tfx.components.evaluator import constants as evaluator
from tfx.components.infra_validator import executor as infra_validator
from tfx.components.pusher import executor as pusher

from contracts import blessings, heads, history, keys, nodes, properties, roles
from contracts.candidate_report import CandidateReport
from contracts.decision import Decision
from contracts.label_report import LabelReport
from contracts.provenance import Provenance
from contracts.serving_report import ServingReport

ROOT = Path(__file__).parents[2]
# Plain English words that are also names of other things; a copy of one cannot be told from those.
COMMON = {
    *("absent", "blessed", "code", "control", "copied", "decision", "evaluation", "model", "page", "pushed", "report"),
    *("result", "sentence", "span", "student", "surface", "teacher", "the control", "the student", "the teacher"),
    *("version", "Teacher", "Transform", "index.html"),
}
# What a room writes that only looks like a contract's word, and why.
OTHERS_WORDS = {
    # The list of metrics has one that counts rows, which bears the name of the labeler's output.
    "schema": {"labelled_examples"},
    # A metric that counts rows bears the name of the labeler's output.
    "components": {"labelled_examples"},
    "evaluation": {"labelled_examples"},
    # A run parameter of a compiled pipeline, and a resolver strategy's keyword argument.
    "pipeline": {"teacher_fingerprint"},
    # The same run parameter; and that metric.
    "crosskd": {"teacher_fingerprint", "labelled_examples"},
    # The name is TensorFlow Serving's, and the model server that reads it has nothing of this project beside it.
    "benchmarks": {"tf_serving_warmup_requests"},
}


def words_of(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, str):
            yield value
        elif name.isupper() and isinstance(value, dict):
            yield from value.values()


def words() -> set[str]:
    found = {word for module in (heads, history, keys, nodes, properties, roles) for word in words_of(module)}
    found |= {role.value for role in roles.ModelRole}
    found |= {kind.FILE for kind in (CandidateReport, Decision, LabelReport, Provenance, ServingReport)}
    for files in (blessings.MODEL_BLESSING, blessings.INFRA_BLESSING):
        found |= {files.yes, files.no}
    return found - COMMON


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Strings in code, with their lines: constants and the constant parts of f-strings, but no docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and _told(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def _told(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> bool:
    return bool(node.body) and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)


def copies(room: Path) -> list[str]:
    forbidden = words() - OTHERS_WORDS.get(room.name, set())
    return [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in sorted(room.rglob("*.py"))
        for line, text in literals(path.read_text(encoding="utf-8"))
        if text in forbidden
    ]


ROOMS = sorted({path.parent for path in ROOT.glob("*/__init__.py")} - {ROOT / "tests", ROOT / "contracts"})


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_no_room_copies_a_word(room):
    assert copies(room) == []


def test_a_copy_would_be_seen():
    assert sorted(literals('"""BlessingGate"""\nx = f"{y}BlessingGate"\nz = "decision.json"')) == [
        (2, "BlessingGate"),
        (3, "decision.json"),
    ]
    assert {"BlessingGate", "decision.json", "last_blessed", "last blessed", "distillation_", "NOT_BLESSED"} <= words()


def test_tfx_knows_blessings_and_pushed_models_by_these_words():
    assert properties.BLESSED == evaluator.ARTIFACT_PROPERTY_BLESSED_KEY
    assert properties.BLESSED_MODEL == evaluator.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY
    assert properties.BLESSED_MODEL_ID == evaluator.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
    assert (blessings.MODEL_BLESSING.yes, blessings.MODEL_BLESSING.no) == (
        evaluator.BLESSED_FILE_NAME,
        evaluator.NOT_BLESSED_FILE_NAME,
    )
    assert blessings.INFRA_BLESSING.yes in Path(infra_validator.__file__).read_text(encoding="utf-8")
    assert properties.PUSHED_DESTINATION in Path(pusher.__file__).read_text(encoding="utf-8")

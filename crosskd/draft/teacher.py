"""Drafts the `teacher:` section of ``surface.yaml`` from a SavedModel's signature."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from crosskd.draft import guesses
from crosskd.draft.sample import SampledColumn
from records.saved_model import find_saved_model, read_signatures
from schema.base import TaskKind
from schema.errors import InputError

_DEFAULT_SIGNATURE = "serving_default"
_FILLS: dict[str, float | int | str] = {"float": 0.0, "int": 0, "string": ""}
_DTYPES = {"INT": "int", "FLOAT": "float", "BYTES": "string"}


@dataclass
class TeacherDraft:
    """The section, and what was guessed in it.

    Attributes:
      content: As in ``surface.yaml``.
      notes: Guess in words, by teacher task or feature.
    """

    content: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        return list(self.content["tasks"])


def draft_teacher(
    path: Path, signature: str | None, columns: Mapping[str, SampledColumn], kinds: Mapping[str, TaskKind]
) -> TeacherDraft:
    """Reads the SavedModel at `path`.

    Args:
      path: The SavedModel.
      signature: Its signature; None for `serving_default`, or the only one.
      columns: The target's columns that the teacher may be given.
      kinds: Kind of each of the target's tasks, by name.

    Raises:
      InputError: No SavedModel, or it is not clear which signature is meant.
    """
    found = read_signatures(find_saved_model(str(path)))
    name = _choose(path, signature, sorted(found))
    inputs = {key: _input(info) for key, info in sorted(found[name].inputs.items())}
    draft = TeacherDraft({"signature": name, "takes": "tensors", "tasks": {}, "features": {}})
    _add_tasks(draft, sorted(found[name].outputs), kinds)
    if [dtype for dtype, _ in inputs.values()] == ["string"] and not any(
        guesses.same(key, list(columns)) for key in inputs
    ):
        _add_examples_input(draft, columns)
    else:
        for key, (dtype, size) in inputs.items():
            _add_input(draft, key, dtype, size, columns)
    return draft


def _choose(path: Path, wanted: str | None, names: Sequence[str]) -> str:
    if wanted in names or (wanted is None and _DEFAULT_SIGNATURE in names):
        return wanted or _DEFAULT_SIGNATURE
    if wanted is None and len(names) == 1:
        return names[0]
    raise InputError(f"{path}: choose one of its signatures with --signature: {', '.join(names) or 'it has none'}")


def _input(info: Any) -> tuple[str, int]:
    """Type as in ``surface.yaml``, and values per example."""
    dtype, shape = tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)
    kind = "string" if dtype == tf.string else "int" if dtype.is_integer or dtype.is_bool else "float"
    return kind, int(shape[1] or 1) if shape.rank == len(("batch", "size")) else 1


def _add_tasks(draft: TeacherDraft, outputs: Sequence[str], kinds: Mapping[str, TaskKind]) -> None:
    for output in outputs:
        name = re.sub(r"\W+", "_", output)
        name = name if name[0].isalpha() else f"task_{name.strip('_')}"
        same = guesses.same(name, list(kinds))
        task: dict[str, Any] = {"kind": str(kinds[same] if same else TaskKind.BINARY)}
        draft.content["tasks"][name] = task | ({"output": output} if output != name else {})
        draft.notes[name] = (
            f"guess: the kind of the target's task {same}" if same else "guess: binary (its output is a logit)"
        )


def _add_examples_input(draft: TeacherDraft, columns: Mapping[str, SampledColumn]) -> None:
    """A teacher that parses examples does not say which columns it reads: all are given."""
    draft.content["takes"] = "examples"
    for name, column in columns.items():
        size = {"size": column.size} if (column.size or 1) > 1 else {}
        draft.content["features"][name] = {"dtype": _DTYPES[column.type], **size}
        draft.notes[name] = "guess: the teacher reads this column under the same name"


def _add_input(draft: TeacherDraft, name: str, dtype: str, size: int, columns: Mapping[str, SampledColumn]) -> None:
    content: dict[str, Any] = {"dtype": dtype} | ({"size": size} if size > 1 else {})
    same = guesses.same(name, list(columns))
    fits = same is not None and columns[same].size == size and (columns[same].type == "BYTES") == (dtype == "string")
    if same is None or not fits:
        content["default"] = _FILLS[dtype]
        draft.notes[name] = "guess: the target has no such column; give `from:`, or the value that says nothing"
    elif same != name:
        content["from"] = same
        draft.notes[name] = "guess: the same but for its spelling"
    if same is not None and fits and not columns[same].required:
        content["default"] = _FILLS[dtype]
        draft.notes[name] = "guess: what fills it where an example lacks it"
    draft.content["features"][name] = content

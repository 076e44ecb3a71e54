"""Drafts the `teacher:` section of ``surface.yaml`` from a SavedModel's signature."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from crosskd.draft import guesses
from crosskd.draft.matching import Match, fitting, match
from crosskd.draft.sample import SampledColumn
from records.saved_model import find_saved_model, read_signatures
from schema.base import TaskKind
from schema.errors import InputError

_DEFAULT_SIGNATURE = "serving_default"
_FILLS: dict[str, float | int | str] = {"float": 0.0, "int": 0, "string": ""}
_LEAST_ANSWERS = 16
_NO_COLUMN = "guess: the target has no such column; give `from:`, or the value that says nothing"
_MOST_NAMED = 6  # candidates in a question
_VALUE = re.compile(r"minute|second|hour|value|rating|price|amount|time|engagement|duration|dwell|length", re.I)
_DTYPES = {"INT": "int", "FLOAT": "float", "BYTES": "string"}


@dataclass
class TeacherDraft:
    """The section, and what was guessed in it.

    Attributes:
      content: As in ``surface.yaml``.
      notes: Guess in words, by teacher task or feature.
      asked: Inputs that are left to the user: what is asked, and the lines to choose from.
      confirm: Inputs that are filled in, and rest on a guess that nothing but a person can confirm.
    """

    content: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)
    asked: dict[str, tuple[str, list[dict[str, Any]]]] = field(default_factory=dict)
    confirm: dict[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        return list(self.content["tasks"])


def draft_teacher(
    path: Path,
    signature: str | None,
    columns: Mapping[str, SampledColumn],
    kinds: Mapping[str, TaskKind],
    same_ids: Sequence[str] = (),
) -> TeacherDraft:
    """Reads the SavedModel at `path`.

    Args:
      path: The SavedModel.
      signature: Its signature; None for `serving_default`, or the only one.
      columns: The target's columns that the teacher may be given.
      kinds: Kind of each of the target's tasks, by name.
      same_ids: The teacher's inputs whose ids are known to mean the same in both products.

    Raises:
      InputError: No SavedModel, or it is not clear which signature is meant.
    """
    found = read_signatures(find_saved_model(str(path)))
    name = _choose(path, signature, sorted(found))
    inputs = {key: _input(info) for key, info in sorted(found[name].inputs.items())}
    draft = TeacherDraft({"signature": name, "takes": "tensors", "tasks": {}, "features": {}})
    _expect_inputs(same_ids, inputs)
    _add_tasks(draft, sorted(found[name].outputs), kinds)
    if [dtype for dtype, _ in inputs.values()] == ["string"] and not any(
        guesses.same(key, list(columns)) for key in inputs
    ):
        _add_examples_input(draft, columns)
    else:
        for key, (dtype, size) in inputs.items():
            _add_input(draft, key, dtype, size, columns, key in same_ids)
        _ask_of_filled(draft, inputs, columns)
    return draft


def _expect_inputs(same_ids: Sequence[str], inputs: Mapping[str, Any]) -> None:
    for name in same_ids:
        if name not in inputs:
            raise InputError(f"--same-id {name}: no such input of the teacher; it has {', '.join(sorted(inputs))}")


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


def settle_outputs(draft: TeacherDraft, answers: Mapping[str, NDArray[np.float64]], known: Sequence[str]) -> None:
    """Says of each output what its values look like: probabilities, values, or logits.

    Args:
      draft: The section, whose tasks are settled in place.
      answers: The teacher's answers to some examples, by the signature's output; none if it was not tried.
      known: Tasks whose kind the target's task of the same name gives.
    """
    for name, task in draft.content["tasks"].items():
        values = answers.get(task.get("output", name), np.array([]))
        values = values[np.isfinite(values)]
        if len(np.unique(values)) < _LEAST_ANSWERS:
            if name not in known:
                draft.confirm[f"tasks.{name}"] = "taken for a logit; its answers could not be tried"
            continue
        low, high = values.min(), values.max()
        tried = f"{len(values)} answers between {low:.3g} and {high:.3g}"
        draft.notes[name] = f"{draft.notes[name]}; {tried}"
        if low >= 0 and high <= 1 and task["kind"] == TaskKind.BINARY:
            task["gives"] = "probability"
            draft.notes[name] = f"guess: probabilities ({tried}); write `gives: logit` if they are none"
        elif (low >= 0 or _VALUE.search(name)) and name not in known:
            task["kind"] = str(TaskKind.REGRESSION)
            draft.notes[name] = f"guess: values, not logits ({tried})"
        if name not in known:
            draft.confirm[f"tasks.{name}"] = draft.notes[name].removeprefix("guess: ")


def _add_examples_input(draft: TeacherDraft, columns: Mapping[str, SampledColumn]) -> None:
    """A teacher that parses examples does not say which columns it reads: all are given."""
    draft.content["takes"] = "examples"
    for name, column in columns.items():
        size = {"size": column.size} if (column.size or 1) > 1 else {}
        draft.content["features"][name] = {"dtype": _DTYPES[column.type], **size}
        draft.notes[name] = "guess: the teacher reads this column under the same name"


def _add_input(
    draft: TeacherDraft, name: str, dtype: str, size: int, columns: Mapping[str, SampledColumn], same_id: bool
) -> None:
    content: dict[str, Any] = {"dtype": dtype} | ({"size": size} if size > 1 else {})
    found = match(name, dtype, size, columns)
    if same_id and (found is None or found.misfit):
        why = found.misfit if found else "no one column of the target has a name like it"
        raise InputError(
            f"--same-id {name}: {why}; leave the option out, and write `from:` under teacher.features.{name}"
        )
    if found is None:
        draft.content["features"][name] = content | {"default": _FILLS[dtype]}
        draft.notes[name] = _NO_COLUMN
        return
    reads = content | ({"from": found.column} if found.column != name else {})
    if found.misfit:
        _add_misfit(draft, name, content, reads, found, columns[found.column])
        return
    reads |= {} if columns[found.column].required else {"default": _FILLS[dtype]}
    if found.ids and not same_id:
        fill = content | {"default": _FILLS[dtype]}
        draft.asked[name] = (
            f"does {found.column} name the same things by the same values in both products?",
            [reads, fill],
        )
        return
    draft.content["features"][name] = reads
    filled = "" if columns[found.column].required else "; the default fills it where an example lacks it"
    if found.column != name or filled:
        draft.notes[name] = f"guess: {found.why}{filled}"
    if found.column != name and not same_id:
        draft.confirm[name] = f"reads {found.column} ({found.why}): is it the same, in the same unit?"


def _ask_of_filled(
    draft: TeacherDraft, inputs: Mapping[str, tuple[str, int]], columns: Mapping[str, SampledColumn]
) -> None:
    """Asks of each input that no column has a name like, and names the columns that it may be by their type."""
    lines = draft.content["features"] | {name: choices[0] for name, (_, choices) in draft.asked.items()}
    read = {line.get("from", name) for name, line in lines.items()}
    for name in (each for each, note in draft.notes.items() if note == _NO_COLUMN):
        dtype, size = inputs[name]
        candidates = [each for each in fitting(dtype, size, columns) if each not in read]
        more = ", ..." if len(candidates) > _MOST_NAMED else ""
        column = f", or is it `from:` one of {', '.join(candidates[:_MOST_NAMED])}{more}" if candidates else ""
        said = f"no one column has a name like it, so every example has {_FILLS[dtype]!r}"
        draft.confirm[name] = f"{said}: is that what says nothing{column}?"


def _add_misfit(
    draft: TeacherDraft,
    name: str,
    content: dict[str, Any],
    reads: dict[str, Any],
    found: Match,
    column: SampledColumn,
) -> None:
    """A list of another length is padded and cut; another type is filled, and the way past it named."""
    dtype = content["dtype"]
    if (column.type == "BYTES") == (dtype == "string") and not (column.type == "FLOAT" and dtype == "int"):
        draft.content["features"][name] = reads | {"pad": _FILLS[dtype]}
        draft.notes[name] = f"guess: {found.misfit}: `pad` fills what is missing, and cuts what is too long"
        draft.confirm[name] = f"padded with {_FILLS[dtype]!r}: {found.misfit}"
        return
    draft.content["features"][name] = content | {"default": _FILLS[dtype]}
    draft.notes[name] = f"guess: {found.misfit}, so it is filled; `vocabulary:` names a file that maps one to the other"
    draft.confirm[name] = f"filled with {_FILLS[dtype]!r}: {found.misfit}"

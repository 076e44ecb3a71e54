"""Asks a teacher what it says of some of the target's examples, to see what kind of numbers its outputs are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from crosskd.draft.sample import ExampleSample
from crosskd.draft.teacher import TeacherDraft
from records.saved_model import find_saved_model

_ROWS = 256
_DTYPES: dict[str, Any] = {"float": np.float64, "int": np.int64, "string": object}


def try_outputs(draft: TeacherDraft, path: Path, sample: ExampleSample) -> dict[str, NDArray[np.float64]]:
    """The teacher's answers by output, to examples whose inputs are read or filled as drafted.

    None are returned where the teacher takes whole examples, or refuses what it is given (ids
    that it does not know, say): what its outputs are is then left to the user.
    """
    if draft.content["takes"] != "tensors":
        return {}
    signature = tf.saved_model.load(find_saved_model(str(path))).signatures[draft.content["signature"]]
    inputs = signature.structured_input_signature[1]
    chosen = draft.content["features"] | {name: lines[0] for name, (_, lines) in draft.asked.items()}
    try:
        given = {name: _tensor(name, chosen[name], spec, sample) for name, spec in inputs.items()}
        answers = signature(**given)
    except (tf.errors.OpError, ValueError, TypeError, KeyError):
        return {}
    return {name: np.asarray(answer, np.float64).reshape(len(answer), -1)[:, 0] for name, answer in answers.items()}


def _tensor(name: str, content: dict[str, Any], spec: tf.TensorSpec, sample: ExampleSample) -> tf.Tensor:
    rows, size = min(_ROWS, sample.rows), content.get("size", 1)
    column = content.get("from", name)
    fill = content.get("default", content.get("pad", "" if content["dtype"] == "string" else 0))
    values = np.full((rows, size), fill, _DTYPES[content["dtype"]])
    known = sample.columns.get(column)
    if known is not None and (known.type == "BYTES") == (content["dtype"] == "string"):
        for row, found in enumerate(sample.batch.column(column).slice(0, rows).to_pylist()):
            values[row, : len(found or ())] = (found or ())[:size]
    shape = [rows] if spec.shape.rank == 1 else [rows, size]
    return tf.constant(values.reshape(shape).tolist(), spec.dtype)

"""Several teachers as one, so that one pass over the examples labels with all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tfx.dsl.io import fileio

from records.saved_model import find_saved_model
from schema.errors import InputError

SIGNATURE = "serving_default"
_SEPARATOR = "__"


def join_teachers(teachers: Mapping[str, str], out: str, signature: str = SIGNATURE) -> dict[str, list[str]]:
    """Writes a SavedModel that calls all of `teachers` on the same batch.

    Its signature `serving_default` has the inputs and outputs of each teacher under
    ``<teacher>__<name>``, so that each has a feature adaptation of its own, and none reads
    what another one means by the same name.  A teacher that takes serialized examples cannot
    be joined: the others' features would have to be told apart within one example.

    Args:
      teachers: Folder of each SavedModel (or of a TFX Model artifact), by the teacher's name.
      out: Where the joined SavedModel goes; must not exist.
      signature: The signature of each teacher to call.

    Returns:
      The joined signature's `inputs` and `outputs`, sorted.

    Raises:
      InputError: There are fewer than two, `out` exists, a teacher lacks the signature, or
        takes serialized examples.
    """
    if len(teachers) < 2:
        raise InputError(f"expected two teachers or more to join, found {len(teachers)}")
    if fileio.exists(out):
        raise InputError(f"{out}: already exists; choose another path, or remove it to join again")
    loaded = {name: tf.saved_model.load(find_saved_model(folder)) for name, folder in teachers.items()}
    called = {name: _signature(model, signature, teachers[name]) for name, model in loaded.items()}
    specs = {
        _joined(teacher, name): tf.TensorSpec(spec.shape, spec.dtype, name=_joined(teacher, name))
        for teacher, function in called.items()
        for name, spec in function.structured_input_signature[1].items()
    }
    module = tf.Module()
    module.teachers = loaded

    def score(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs: dict[str, tf.Tensor] = {}
        for teacher, function in called.items():
            inputs = {name: tensors[_joined(teacher, name)] for name in function.structured_input_signature[1]}
            outputs |= {_joined(teacher, name): value for name, value in function(**inputs).items()}
        return outputs

    joined = tf.function(score, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(module, out, signatures={SIGNATURE: joined})
    return {"inputs": sorted(specs), "outputs": sorted(joined.structured_outputs)}


def _joined(teacher: str, name: str) -> str:
    return f"{teacher}{_SEPARATOR}{name}"


def _signature(model: Any, signature: str, folder: str) -> Any:
    if signature not in model.signatures:
        found = ", ".join(sorted(model.signatures)) or "none"
        raise InputError(f"{folder}: expected a signature {signature!r}, found {found}")
    function = model.signatures[signature]
    specs = list(function.structured_input_signature[1].values())
    if len(specs) == 1 and specs[0].dtype == tf.string and specs[0].shape.rank == 1:
        raise InputError(
            f"{folder}: signature {signature!r} takes serialized examples; expected one named tensor for each feature"
        )
    return function

"""The teacher's signature, read from ``saved_model.pb`` without loading the model, and checked.

Everything that can be known to be wrong before the first record is read is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from records.saved_model import find_saved_model, read_signatures
from schema.checks import Problems, nearest, nearest_and_end
from schema.errors import InputError
from schema.teacher import Teacher
from schema.teacher_feature import TeacherFeature

_DTYPES = {
    "float": (tf.float32, tf.float64, tf.float16, tf.bfloat16),
    "int": (tf.int64, tf.int32, tf.int16, tf.int8, tf.uint8, tf.bool),
    "string": (tf.string,),
}
_OUTPUT_DTYPES = _DTYPES["float"]


@dataclass(frozen=True)
class TensorInput:
    """One named tensor of a signature.

    Attributes:
      dtype: Name of its TensorFlow type.
      rank: 1 for shape [batch], 2 for [batch, size].
    """

    dtype: str
    rank: int


@dataclass(frozen=True)
class TeacherSignature:
    """A signature that fits the surface's teacher section.

    Attributes:
      model_dir: Folder that holds saved_model.pb.
      name: Name of the signature.
      inputs: With `takes: tensors`, one for each feature, by name; with `takes: examples`
        the single string input.
      outputs: Key of the signature's output, by teacher task and by representation.
    """

    model_dir: str
    name: str
    inputs: Mapping[str, TensorInput]
    outputs: Mapping[str, str]


def read_signature(uri: str, teacher: Teacher) -> TeacherSignature:
    """Reads the signature that `teacher` names and checks that it is as declared.

    Args:
      uri: A SavedModel, or a TFX Model artifact with one under ``Format-Serving``.
      teacher: The surface's teacher section.

    Raises:
      InputError: No SavedModel there, no such signature, an input that is not declared or
        is of another type or size, a declared feature that is no input, or no output for a task;
        all that does not fit is said at once.
    """
    model_dir = find_saved_model(uri, "a TensorFlow SavedModel as the teacher")
    signatures = read_signatures(model_dir)
    if teacher.signature not in signatures:
        raise InputError(
            f"{model_dir}: teacher.signature: expected a signature {teacher.signature!r}, "
            f"found {_listed(signatures)}{nearest(teacher.signature, signatures)}"
        )
    where = f"{model_dir}: signature {teacher.signature!r}"
    definition = signatures[teacher.signature]
    problems = Problems()
    inputs = dict[str, TensorInput]()
    with problems.noted():
        inputs = _check_inputs(where, definition.inputs, teacher, problems)
    outputs = _check_outputs(where, definition.outputs, teacher, problems)
    problems.raise_any()
    return TeacherSignature(model_dir, teacher.signature, inputs, outputs)


def _check_outputs(
    where: str, outputs: Mapping[str, meta_graph_pb2.TensorInfo], teacher: Teacher, problems: Problems
) -> dict[str, str]:
    keys = {}
    for task, declared in teacher.tasks.items():
        key = keys[task] = declared.output or task
        with problems.noted():
            if key not in outputs:
                raise InputError(
                    f"{where}: teacher.tasks.{task}: expected an output {key!r}, found {_listed(outputs)}"
                    f"{nearest_and_end(key, outputs)} Give `output:` (the signature's name for it)."
                )
            named = f"{where}: teacher.tasks.{task}: output {key!r}"
            if declared.classes is None:
                _check_output(named, outputs[key])
            else:
                _check_vector(named, outputs[key], declared.size)
    for name, representation in teacher.representations.items():
        key = keys[name] = representation.output or name
        with problems.noted():
            if key not in outputs:
                raise InputError(
                    f"{where}: teacher.representations.{name}: expected an output {key!r}, found {_listed(outputs)}"
                    f"{nearest_and_end(key, outputs)} Give `output:` (the signature's name for it), or another "
                    "`signature:`."
                )
            _check_vector(f"{where}: teacher.representations.{name}: output {key!r}", outputs[key], representation.size)
    return keys


def _check_vector(where: str, info: meta_graph_pb2.TensorInfo, size: int) -> None:
    dtype, shape = tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)
    if dtype not in _OUTPUT_DTYPES or not shape.is_compatible_with([None, size]):
        raise InputError(f"{where}: expected real numbers of shape [batch, {size}], found {dtype.name} {shape}")


def _check_output(where: str, info: meta_graph_pb2.TensorInfo) -> None:
    dtype, shape = tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)
    if dtype not in _OUTPUT_DTYPES:
        raise InputError(f"{where}: expected real numbers (logits), found type {dtype.name}")
    if shape.rank is not None and not (shape.rank == 1 or (shape.rank == 2 and shape[1] in (1, None))):
        raise InputError(f"{where}: expected one number per example, shape [batch] or [batch, 1], found {shape}")


def _check_inputs(
    where: str, inputs: Mapping[str, meta_graph_pb2.TensorInfo], teacher: Teacher, problems: Problems
) -> dict[str, TensorInput]:
    if teacher.takes == "examples":
        return _check_examples_input(where, inputs)
    found = {}
    for name in sorted(set(teacher.features) - set(inputs)):
        problems.found.append(
            f"{where}: teacher.features.{name}: expected an input of the signature, found {_listed(inputs)}"
            f"{nearest_and_end(name, inputs)} Remove the feature, or set `takes: examples` if the signature takes "
            "serialized examples."
        )
    for name in sorted(set(inputs) - set(teacher.features)):
        problems.found.append(
            f"{where}: its input {name!r} is not declared in teacher.features"
            f"{nearest_and_end(name, teacher.features)} Declare it with `from:` (the target's feature) or `default:`."
        )
    for name in sorted(set(inputs) & set(teacher.features)):
        with problems.noted():
            found[name] = _check_input(where, name, inputs[name], teacher.features[name])
    return found


def _check_examples_input(where: str, inputs: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, TensorInput]:
    strings = [name for name, info in inputs.items() if tf.as_dtype(info.dtype) == tf.string]
    if len(inputs) != 1 or len(strings) != 1:
        raise InputError(
            f"{where}: teacher.takes: `examples` needs a signature with one input, a string tensor of serialized "
            f"tf.Examples, found {_listed(inputs)}. Set `takes: tensors`, or name another signature."
        )
    shape = tf.TensorShape(inputs[strings[0]].tensor_shape)
    if shape.rank not in (None, 1) or (shape.rank == 1 and shape[0] is not None):
        raise InputError(f"{where}: input {strings[0]!r}: expected serialized examples of shape [batch], found {shape}")
    return {strings[0]: TensorInput(tf.string.name, 1)}


def _check_input(where: str, name: str, info: meta_graph_pb2.TensorInfo, declared: TeacherFeature) -> TensorInput:
    dtype, shape = tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)
    if dtype not in _DTYPES[declared.dtype]:
        raise InputError(
            f"{where}: teacher.features.{name}.dtype: declared {declared.dtype}, the signature takes {dtype.name}"
        )
    if shape.rank is None:
        return TensorInput(dtype.name, 2)
    if shape.rank not in (1, 2) or (shape.rank == 1 and declared.size != 1):
        raise InputError(_wrong_size(where, name, declared, shape))
    if shape.rank == 2 and shape[1] not in (declared.size, None):
        raise InputError(_wrong_size(where, name, declared, shape))
    if shape[0] is not None:
        raise InputError(
            f"{where}: input {name!r}: expected a free batch size (shape [None, ...]), found {shape}; export the "
            "teacher with a signature whose first dimension is None"
        )
    return TensorInput(dtype.name, shape.rank)


def _wrong_size(where: str, name: str, declared: TeacherFeature, shape: tf.TensorShape) -> str:
    return f"{where}: teacher.features.{name}.size: declared {declared.size}, the signature takes shape {shape}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"

"""Code of the user's own, by the import paths of ``surface.yaml``: loaded, called, and what it returns looked at."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from schema.distillation import Head
from schema.errors import InputError
from schema.surface import Surface

Columns = Mapping[str, Any]


def load(path: str, where: str) -> Callable[..., Any]:
    """What an import path names.

    Args:
      path: `package.module:function`.
      where: The key of ``surface.yaml`` under which it stands.

    Raises:
      InputError: There is no such module, it fails to import, or it has no such function.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{where}: {path}: no module {error.name!r} is to be found; install the package that has it, or put its "
            "folder into PYTHONPATH, here and wherever the pipeline runs"
        ) from error
    except Exception as error:
        raise InputError(f"{where}: {path}: importing {module} failed: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise InputError(f"{where}: {path}: {module} has no function {name!r}")
    return found


def call(path: str, where: str, *arguments: Any) -> Any:
    """What the function returns.

    Raises:
      InputError: It raised an error; the message names the function's file and line.
    """
    function = load(path, where)
    try:
        return function(*arguments)
    except Exception as error:
        raise InputError(f"{_at(path, where, function)} raised {type(error).__name__}: {error}") from error


def refused(path: str, where: str, problem: str) -> InputError:
    """The error of a function that returned what it should not."""
    return InputError(f"{_at(path, where, load(path, where))}: {problem}")


def _at(path: str, where: str, function: Callable[..., Any]) -> str:
    try:
        place = f"{inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        place = "no source"
    return f"{where}: {path} ({place})"


def modules(surface: Surface) -> dict[str, list[str]]:
    """The modules of the user's own code, by what runs them: `preprocessing` or `training`."""
    training = [surface.trunk, surface.student.build if surface.student else None]
    training += [each.function for each in surface.distillations().values()]
    found = {"preprocessing": [surface.preprocessing], "training": training}
    return {key: sorted({path.partition(":")[0] for path in paths if path}) for key, paths in found.items()}


def prepared(surface: Surface, columns: Columns) -> dict[str, Any]:
    """Raw columns with those that `preprocessing:` makes of what a server has.

    Raises:
      InputError: It fails, or returns no columns, or leaves out one that a feature reads.
    """
    path = surface.preprocessing
    if path is None:
        return dict(columns)
    served = {name: columns[name] for name in surface.served_columns}
    made = call(path, "preprocessing", served)
    if not isinstance(made, Mapping) or not all(_is_column(each) for each in made.values()):
        raise refused(path, "preprocessing", f"expected a dict of columns by name, found {_shown(made)}")
    found = {**columns, **{name: _sparse(column) for name, column in made.items()}}
    absent = sorted(set(surface.features) - set(found))
    if absent:
        raise refused(
            path, "preprocessing", f"it makes no column {absent[0]!r}, which is a feature, and nor has the schema"
        )
    return found


def trunk(surface: Surface, vectors: Mapping[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
    """What `trunk:` makes for each task, float [batch, width]; the same weights at each call.

    Raises:
      InputError: It fails, or returns something else.
    """
    path = str(surface.trunk)
    _seed(surface)
    found = call(path, "trunk", dict(vectors), list(surface.tasks))
    _expect_tensors(path, "trunk", found, list(surface.tasks), rank=2)
    return dict(found)


def student(
    surface: Surface, rows: Mapping[str, int], inputs: Mapping[str, keras.KerasTensor]
) -> tuple[dict[str, keras.KerasTensor], dict[str, keras.KerasTensor]]:
    """The outputs of `student:` by task, float [batch, 1] or [batch, classes], and those by the names of heads.

    Raises:
      InputError: It fails, or is no model, or lacks an output or a layer that is named.
    """
    declared = surface.student
    if declared is None:
        raise ValueError("the surface has no `student:`")
    path = declared.build
    without = [name for name, each in surface.distillations().items() if each.head is not Head.SHARED]
    without = [name for name in without if name not in declared.heads]
    if without:
        raise InputError(
            f"student.heads: expected the place of the distillation head of {without[0]!r}: the name of an output of "
            f"{path}, or of one of its layers"
        )
    _seed(surface)
    model = call(path, "student", dict(rows))
    if not isinstance(model, keras.Model):
        raise refused(path, "student", f"expected a Keras model, found {_shown(model)}")
    outputs = _outputs(path, model, inputs, list(declared.heads.values()))
    _expect_tensors(path, "student", outputs, [*surface.tasks, *declared.heads.values()])
    tasks = {
        name: keras.layers.Reshape((task.size,), name=f"own_{name}")(outputs[name])
        for name, task in surface.tasks.items()
    }
    return tasks, {name: outputs[place] for name, place in declared.heads.items()}


def _outputs(
    path: str, model: keras.Model, inputs: Mapping[str, keras.KerasTensor], places: Sequence[str]
) -> dict[str, keras.KerasTensor]:
    """Outputs and the layers named by `places`, of a functional model; or what a subclass says of the columns."""
    functional = isinstance(model, keras.src.models.functional.Functional)
    if not functional:
        return _called(path, model, dict(inputs))
    wanted = {name: model.output[name] for name in model.output} if isinstance(model.output, dict) else None
    if wanted is None or not isinstance(model.input, dict):
        raise refused(path, "student", "expected a functional model of a dict of columns, with a dict of outputs")
    layers = {layer.name: layer for layer in model.layers}
    for place in places:
        if place not in wanted and place in layers:
            wanted[place] = layers[place].output
    unknown = sorted(set(model.input) - set(inputs))
    if unknown:
        raise refused(path, "student", f"it reads {unknown[0]!r}, and the columns are {', '.join(inputs)}")
    return _called(path, keras.Model(model.input, wanted), {name: inputs[name] for name in model.input})


def _called(path: str, model: keras.Model, columns: dict[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
    try:
        return model(columns)
    except Exception as error:
        raise refused(path, "student", f"calling the model raised {type(error).__name__}: {error}") from error


def _seed(surface: Surface) -> None:
    """Layers without a seed of their own draw from Keras's: thus student and control start alike."""
    keras.utils.set_random_seed(surface.training.seed)


def _expect_tensors(path: str, where: str, found: Any, names: Sequence[str], rank: int | None = None) -> None:
    if not isinstance(found, Mapping):
        raise refused(path, where, f"expected a dict of tensors by name, found {_shown(found)}")
    absent = [name for name in names if name not in found]
    if absent:
        raise refused(path, where, f"expected {absent[0]!r} in what it returns, found {', '.join(map(str, found))}")
    for name in names:
        shape = getattr(found[name], "shape", None)
        if shape is None or (rank is not None and len(shape) != rank):
            raise refused(path, where, f"expected {name!r} as [batch, width], found {_shown(found[name])}")


def _is_column(value: Any) -> bool:
    return isinstance(value, tf.Tensor | tf.SparseTensor | tf.RaggedTensor)


def _sparse(column: Any) -> Any:
    return column.to_sparse() if isinstance(column, tf.RaggedTensor) else column


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ + ("" if shape is None else f" of shape {tuple(shape)}")

"""Requests as ready tensors, which a server may send instead of serialized tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from records.sessions import SessionModel
from schema.base import Scalar


def answered_as_tensors(
    model: SessionModel, requests: Sequence[bytes], defaults: Mapping[str, Scalar], otherwise: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What the model answers the same requests as tensors; float [requests] by output.

    Args:
      model: Its signature takes a tensor for each feature.
      requests: Serialized tf.Examples.
      defaults: What stands for an absent feature.
      otherwise: The answers of requests that no tensor can express: a feature has more
        values in them than the tensor has room for.
    """
    tensors, fit = _tensors(requests, model.specs, defaults)
    answers = dict(zip(model.outputs, model.call(*(tensors[name][fit] for name in model.inputs)), strict=True))
    return {name: _placed(values, fit, otherwise[name]) for name, values in answers.items()}


def _placed(values: np.ndarray, where: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Values among others; what is not one value for each stays as it is, and differs by its shape."""
    if where.all() or np.shape(values) != (where.sum(),) or np.shape(others) != where.shape:
        return values
    placed = np.array(others)
    placed[where] = values
    return placed


def _tensors(
    requests: Sequence[bytes], specs: Mapping[str, tf.TensorSpec], defaults: Mapping[str, Scalar]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The tensors by feature, and which requests they express, bool [requests]."""
    parsed = tf.io.parse_example(
        list(requests), {name: tf.io.VarLenFeature(each.dtype) for name, each in specs.items()}
    )
    tensors, fit = {}, np.ones(len(requests), bool)
    for name, spec in specs.items():
        width = spec.shape[1] if spec.shape.rank == 2 else 1
        rows, places = parsed[name].indices.numpy().T
        fit[rows[places >= width]] = False
        kind = spec.dtype.as_numpy_dtype
        default = defaults.get(name, 0)
        values = np.full((len(requests), width), str(default).encode() if kind is object else default, kind)
        room = places < width
        values[rows[room], places[room]] = parsed[name].values.numpy()[room]
        tensors[name] = values if spec.shape.rank == 2 else values[:, 0]
    return tensors, fit

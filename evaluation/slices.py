"""The slices of a surface in TFMA's terms."""

from __future__ import annotations

import numpy as np
from tensorflow_model_analysis.proto import config_pb2

from schema.base import Scalar
from schema.errors import InputError
from schema.slice import Slice


def slicing_spec(name: str, part: Slice) -> config_pb2.SlicingSpec:
    """What TFMA needs to know to find the slice.

    Args:
      name: The slice's name, for messages.
      part: The slice.

    Returns:
      Values as feature_values, features without a value (one slice per value) as
      feature_keys, and so are columns that follow from one of the examples' by the names that
      `SliceColumn` gives them.

    Raises:
      InputError: TFMA cannot tell the value from another one.
    """
    valued = [feature for feature, value in part.features.items() if value is None]
    return config_pb2.SlicingSpec(
        feature_keys=sorted([*valued, *(each.name for each in part.derived)]),
        feature_values={
            feature: _as_text(name, feature, value) for feature, value in part.features.items() if value is not None
        },
    )


def _as_text(name: str, feature: str, value: Scalar) -> str:
    """TFMA holds values as text, and reads text that looks like a number as a number."""
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(np.float32(value)))  # a tf.Example holds 32-bit floats
    if _read_as_number(value) not in (None, value):
        raise InputError(
            f"slices.{name}.features.{feature}: TFMA reads {value!r} as the number {_read_as_number(value)} "
            "and would find no example. Write the examples' values without padding, or slice by another feature."
        )
    return value


def _read_as_number(value: str) -> str | None:
    """The text after TFMA's conversion to a number and back; None if it is no number."""
    try:
        return str(float(value) if "." in value else int(value))
    except ValueError:
        return None

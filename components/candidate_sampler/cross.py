"""`cross` features of pairs: made as declared, after a look at whether the examples agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from components.candidate_sampler.records import encode, present, values
from schema.base import Scalar
from schema.errors import InputError
from schema.pairs import PairPlan

# Products of float32 columns, added up in another order or precision than the data's own.
_TOLERANCE = 1e-4

_ARROW_TYPES = {schema_pb2.FLOAT: pa.float32(), schema_pb2.INT: pa.int64(), schema_pb2.BYTES: pa.binary()}


def operands(plan: PairPlan) -> set[str]:
    """All columns that scalar products are made of."""
    return {name for cross in plan.cross.values() for name in cross.dot or ()}


def verify(batch: pa.RecordBatch, plan: PairPlan, where: str) -> None:
    """Makes each scalar product for examples that have it, and compares.

    Raises:
      InputError: What the examples say is another thing than what the surface declares.
    """
    for name, cross in plan.cross.items():
        if cross.dot is None or not batch.num_rows:
            continue
        rows = batch.filter(pa.array(present(batch, name)))
        if not rows.num_rows:
            continue
        found = values(rows, name)
        made = scalar_product(values(rows, cross.dot[0]), values(rows, cross.dot[1]), cross.scale)
        off = np.abs(found - made)
        if (off > _TOLERANCE * np.maximum(1, np.abs(found))).any():
            worst = int(off.argmax())
            raise InputError(
                f"{where}: unlabelled.cross.{name}: expected {cross.scale:g} times the scalar product of "
                f"{cross.dot[0]!r} and {cross.dot[1]!r}, as the surface says; an example has {found[worst]:g}, and the "
                f"product is {made[worst]:g}. Mend `dot:` or `scale:`, or leave the feature out of `cross:`."
            )


def scalar_product(left: NDArray[Any], right: NDArray[Any], scale: float) -> NDArray[np.float32]:
    """scale * left . right of each row, float32 [rows]; both arguments are [rows, size] or [rows]."""
    rows = len(left)
    products = left.astype(np.float64).reshape(rows, -1) * right.astype(np.float64).reshape(rows, -1)
    return (scale * products.sum(axis=1)).astype(np.float32)


def make(plan: PairPlan, sides: Mapping[str, NDArray[Any]], count: int, schema: schema_pb2.Schema) -> list[bytes]:
    """The declared `cross` features of pairs, one serialized tf.Example a pair.

    Args:
      plan: What is declared.
      sides: Both sides of the products, [pairs, size] by column.
      count: Number of pairs.
      schema: Gives the types of constants.
    """
    if not plan.cross:
        return [b""] * count
    types = {feature.name: _ARROW_TYPES[feature.type] for feature in schema.feature}
    columns = {}
    for name, cross in plan.cross.items():
        if cross.dot is None:
            columns[name] = _constant(cross.value, types[name], count)
        else:
            left, right = cross.dot
            columns[name] = _one_a_row(pa.array(scalar_product(sides[left], sides[right], cross.scale)))
    return encode(pa.RecordBatch.from_pydict(columns), list(columns))


def _constant(value: Scalar | None, kind: pa.DataType, count: int) -> pa.Array:
    typed = str(value).encode() if kind == pa.binary() else value
    return _one_a_row(pa.array([typed] * count, type=kind))


def _one_a_row(column: pa.Array) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(np.arange(len(column) + 1)), column)

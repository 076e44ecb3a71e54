"""A teacher as a catalogue: the ids that it offers its embeddings of, where an id is all that a side consists of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from records.record_files import write_records
from records.saved_model import find_saved_model
from schema.candidates import EMBEDDINGS_SIGNATURE, ids_output
from schema.errors import InputError
from schema.loader import SurfaceFolder
from schema.pairs import catalogue_columns, pair_plan

_KINDS = {"i": schema_pb2.INT, "O": schema_pb2.BYTES}


def write_known_ids(loaded: SurfaceFolder, which: str, teacher: Path, into: Path) -> int:
    """Writes a catalogue of the ids that a teacher knows.

    Args:
      loaded: The surface, with an `unlabelled:` section.
      which: `people` or `items`.
      teacher: The folder of its SavedModel.
      into: Folder for one file of gzipped TFRecords.

    Returns:
      How many there are.

    Raises:
      InputError: The side has more columns than one, or the teacher does not offer ids that
        are the target's own.
    """
    where = f"--{which} {teacher}"
    column, name = _names(loaded, which, where)
    ids = _offered(str(teacher), name, where)
    expected = next(each.type for each in loaded.schema.feature if each.name == column)
    if _KINDS.get(ids.dtype.kind) != expected:
        raise InputError(
            f"{where}: expected ids that are {schema_pb2.FeatureType.Name(expected)} as {column!r} is in the schema, "
            f"found {ids.dtype}; write a catalogue of your own"
        )
    into.mkdir(parents=True, exist_ok=True)
    # Their order is none of an id's business, and the fingerprint of the same ids is the same.
    write_records(str(into / "known-ids.gz"), [_record(column, each) for each in np.unique(ids).tolist()], level=1)
    return len(np.unique(ids))


def _names(loaded: SurfaceFolder, which: str, where: str) -> tuple[str, str]:
    """The one column of the side, and the teacher's name for it."""
    columns = catalogue_columns(pair_plan(loaded.surface), which)
    if len(columns) != 1:
        raise InputError(
            f"{where}: a teacher knows ids, and expected is a side of nothing else; found {', '.join(columns)}. Give a "
            "catalogue with these columns"
        )
    inputs = {each.source or name: name for name, each in loaded.surface.teacher_features.items()}
    name = inputs.get(columns[0])
    if name is None or loaded.surface.teacher_features[name].vocabulary is not None:
        raise InputError(f"{where}: expected a teacher that reads {columns[0]!r} as it is, by `teacher.features`")
    return columns[0], name


def _offered(teacher: str, name: str, where: str) -> NDArray[Any]:
    model = tf.saved_model.load(find_saved_model(teacher, "the teacher's SavedModel"))
    signature = model.signatures.get(EMBEDDINGS_SIGNATURE)
    found = {} if signature is None or signature.structured_input_signature[1] else signature()
    key = ids_output(name)
    if key not in found:
        raise InputError(
            f"{where}: expected {key!r} in a signature {EMBEDDINGS_SIGNATURE!r} without inputs, found "
            f"{', '.join(sorted(found)) or 'none'}; give a catalogue"
        )
    return np.asarray(found[key].numpy())


def _record(column: str, value: int | bytes) -> bytes:
    feature = tf.train.Feature()
    if isinstance(value, bytes):
        feature.bytes_list.value.append(value)
    else:
        feature.int64_list.value.append(value)
    return tf.train.Example(features=tf.train.Features(feature={column: feature})).SerializeToString()

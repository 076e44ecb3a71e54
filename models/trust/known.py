"""Which ids the teacher knows: those that it offers embeddings of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.vocabulary import matched
from records.saved_model import FORMAT_SERVING, find_saved_model
from schema.candidates import EMBEDDINGS_SIGNATURE, ids_output
from schema.errors import InputError
from schema.surface import Surface


def known_rows(
    surface: Surface, teacher: str, vocabularies: Mapping[str, Sequence[bytes]], sizes: Mapping[str, int]
) -> dict[str, NDArray[np.bool_]]:
    """Which indices of each feature that `trust.known` names are of ids that the teacher knows, bool [indices].

    Args:
      surface: The surface.
      teacher: Folder of the teacher's SavedModel, or its ``Format-Serving`` folder.
      vocabularies: The known values of each feature, in the order of their indices.
      sizes: How many indices each feature has; those past its values are of unknown ids.

    Raises:
      InputError: There is no such model, or it does not offer these ids.
    """
    folder = find_saved_model(teacher.removesuffix(f"/{FORMAT_SERVING}"), "the teacher's SavedModel")
    model = tf.saved_model.load(folder)
    signature = model.signatures.get(EMBEDDINGS_SIGNATURE)
    offered = {} if signature is None or signature.structured_input_signature[1] else signature()
    names = {each.source or name: name for name, each in surface.teacher_features.items() if each.reads}
    found = {}
    for feature in surface.trust.known:
        key = ids_output(names[feature])
        if key not in offered:
            raise InputError(
                f"{folder}: trust.known: expected {key!r} in a signature {EMBEDDINGS_SIGNATURE!r} without inputs, "
                f"found {', '.join(sorted(offered)) or 'none'}. Export the teacher with it, or leave {feature!r} out."
            )
        owner = surface.owner(feature)
        found[feature] = np.zeros(sizes[owner], bool)
        found[feature][matched(vocabularies[owner], _texts(offered[key].numpy()))[0]] = True
    return found


def _texts(ids: NDArray[Any]) -> list[bytes]:
    return [each if isinstance(each, bytes) else str(each).encode() for each in ids.tolist()]

"""Embeddings that start from vectors in a file, in student and control alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.layers import embedding_layer
from models.ranker import Ranker
from schema.surface import Surface


def apply(ranker: Ranker, surface: Surface, vocabularies: Mapping[str, Sequence[bytes]]) -> None:
    """Sets the rows of values that a file has a vector of, in place; the others stay as they are.

    Args:
      ranker: A newly built ranker.
      surface: Its surface.
      vocabularies: The known values by feature, in the order of their rows.
    """
    for name, feature in surface.features.items():
        if feature.pretrained is not None:
            layer = ranker.training.get_layer(embedding_layer(name))
            table = np.asarray(layer.get_weights()[0]).copy()
            vectors = read(surface.files[feature.pretrained].path)
            for row, value in enumerate(vocabularies[name]):
                if value in vectors:
                    table[row] = vectors[value]
            layer.set_weights([table])


def read(path: str) -> dict[bytes, NDArray[np.float32]]:
    """The vectors of a file by their value, as text; `schema.inputs` checked their form."""
    found = {}
    with tf.io.gfile.GFile(path, "rb") as file:
        for line in file.read().splitlines():
            value, _, numbers = line.partition(b"\t")
            found[value] = np.array([float(each) for each in numbers.split()], np.float32)
    return found

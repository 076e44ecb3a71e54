"""Warm start: the teacher's id embeddings, made as narrow as the student's, as its first ones.

What the teacher learned of a user or an item from the rich domain is in its embedding of
the id.  Principal components keep as much of it as the student's width can hold; scaled to
the student's own initial values, they take the place of random ones, for the ids known to
both.  All other ids, and all other layers, start as they would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from models.layers import embedding_layer
from models.ranker import Ranker
from models.vocabulary import matched
from records.saved_model import FORMAT_SERVING, find_saved_model
from schema.candidates import EMBEDDINGS_SIGNATURE, WarmStart, ids_output, vectors_output
from schema.errors import InputError
from schema.surface import Surface


@dataclass(frozen=True)
class Embeddings:
    """A teacher's embeddings of one feature's ids.

    Attributes:
      ids: The ids as text, as Transform's vocabulary has them.
      vectors: Float [ids, width].
    """

    ids: list[bytes]
    vectors: NDArray[np.float32]

    def shuffled(self, rng: np.random.Generator) -> Embeddings:
        """The same vectors dealt out to other ids: a placebo."""
        return Embeddings(self.ids, self.vectors[rng.permutation(len(self.vectors))])


def read(surface: Surface, teacher: str) -> dict[str, Embeddings]:
    """The teacher's embeddings of the features that `surface.warm_start` names.

    Args:
      surface: The surface.
      teacher: Folder of the teacher's SavedModel, or its ``Format-Serving`` folder.

    Raises:
      InputError: There is no such model, or it does not offer them as declared.
    """
    model, folder = _load(teacher)
    return {name: _offered(name, each, model, folder) for name, each in surface.warm_start.items()}


def _load(teacher: str) -> tuple[tf.Module, str]:
    # TFX hands a Trainer the folder of a model that it made itself; a teacher may lie one above.
    folder = find_saved_model(teacher.removesuffix(f"/{FORMAT_SERVING}"), "the teacher's SavedModel")
    return tf.saved_model.load(folder), folder


def offered_ids(teacher: str) -> frozenset[str]:
    """The ids, by the teacher's names, whose embeddings it offers in the signature that a warm start reads by default.

    Args:
      teacher: Folder of the teacher's SavedModel, or its ``Format-Serving`` folder.

    Raises:
      InputError: There is no such model.
    """
    model, _ = _load(teacher)
    if EMBEDDINGS_SIGNATURE not in model.signatures:
        return frozenset()
    outputs = set(model.signatures[EMBEDDINGS_SIGNATURE].structured_outputs)
    names = {each.removesuffix(ids_output("")) for each in outputs if each.endswith(ids_output(""))}
    return frozenset(name for name in names if vectors_output(name) in outputs)


def apply(
    ranker: Ranker,
    surface: Surface,
    embeddings: Mapping[str, Embeddings],
    vocabularies: Mapping[str, Sequence[bytes]],
) -> None:
    """Sets the student's first embeddings in place.

    Args:
      ranker: A newly built student.
      surface: Its surface.
      embeddings: From `read`.
      vocabularies: The vocabularies by feature, the known ids in the order of their indices.
    """
    for name in surface.warm_start:
        layer = ranker.training.get_layer(embedding_layer(name))
        table = initial(np.asarray(layer.get_weights()[0]), vocabularies[name], embeddings[name])
        layer.set_weights([table])


def initial(table: NDArray[np.float32], vocabulary: Sequence[bytes], embeddings: Embeddings) -> NDArray[np.float32]:
    """The student's table with projected vectors in the rows of ids known to both.

    PCA is fitted to the vectors of those ids.  One factor scales all components, so that
    their standard deviation is that of `table`; where there are fewer components than
    columns, the columns left over stay as they are.

    Args:
      table: Newly initialised embeddings, float [indices, width].
      vocabulary: The id of each index from 0; indices past it are of unknown ids.
      embeddings: The teacher's.

    Returns:
      A new table.

    Raises:
      InputError: Fewer than two ids are known to both.
    """
    of_student, of_teacher = matched(vocabulary, embeddings.ids)
    if len(of_student) < 2:
        raise InputError(
            f"warm_start: expected ids known to both teacher and target, found {len(of_student)} of {len(vocabulary)} "
            f"in the target's vocabulary among the teacher's {len(embeddings.ids)}. Check that both number them alike, "
            "or leave `warm_start:` out."
        )
    vectors = embeddings.vectors[of_teacher].astype(np.float64)
    components = min(table.shape[1], *vectors.shape)
    projected = PCA(components, svd_solver="full").fit_transform(vectors)
    spread = projected.std()
    result = table.copy()
    if spread > 0:
        result[of_student, :components] = projected * (table.std() / spread)
    return result


def _offered(name: str, declared: WarmStart, model: tf.Module, folder: str) -> Embeddings:
    where = f"{folder}: warm_start.{name}"
    if declared.signature not in model.signatures:
        raise InputError(
            f"{where}: expected a signature {declared.signature!r} with the teacher's embeddings, found "
            f"{', '.join(sorted(model.signatures)) or 'none'}. Name another one, export the teacher with it, or leave "
            "`warm_start:` out."
        )
    found = model.signatures[declared.signature]()
    keys = declared.outputs(name)
    missing = [key for key in keys if key not in found]
    if missing:
        raise InputError(
            f"{where}: expected {' and '.join(missing)} in signature {declared.signature!r}, found "
            f"{', '.join(sorted(found))}"
        )
    ids, vectors = (found[key].numpy() for key in keys)
    if ids.ndim != 1 or vectors.ndim != 2 or len(ids) != len(vectors):
        shapes = f"{ids.shape} and {vectors.shape}"
        raise InputError(f"{where}: expected ids [count] and vectors [count, width], found shapes {shapes}")
    return Embeddings([each if isinstance(each, bytes) else str(each).encode() for each in ids.tolist()], vectors)

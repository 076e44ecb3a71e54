"""How the values of a categorical feature become rows of an embedding, in Transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_transform as tft

from models.names import identifier
from schema.features import Feature, LookupFile

# What parts the values of a cross; no value of sound data holds it.
_SEPARATOR = "\x1f"


def vocabulary_name(feature: str) -> str:
    """Name of the vocabulary file that Transform writes for a categorical feature."""
    return f"vocabulary_{identifier(feature)}"


def lookup(
    name: str, feature: Feature, file: LookupFile | None, columns: Sequence[tf.Tensor]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """What turns values [values] into rows, int64 [values].

    Args:
      name: The feature that has the vocabulary.
      feature: How it is looked up.
      file: Its file of values, if it has one.
      columns: The values of all columns that share the vocabulary, [values] each; a learned
        one is learned from all of them.
    """
    if feature.hash is not None:
        buckets = feature.hash
        return lambda values: hashed(values, buckets)
    if feature.identity is not None:
        rows = feature.identity
        return lambda values: _identity(values, rows, feature.oov)
    # TensorFlow shares tables by name within a process: that of another surface, whose keys are of
    # another type, must not have the same one.
    scope = f"index_of_{columns[0].dtype.name}"
    path = _learned(name, feature, columns, scope) if file is None else tf.constant(file.path)
    return lambda values: tft.apply_vocabulary(values, path, num_oov_buckets=feature.oov, name=scope)


def hashed(values: tf.Tensor, buckets: int) -> tf.Tensor:
    """A fingerprint of the values' text modulo `buckets`: the same in every run and on every platform."""
    return tf.strings.to_hash_bucket_fast(_as_text(values), buckets)


def crossed(columns: Sequence[tf.Tensor], buckets: int) -> tf.Tensor:
    """The hash of the values side by side, int64 [batch]; `columns` are [batch] each."""
    return hashed(tf.strings.join([_as_text(each) for each in columns], separator=_SEPARATOR), buckets)


def _learned(name: str, feature: Feature, columns: Sequence[tf.Tensor], scope: str) -> tf.Tensor:
    return tft.vocabulary(
        columns[0] if len(columns) == 1 else tf.concat(columns, axis=0),
        top_k=feature.top_k,
        frequency_threshold=feature.min_count if feature.min_count > 1 else None,
        vocab_filename=vocabulary_name(name),
        name=scope,
    )


def _identity(values: tf.Tensor, rows: int, oov: int) -> tf.Tensor:
    known = (values >= 0) & (values < rows)
    return tf.where(known, values, rows + hashed(values, oov))


def _as_text(values: tf.Tensor) -> tf.Tensor:
    return values if values.dtype == tf.string else tf.strings.as_string(values)

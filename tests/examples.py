"""Makes the tf.Examples that tests write."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

Value = bytes | int | float


def example(columns: Mapping[str, Value]) -> tf.train.Example:
    """One value a column; the column's type is that of its value."""
    features = tf.train.Features()
    for name, value in columns.items():
        if isinstance(value, bytes):
            features.feature[name].bytes_list.value.append(value)
        elif isinstance(value, int):
            features.feature[name].int64_list.value.append(value)
        else:
            features.feature[name].float_list.value.append(value)
    return tf.train.Example(features=features)

"""How a numeric feature is scaled, or put into buckets, in Transform.

Where there are pairs never shown, Transform reads them beside the labelled examples, for the
ids that they alone have.  They are drawn, not observed: means, deviations, bounds and quantiles
are of the labelled examples alone, which `labelled`, bool [batch], tells; None are all.
"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

from models.dense import chosen
from schema.features import Feature

# Ranks are told apart to a thousandth; the sketch of the quantiles may be off by as much.
_RANKS = 1000
_ERROR = 0.001


def scaled(values: tf.Tensor, feature: Feature, labelled: tf.Tensor | None = None) -> tf.Tensor:
    """Numbers as the feature's `scale` says, float32 [batch, size], of float64 [batch, size].

    Near 10^8 float32 tells every eighth number: only what is left of the mean may be cast.
    """
    if feature.scale == "none":
        return tf.cast(values, tf.float32)
    if feature.scale == "min_max":
        return _between_least_and_greatest(values, labelled)
    if feature.scale == "log1p":
        values = tf.sign(values) * tf.math.log1p(tf.abs(values))
    scores = tf.cast(z_scored(values, labelled), tf.float32)
    return _ranked(scores, labelled) if feature.scale == "quantile" else scores


def bucketed(values: tf.Tensor, buckets: int | tuple[float, ...], labelled: tf.Tensor | None = None) -> tf.Tensor:
    """The bucket of each number, int64 [batch], of float64 [batch]; a bound belongs to the bucket above it."""
    if isinstance(buckets, tuple):
        bounds = tf.constant(buckets, tf.float64)
        return tf.searchsorted(bounds, values, side="right", out_type=tf.int64)
    scores = tf.reshape(tf.cast(z_scored(values[:, tf.newaxis], labelled), tf.float32), [-1])
    bounds = tft.quantiles(_observed(scores, labelled), buckets, epsilon=min(_ERROR, 0.1 / buckets))
    return tf.searchsorted(tf.reshape(bounds, [-1]), scores, side="right", out_type=tf.int64)


def z_scored(values: tf.Tensor, labelled: tf.Tensor | None = None) -> tf.Tensor:
    """Each column less its mean, by its standard deviation if it has one; [batch, size], NaN left out of both."""
    if labelled is None:
        return tft.scale_to_z_score(values, elementwise=True)
    observed = _observed(values, labelled)
    centered = values - tft.mean(observed, reduce_instance_dims=False)
    deviation = tf.sqrt(tft.var(observed, reduce_instance_dims=False))
    return tf.where(deviation > 0, centered / deviation, centered)


def _observed(values: tf.Tensor, labelled: tf.Tensor | None) -> tf.Tensor:
    return values if labelled is None else chosen(values, labelled)


def _between_least_and_greatest(values: tf.Tensor, labelled: tf.Tensor | None) -> tf.Tensor:
    """0 for a constant; what lies outside of the training data is 0 or 1."""
    observed = _observed(values, labelled)
    least, most = (each(observed, reduce_instance_dims=False) for each in (tft.min, tft.max))
    return tf.cast(tf.clip_by_value(tf.math.divide_no_nan(values - least, most - least), 0.0, 1.0), tf.float32)


def _ranked(scores: tf.Tensor, labelled: tf.Tensor | None) -> tf.Tensor:
    """Ranks from 0 to 1, with straight lines between the quantiles."""
    columns = [
        tft.apply_buckets_with_interpolation(column, tft.quantiles(_observed(column, labelled), _RANKS, epsilon=_ERROR))
        for column in tf.unstack(scores, axis=1)
    ]
    return tf.stack(columns, axis=1)

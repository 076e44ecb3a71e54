"""Losses as pure functions: per example or per pair, masked, weighted, and reduced once."""

from models.losses.pointwise import (
    binary_cross_entropy,
    huber,
    merged_logits,
    smoothed_cross_entropy,
    softmax_cross_entropy,
    squared_distance,
    squared_error,
    tempered_class_divergence,
    tempered_cross_entropy,
    tempered_divergence,
)
from models.losses.ranking import listwise_softmax, pairwise_logistic
from models.losses.reduction import masked_mean, split_absent
from models.losses.weighting import by_uncertainty, scheduled

__all__ = [
    "binary_cross_entropy",
    "by_uncertainty",
    "huber",
    "listwise_softmax",
    "masked_mean",
    "merged_logits",
    "pairwise_logistic",
    "scheduled",
    "smoothed_cross_entropy",
    "softmax_cross_entropy",
    "split_absent",
    "squared_distance",
    "squared_error",
    "tempered_class_divergence",
    "tempered_cross_entropy",
    "tempered_divergence",
]

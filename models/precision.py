"""Mixed precision: large products are computed in bfloat16, all else, and what serves, in float32.

Keras's policy `mixed_bfloat16` (Micikevicius et al., ICLR 2018, with the type of Kalamkar et al.
2019, whose range is that of float32, so that losses need not be scaled).  It is given to the layers
of trunk, towers, experts and crosses.  Weights, embeddings, what heads say, losses and the
optimizer are float32 as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from schema.training import Training

FULL = "float32"


def policy_of(training: Training) -> str:
    """Keras's policy for the layers that compute large products."""
    return FULL if training.mixed_precision is None else f"mixed_{training.mixed_precision}"


@contextmanager
def in_full(model: keras.Model) -> Iterator[None]:
    """Within it, a model that is trained in mixed precision computes in float32, and so does what is traced of it."""
    mixed = [
        (each, each.dtype_policy) for each in model._flatten_layers() if each.dtype_policy.name.startswith("mixed_")
    ]
    for layer, _ in mixed:
        layer.dtype_policy = FULL
    try:
        yield
    finally:
        for layer, policy in mixed:
            layer.dtype_policy = policy

"""Where a training computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

from schema.errors import InputError
from schema.training import Training


def device_of(training: Training) -> AbstractContextManager[Any]:
    """Within it, TensorFlow makes variables and runs operations where the surface says.

    By itself it takes a GPU where there is one.

    Raises:
      InputError: A GPU is asked for, and there is none.
    """
    if training.device == "auto":
        return nullcontext()
    if training.device == "gpu" and not tf.config.get_visible_devices("GPU"):
        raise InputError(
            "training.device: gpu: expected a GPU that TensorFlow can use, found none. Look at what `nvidia-smi` says "
            "and whether CUDA's libraries are installed (requirements/cuda.txt), or leave `device: auto`, which takes "
            "a GPU where there is one"
        )
    return tf.device(f"/{training.device.upper()}:0")

"""The `run_fn` that TFX Trainer calls, for the student and for its control."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import PurePosixPath

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from models import inputs, training
from models.columns import hard_label_columns, soft_label_columns, training_columns
from models.export import export_student
from models.progress import LogEpochs
from models.ranker import Ranker, build
from models.scales import label_statistics, soft_statistics
from models.terms import head_losses
from schema.losses import HISTORY_FILE
from schema.surface import FeatureKind, Surface


class Arm(StrEnum):
    """What is trained: the student, or the same without distillation."""

    STUDENT = "student"
    CONTROL = "control"


def run_fn(fn_args: FnArgs) -> None:
    """Trains one arm on Transform's output and exports its serving heads.

    Args:
      fn_args: TFX's arguments; `custom_config` holds `surface` (JSON of a
        `schema.surface.Surface`) and `arm` (an `Arm`).
    """
    config = fn_args.custom_config or {}
    surface = Surface.model_validate_json(config["surface"])
    ranker, history = train(
        surface, Arm(config["arm"]), fn_args.transform_output, fn_args.train_files, fn_args.model_run_dir
    )
    export_student(ranker, surface, fn_args.transform_output, fn_args.serving_model_dir)
    _write_history(history, fn_args.model_run_dir)


def train(
    surface: Surface, arm: Arm, transform_dir: str, train_files: list[str], log_dir: str
) -> tuple[Ranker, dict[str, list[float]]]:
    """Trains one arm.

    Args:
      surface: The surface.
      arm: Student or control; everything else is equal between the two.
      transform_dir: Transform's output (the `transform_graph` artifact).
      train_files: File patterns of the transformed training split.
      log_dir: Where TensorBoard's event files go.

    Returns:
      The trained ranker, and the history of its losses per epoch.
    """
    # Before the data are set up, too: tf.data derives the order of shuffling from it.
    keras.utils.set_random_seed(surface.training.seed)
    transform = tft.TFTransformOutput(transform_dir)
    spec = transform.transformed_feature_spec()
    hard = list(hard_label_columns(surface).values())
    labels = inputs.transformed_columns(train_files, spec, hard)
    distil = arm is Arm.STUDENT
    soft = set(soft_label_columns(surface).values()) if distil else set()
    statistics = label_statistics(surface, labels) | soft_statistics(soft, transform)
    ranker = build(surface, _vocabulary_sizes(surface, transform), statistics, distil=distil)
    training_data, validation_data = inputs.transformed(
        train_files,
        {name: spec[name] for name in [*surface.features, *training_columns(surface, distil=distil)]},
        rows=len(labels[hard[0]]),
        batch_size=surface.training.batch_size,
        validation_fraction=surface.training.validation_fraction,
        seed=surface.training.seed,
    )
    history = training.fit(
        ranker,
        surface,
        head_losses(surface, statistics, distil=distil),
        training_data,
        validation_data,
        callbacks=[keras.callbacks.TensorBoard(log_dir, write_graph=False), LogEpochs()],
    )
    return ranker, history


def _vocabulary_sizes(surface: Surface, transform: tft.TFTransformOutput) -> dict[str, int]:
    return {
        name: transform.num_buckets_for_transformed_feature(name)
        for name, feature in surface.features.items()
        if feature.kind is FeatureKind.CATEGORICAL
    }


def _write_history(history: dict[str, list[float]], folder: str) -> None:
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(str(PurePosixPath(folder) / HISTORY_FILE), "w") as file:
        json.dump(history, file, indent=1)

"""What every worker of a training must be told, in one file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import tensorflow as tf

from schema.errors import InputError


class TrainerArguments(Protocol):
    """Those of `tfx.components.FnArgs` that are read here; see there."""

    custom_config: Any
    transform_output: str
    train_files: list[str]
    model_run_dir: str
    serving_model_dir: str
    base_model: Any
    eval_files: Any


@dataclass(frozen=True)
class Job:
    """One arm's training.

    Attributes:
      config: The Trainer's `custom_config`; see `models.trainer.run_fn`.
      transform_output: Transform's output.
      train_files: File patterns.
      model_run_dir: Where history, logs and backup go.
      serving_model_dir: Where the exported model goes.
      base_model: What is started from; None for nothing.
      eval_files: File patterns of the evaluation split.
    """

    config: dict[str, Any]
    transform_output: str
    train_files: list[str]
    model_run_dir: str
    serving_model_dir: str
    base_model: str | None = None
    eval_files: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, arguments: TrainerArguments) -> Job:
        """The job of TFX's arguments."""
        return cls(
            dict(arguments.custom_config or {}),
            arguments.transform_output,
            list(arguments.train_files),
            arguments.model_run_dir,
            arguments.serving_model_dir,
            arguments.base_model,
            list(arguments.eval_files or []),
        )

    def write(self, path: str) -> None:
        """Writes it as JSON."""
        with tf.io.gfile.GFile(path, "w") as file:
            json.dump(asdict(self), file, indent=1)


def read_job(path: str) -> Job:
    """Reads what `Job.write` wrote, or a user.

    Raises:
      InputError: There is no such file, or it says something else.
    """
    try:
        with tf.io.gfile.GFile(path) as file:
            return Job(**json.load(file))
    except (tf.errors.NotFoundError, ValueError, TypeError) as error:
        names = ", ".join(Job.__dataclass_fields__)
        raise InputError(f"{path}: expected the JSON of one training ({names}), found none: {error}") from error

"""What a training needs to go on after its last whole epoch, kept while it lasts.

Keras's `BackupAndRestore` keeps what `fit` needs; this loop also has the weights of the best
epoch, and a history.  Files are written by `tf.train.Checkpoint`; a document that names them
comes last, in one piece, so that whatever is stopped leaves the epoch before whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import tensorflow as tf

from schema.errors import InputError

_DOCUMENT = "training.json"
_LAST, _BEST = "last", "best"


@dataclass
class Progress:
    """How far a training is.

    Attributes:
      epochs: Whole epochs.
      best: The epoch whose weights are kept, from 1; 0 before there is one.
      losses: Its losses.
      history: Per epoch, by name.
    """

    epochs: int = 0
    best: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)


class Backup:
    """A folder with the last whole epoch of one training.

    Attributes:
      folder: Where it is.
    """

    def __init__(self, folder: str, training: str):
        """Reads and writes nothing yet.

        Args:
          folder: Where to; workers that restart anywhere must all see it.
          training: Says which training it is of; another one does not go on from it.
        """
        self.folder = folder
        self._training = training

    def find(self) -> Progress | None:
        """How far the training was when it was stopped; None if it was not.

        Raises:
          InputError: What is there is of another training.
        """
        if not tf.io.gfile.exists(self._document):
            return None
        with tf.io.gfile.GFile(self._document) as file:
            found = json.load(file)
        if found["training"] != self._training:
            raise InputError(
                f"{self.folder}: expected what this training left when it was stopped, found what another one did; "
                "remove the folder, or choose another one for what is trained"
            )
        return Progress(**found["progress"])

    def read_last(self, variables: Sequence[keras.Variable], progress: Progress) -> None:
        """Gives all variables what they had after the last whole epoch."""
        self._read(_LAST, progress.epochs, variables)

    def read_best(self, weights: Sequence[keras.Variable], progress: Progress) -> None:
        """Gives the weights what they had after the best epoch."""
        self._read(_BEST, progress.best, weights)

    def write(self, variables: Sequence[keras.Variable], weights: Sequence[keras.Variable], progress: Progress) -> None:
        """Keeps an epoch that has just ended in place of the one before.

        Args:
          variables: All that steps write.
          weights: What is kept of the best epoch.
          progress: How far the training is.
        """
        tf.io.gfile.makedirs(self.folder)
        self._write(_LAST, progress.epochs, variables)
        if progress.best == progress.epochs:
            self._write(_BEST, progress.best, weights)
        said = {"training": self._training, "progress": asdict(progress)}
        with tf.io.gfile.GFile(f"{self._document}.new", "w") as file:
            json.dump(said, file)
        tf.io.gfile.rename(f"{self._document}.new", self._document, overwrite=True)
        self._clean(progress)

    def remove(self) -> None:
        """Removes the folder: the training is over."""
        if tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)

    @property
    def _document(self) -> str:
        return f"{self.folder}/{_DOCUMENT}"

    def _write(self, kind: str, epoch: int, variables: Sequence[keras.Variable]) -> None:
        _checkpoint(variables).write(f"{self.folder}/{kind}-{epoch}/of")

    def _read(self, kind: str, epoch: int, variables: Sequence[keras.Variable]) -> None:
        _checkpoint(variables).read(f"{self.folder}/{kind}-{epoch}/of").assert_consumed()

    def _clean(self, progress: Progress) -> None:
        kept = {f"{_LAST}-{progress.epochs}", f"{_BEST}-{progress.best}", _DOCUMENT}
        for name in tf.io.gfile.listdir(self.folder):
            if name.rstrip("/") not in kept:
                tf.io.gfile.rmtree(f"{self.folder}/{name}")


def _checkpoint(variables: Sequence[keras.Variable]) -> tf.train.Checkpoint:
    held: list[Any] = [each.value for each in variables]
    return tf.train.Checkpoint(of=held)

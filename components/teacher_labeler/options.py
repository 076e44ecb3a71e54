"""How the labeller works, apart from what it labels: sizes, compression and the bound on bad records."""

from __future__ import annotations

import os
from dataclasses import dataclass

from schema.errors import InputError

DEFAULT_BATCH_SIZE = 1024
DEFAULT_COMPRESSION_LEVEL = 1
DEFAULT_MAX_BAD_FRACTION = 0.001

_TENSORFLOW_THREADS = "TF_NUM_INTRAOP_THREADS"  # TensorFlow's own variable


@dataclass(frozen=True)
class LabelOptions:
    """Options of one labelling run.

    Attributes:
      batch_size: Records per call of the teacher.
      compression_level: The level of the gzipped output, 0 (stored) to 9; 1 to 3 are ISA-L's, the others zlib's.
      max_bad_fraction: Part of a split's records that may become dead letters; above it the run fails.
      key_column: Column that tells examples apart; then only it and the soft labels are written.
        Empty for whole examples.
    """

    batch_size: int = DEFAULT_BATCH_SIZE
    compression_level: int = DEFAULT_COMPRESSION_LEVEL
    max_bad_fraction: float = DEFAULT_MAX_BAD_FRACTION
    key_column: str = ""

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          InputError: A value is out of its range.
        """
        _expect(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        _expect(0 <= self.compression_level <= 9, "compression_level", "0 to 9", self.compression_level)
        _expect(0 <= self.max_bad_fraction <= 1, "max_bad_fraction", "0 to 1", self.max_bad_fraction)


def is_held_to_one_thread() -> bool:
    """Whether this process is to use one core: its TensorFlow is held to one thread.

    That is how as many workers as there are cores are run.  Then reading, the teacher and
    writing take turns on one thread, instead of getting in the way of the other workers.
    """
    return os.environ.get(_TENSORFLOW_THREADS) == "1"


def _expect(holds: bool, name: str, expected: str, found: float) -> None:
    if not holds:
        raise InputError(f"TeacherLabeler: {name}: expected {expected}, found {found}")

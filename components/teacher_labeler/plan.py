"""Everything a worker needs to label a shard: small, and picklable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.teacher_labeler.columns import needed_columns
from components.teacher_labeler.options import LabelOptions
from components.teacher_labeler.signature import TeacherSignature
from schema.surface import DistilledSurface


@dataclass(frozen=True)
class LabelPlan:
    """What to label with, and how.

    Attributes:
      surface: The surface.
      signature: The teacher's signature, checked.
      teacher_fingerprint: The teacher's content, see `fingerprint`.
      kinds: Kind of the columns seen in the data.
      options: Sizes, compression, bound on bad records.
    """

    surface: DistilledSurface
    signature: TeacherSignature
    teacher_fingerprint: str
    kinds: Mapping[str, str]
    options: LabelOptions

    def all_kinds(self) -> dict[str, str]:
        """The kind of every needed column: as seen, else as the teacher takes it."""
        return {**needed_columns(self.surface), **self.kinds}


@dataclass(frozen=True)
class LabelShard:
    """One input file and where its results go.

    Attributes:
      split: Name of the split.
      path: The gzipped TFRecords to read.
      examples: Final path of the labelled shard.
      dead_letters: Final path of its dead letters.
      examples_staging: Folder for the labelled shard while it is being written.
      dead_letters_staging: The same for its dead letters.
      index: Number of the shard over all splits; seeds its sample.
      sample_size: Bound on the rows of its sample.
    """

    split: str
    path: str
    examples: str
    dead_letters: str
    examples_staging: str
    dead_letters_staging: str
    index: int
    sample_size: int

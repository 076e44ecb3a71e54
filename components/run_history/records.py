"""What runs leave beside the versions that they push: one folder for each run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfx.dsl.io import fileio

from contracts.decision import Decision
from contracts.label_report import LabelReport
from records import documents

# Model servers read names as numbers and pass over all others.
_FOLDER = ".runs"
# When, in milliseconds since 1970, with as many digits for a thousand years as now; and which run.
_NAME = re.compile(r"(?P<when>\d{13})-(?P<key>[0-9a-f]{16})")


@dataclass(frozen=True)
class RunRecord:
    """What one run left.

    Attributes:
      recorded_at: When, in milliseconds since 1970.
      key: Which run: the same for a repetition that comes to the same.
      folder: Where it lies.
    """

    recorded_at: int
    key: str
    folder: str


class RunRecords:
    """The records of all runs that push to one destination."""

    def __init__(self, serving: str) -> None:
        self._base = f"{serving.rstrip('/')}/{_FOLDER}"

    def all(self) -> list[RunRecord]:
        """All of them, the oldest first.  What bears another name is passed over."""
        names = map(str, fileio.listdir(self._base)) if fileio.isdir(self._base) else []
        found = [_NAME.fullmatch(name.rstrip("/")) for name in names]
        records = [RunRecord(int(each["when"]), each["key"], f"{self._base}/{each[0]}") for each in found if each]
        return sorted(records, key=lambda each: (each.recorded_at, each.key))

    def leave(self, recorded_at: int, key: str, decision: Decision, labels: LabelReport) -> None:
        """Leaves what a run came to."""
        folder = f"{self._base}/{recorded_at:013d}-{key}"
        documents.write(f"{folder}/labels", labels)
        documents.write(folder, decision)


def read_decision(record: RunRecord) -> Decision | None:
    """The decision in a record; None where it cannot be read."""
    return documents.find_whole(record.folder, Decision)


def read_labels(record: RunRecord) -> LabelReport | None:
    """The label report in a record; None where it cannot be read."""
    return documents.find_whole(f"{record.folder}/labels", LabelReport)

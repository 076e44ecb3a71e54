"""A look at the first records of every split, before the job starts: what is wrong everywhere shows at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from components.teacher_labeler.columns import check_kinds, needed_columns
from components.teacher_labeler.faults import Fault, Reason, find_fault
from components.teacher_labeler.plan import LabelShard
from records.shards import read_batches
from records.tf_example import observe_kinds
from schema.errors import InputError
from schema.surface import DistilledSurface

_PROBED_RECORDS = 256
# Fewer may be within the bound on dead letters, and are counted.
_HOPELESS_FRACTION = 0.5


def probe_kinds(shards: Sequence[LabelShard], surface: DistilledSurface) -> dict[str, str]:
    """Reads the first records of each split.

    Args:
      shards: All shards, those of one split of one artifact next to each other.
      surface: The surface.

    Returns:
      The kind (`float`, `int` or `string`) of each needed column that has a value there.

    Raises:
      InputError: A split has no records, a column's kind cannot be cast to what is needed, or
        a required feature is absent from most records.
    """
    kinds = dict[str, str]()
    for _, group in groupby(shards, key=lambda shard: shard.examples.rpartition("/")[0]):
        path, records = _first_records(list(group))
        seen = observe_kinds(records, set(needed_columns(surface)) - set(kinds))
        check_kinds(surface, seen, path)
        kinds.update(seen)
        _check_required(path, records, surface, {**needed_columns(surface), **kinds})
    return kinds


def _first_records(shards: Sequence[LabelShard]) -> tuple[str, list[bytes]]:
    for shard in shards:
        for batch in read_batches(shard.path, _PROBED_RECORDS):
            return shard.path, batch
    folder = shards[0].path.rpartition("/")[0]
    raise InputError(f"{folder}: split {shards[0].split!r} is empty: its {len(shards)} files hold no record")


def _check_required(path: str, records: Sequence[bytes], surface: DistilledSurface, kinds: dict[str, str]) -> None:
    faults = [fault for fault in (find_fault(record, surface, kinds) for record in records) if fault]
    missing = Counter(fault.column for fault in faults if fault.reason is Reason.MISSING_FEATURE)
    column, count = missing.most_common(1)[0] if missing else ("", 0)
    if count > _HOPELESS_FRACTION * len(records):
        raise InputError(
            f"{path}: {_detail(faults, column)}, in {count} of the first {len(records)} examples. "
            f"{how_to_fill(column, surface)}"
        )


def _detail(faults: Sequence[Fault], column: str) -> str:
    return next(each.detail for each in faults if each.column == column and each.reason is Reason.MISSING_FEATURE)


def how_to_fill(column: str, surface: DistilledSurface) -> str:
    """What to do about a required column that is absent."""
    readers = [name for name, feature in surface.teacher.features.items() if (feature.source or name) == column]
    return f"Give teacher.features.{readers[0]} a `default:`, or the right `from:`." if readers else ""

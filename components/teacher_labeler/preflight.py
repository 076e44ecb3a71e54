"""A look at the first records of every split, before the job starts: what is wrong everywhere shows at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from components.teacher_labeler.columns import check_kinds, needed_columns
from components.teacher_labeler.faults import Reason, find_fault
from components.teacher_labeler.plan import Shard
from records.shards import read_batches
from records.tf_example import observe_kinds
from schema.errors import InputError
from schema.surface import DistilledSurface

_PROBED_RECORDS = 256


def probe_kinds(shards: Sequence[Shard], surface: DistilledSurface) -> dict[str, str]:
    """Reads the first records of each split.

    Args:
      shards: All shards, those of one split of one artifact next to each other.
      surface: The surface.

    Returns:
      The kind (`float`, `int` or `string`) of each needed column that has a value there.

    Raises:
      InputError: A split has no records, a column's kind cannot be cast to what is needed, or
        a required feature is absent from a record.
    """
    kinds = dict[str, str]()
    for _, group in groupby(shards, key=lambda shard: shard.examples.rpartition("/")[0]):
        path, records = _first_records(list(group))
        seen = observe_kinds(records, set(needed_columns(surface)) - set(kinds))
        check_kinds(surface, seen, path)
        kinds.update(seen)
        _check_required(path, records, surface, {**needed_columns(surface), **kinds})
    return kinds


def _first_records(shards: Sequence[Shard]) -> tuple[str, list[bytes]]:
    for shard in shards:
        for batch in read_batches(shard.path, _PROBED_RECORDS):
            return shard.path, batch
    folder = shards[0].path.rpartition("/")[0]
    raise InputError(f"{folder}: split {shards[0].split!r} is empty: its {len(shards)} files hold no record")


def _check_required(path: str, records: Sequence[bytes], surface: DistilledSurface, kinds: dict[str, str]) -> None:
    faults = [fault for fault in (find_fault(record, surface, kinds) for record in records) if fault]
    missing = [fault for fault in faults if fault.reason is Reason.MISSING_FEATURE]
    if missing:
        column = missing[0].column
        count = sum(fault.column == column for fault in missing)
        raise InputError(
            f"{path}: {missing[0].detail}, in {count} of the first {len(records)} examples. "
            f"{how_to_fill(column, surface)}"
        )


def how_to_fill(column: str, surface: DistilledSurface) -> str:
    """What to do about a required column that is absent."""
    readers = [name for name, feature in surface.teacher.features.items() if (feature.source or name) == column]
    return f"Give teacher.features.{readers[0]} a `default:`, or the right `from:`." if readers else ""

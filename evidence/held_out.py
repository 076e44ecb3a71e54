"""How new people and items are to the rows that chose what a comparison compares."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.held_out import HeldOutRows
from evidence.data import RunData
from models import without_row
from schema.surface import Surface


def held_out_rows(surface: Surface, loaded: Sequence[RunData]) -> list[HeldOutRows]:
    """How new users and items are to held-out rows and to the evaluation, where that is known of all runs.

    Args:
      surface: The surface of the runs.
      loaded: Their data, with slices of people and items without a training row.
    """
    chosen_by = [without_row.held_out_slices(surface, each.training, each.fitted, each.held_out) for each in loaded]
    found = [without_row.compared(surface, slices, each.slices) for slices, each in zip(chosen_by, loaded, strict=True)]
    return without_row.mean_of(found)

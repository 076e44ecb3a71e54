"""The report of CandidateSampler: what was drawn or read, and what came of it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from contracts.base import Document, Part


class CatalogueCounts(Part):
    """What a catalogue of people or of items gave.

    Attributes:
      source: Its folder.
      listed: How many it lists.
      with_row: How many of them have a training row, and are drawn as their rows are.
      drawn: How many of the others are in a pair that was kept.
    """

    source: str
    listed: int
    with_row: int
    drawn: int


class CandidateReport(Document):
    """Counts over the whole split of unlabelled pairs.

    Attributes:
      source: `examples` (put together from them) or the folder of candidates that was read.
      drawn: Pairs drawn or read.
      shown: Rejected as pairs of the training split.
      evaluated: Rejected as pairs of the evaluation split, and not of the training split.
      labelled: Candidates rejected for having a hard label.
      kept: Pairs written.
      given_up: Places left empty because every draw for them was rejected.
      unique_pairs: Different pairs among those kept.
      unique_users: Different users among those kept.
      unique_items: Different items among those kept.
      users_without_row: Those of the users that have no training row.
      items_without_row: Those of the items that have none.
      catalogues: What the catalogues gave, by `people` and `items`.
    """

    FILE: ClassVar[str] = "report.json"
    TITLE: ClassVar[str] = "a report of unlabelled pairs"

    source: str
    drawn: int
    shown: int
    evaluated: int
    labelled: int
    kept: int
    given_up: int
    unique_pairs: int
    unique_users: int
    unique_items: int
    users_without_row: int = 0
    items_without_row: int = 0
    catalogues: dict[str, CatalogueCounts] = Field(default_factory=dict)

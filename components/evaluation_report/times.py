"""Moments as a page shows them."""

from __future__ import annotations

from datetime import UTC, datetime


def from_milliseconds(since_epoch: int) -> datetime | None:
    """The moment that ML Metadata means; None where it has none."""
    return datetime.fromtimestamp(since_epoch / 1000, UTC) if since_epoch else None


def when_text(when: datetime | None) -> str:
    """A moment to the minute, in UTC; empty where it is not known."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else ""

"""What was measured of a run's nodes: how long each took, and how much memory the run held meanwhile."""

from __future__ import annotations

from typing import ClassVar

from contracts.base import Document, Part


class NodeMeasurement(Part):
    """What was measured of one node.

    Attributes:
      seconds: How long it took; None for a node whose outputs came from the cache.
      peak_memory: Most resident memory that the run held meanwhile, in bytes; None likewise.
    """

    seconds: float | None
    peak_memory: int | None


class Measurements(Document):
    """What was measured of the nodes of a run that are finished, in order, by id."""

    FILE: ClassVar[str] = "nodes.json"
    TITLE: ClassVar[str] = "the measurements of a run's nodes"

    nodes: dict[str, NodeMeasurement]

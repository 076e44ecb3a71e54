"""Parts of the evaluation data that are reported and may be gated."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from schema.base import Scalar, Strict

# What all values are called that are not among the most frequent ones.
OTHERS = "others"


class SliceColumn(Strict):
    """A column that slices are cut by and that follows from one of the examples'.

    Attributes:
      column: That one.
      edges: Where one bucket of its numbers ends and the next begins, ascending.
      most_frequent: How many of its values are kept; the others become one.
    """

    column: str
    edges: tuple[float, ...] = ()
    most_frequent: PositiveInt | None = None

    @property
    def name(self) -> str:
        """What stands before the value in a slice's name."""
        return f"{self.column} (bucket)" if self.edges else f"{self.column} (top {self.most_frequent})"

    def bucket(self, value: float) -> str:
        """The name of the bucket that a number is in: `under 18`, `18 to under 25`, or `25 or more`."""
        passed = sum(value >= edge for edge in self.edges)
        if passed == 0:
            return f"under {self.edges[0]:g}"
        if passed == len(self.edges):
            return f"{self.edges[-1]:g} or more"
        return f"{self.edges[passed - 1]:g} to under {self.edges[passed]:g}"


def value_text(value: float | str | bytes) -> str:
    """A value as slices are named by it: 3, 2.5 or text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


class Slice(Strict):
    """A part of the evaluation data, or several: those of all combinations of what is named.

    Attributes:
      features: Feature name to the value that defines the slice; None makes one slice of
        each value.
      buckets: Name of a column of numbers to ascending numbers: one slice of what is under the first,
        one of what is from there to under the second, and so on.
      most_frequent: Name of a column to a number: one slice for each of so many values, the most
        frequent ones of the evaluation data, and one for all others.
    """

    features: dict[str, Scalar | None] = Field(default_factory=dict)
    buckets: dict[str, Annotated[tuple[float, ...], Field(min_length=1)]] = Field(default_factory=dict)
    most_frequent: dict[str, PositiveInt] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_each_column_once(self) -> Slice:
        named = self.columns
        if not named:
            raise ValueError("a slice needs a column under features, buckets or most_frequent")
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"a slice names each column once, found {twice[0]!r} twice")
        for name, edges in self.buckets.items():
            if any(low >= high for low, high in pairwise(edges)):
                raise ValueError(
                    f"buckets.{name}: expected ascending numbers, found {', '.join(map('{:g}'.format, edges))}"
                )
        return self

    @property
    def columns(self) -> list[str]:
        """The examples' columns that the slice depends on."""
        return [*self.features, *self.buckets, *self.most_frequent]

    @property
    def derived(self) -> list[SliceColumn]:
        """The columns that follow from the examples' ones."""
        return [
            *(SliceColumn(column=name, edges=edges) for name, edges in self.buckets.items()),
            *(SliceColumn(column=name, most_frequent=count) for name, count in self.most_frequent.items()),
        ]

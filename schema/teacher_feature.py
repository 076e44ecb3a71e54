"""One input of the teacher, and how the target's values become it: the feature adaptation of ``surface.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from schema.base import Scalar, Strict

Rate = Annotated[float, Field(ge=0, le=1)]


class Clip(Strict):
    """Bounds that values are brought within.

    Attributes:
      low: Lesser values become it; None for no such bound.
      high: Greater values become it; None for no such bound.
    """

    low: float | None = Field(default=None, alias="min")
    high: float | None = Field(default=None, alias="max")

    @model_validator(mode="after")
    def _is_a_range(self) -> Clip:
        if self.low is None and self.high is None:
            raise ValueError("clip needs `min:`, `max:` or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"clip needs min <= max, found {self.low} > {self.high}")
        return self


class TeacherFeature(Strict):
    """One input of the teacher, and where its values come from.

    Attributes:
      dtype: The type the teacher's signature takes.
      source: The target's feature that it reads; by default the one of the same name.
      size: Values per example.
      default: What fills it where the target has no value, or none that `vocabulary` knows.
        None makes it required.
      constant: What it always is, whatever the target has; counts as filled.
      vocabulary: File of two tab-separated columns, the target's value and the teacher's,
        relative to the surface folder.
      clip: Bounds of numbers.
      pad: Makes it variable-length: what fills the places up to `size` in shorter lists;
        longer ones are cut.
      ragged: Lists of any length, handed on as they are (`takes: examples` only).
      length_of: A list among the teacher's other inputs (`pad` or `ragged`), of which this input is the
        number of values: after cutting, before padding.
      drop: Never handed on; the teacher's own default holds (`takes: examples` only).
      max_fill_rate: Most of a split's examples in which it may be filled.
    """

    dtype: Literal["float", "int", "string"]
    source: str | None = Field(default=None, alias="from")
    size: PositiveInt = 1
    default: Scalar | tuple[Scalar, ...] | None = None
    constant: Scalar | tuple[Scalar, ...] | None = None
    vocabulary: str | None = None
    clip: Clip | None = None
    pad: Scalar | None = None
    ragged: bool = False
    length_of: str | None = None
    drop: bool = False
    max_fill_rate: Rate | None = None

    @property
    def reads(self) -> bool:
        """Whether it reads a column of the target at all."""
        return self.constant is None and self.length_of is None and not self.drop

    @property
    def variable(self) -> bool:
        """Whether examples may have any number of values."""
        return self.ragged or self.pad is not None

    @model_validator(mode="after")
    def _keys_fit_each_other(self) -> TeacherFeature:
        given = self.model_dump(exclude_defaults=True, exclude={"dtype", "size"})
        for key, others in _EXCLUDED.items():
            clash = sorted(set(given) & others) if key in given else []
            if clash:
                raise ValueError(f"`{key}` and `{'from' if clash[0] == 'source' else clash[0]}` exclude each other")
        if self.vocabulary is not None and self.default is None:
            raise ValueError("`vocabulary` needs a `default:`, for values that are not in the file")
        if self.clip is not None and self.dtype == "string":
            raise ValueError("`clip` is for numbers, found dtype string")
        if self.ragged and self.size != 1:
            raise ValueError(f"`ragged` takes lists of any length, found size {self.size}")
        if self.length_of is not None and (self.dtype == "string" or self.size != 1):
            raise ValueError(f"`length_of` is one int or float, found dtype {self.dtype}, size {self.size}")
        return self


_OF_COLUMNS = {"source", "default", "vocabulary", "clip", "pad", "ragged"}
_EXCLUDED = {
    "constant": _OF_COLUMNS | {"drop", "max_fill_rate"},
    "length_of": _OF_COLUMNS | {"constant", "drop", "max_fill_rate"},
    "drop": _OF_COLUMNS | {"max_fill_rate"},
    "vocabulary": {"clip"},
    "ragged": {"default", "pad", "vocabulary"},
}

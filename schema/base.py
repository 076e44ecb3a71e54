"""What all parts of a surface's configuration are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Weight = Annotated[float, Field(ge=0)]


def no_boolean(value: Any) -> Any:
    """The value.

    Raises:
      ValueError: It is a boolean.
    """
    if isinstance(value, bool):
        raise ValueError(
            "expected a number or text, and YAML reads yes, no, on, off, true and false as neither; "
            'put the word in quotes ("no"), or write 1 or 0'
        )
    return value


Scalar = Annotated[int | float | str, BeforeValidator(no_boolean)]


class Strict(BaseModel):
    """Unknown keys are errors, and so are numbers that are none; a configuration does not change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _booleans_are_no_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes `weight: off` for 0."""
        field = cls.model_fields[str(info.field_name)]
        return value if field.annotation is bool else no_boolean(value)


class TaskKind(StrEnum):
    """What a task predicts: a probability, a real number, or a probability for each of several classes."""

    BINARY = "binary"
    REGRESSION = "regression"
    MULTICLASS = "multiclass"

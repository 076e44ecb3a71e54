"""What all parts of a surface's configuration are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Weight = Annotated[float, Field(ge=0)]
Scalar = int | float | str


class Strict(BaseModel):
    """Unknown keys are errors, and a configuration does not change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskKind(StrEnum):
    """What a task predicts: a probability or a real number."""

    BINARY = "binary"
    REGRESSION = "regression"

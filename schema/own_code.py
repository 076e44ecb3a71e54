"""Python of one's own, by import path: `preprocessing:`, `trunk:`, `student:` and `loss:` of ``surface.yaml``."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from schema.base import Name, Strict

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def _expect_path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise ValueError("expected an import path, `package.module:function`")
    return value


ImportPath = Annotated[str, AfterValidator(_expect_path)]


def is_import_path(value: Any) -> bool:
    """Whether it looks as one rather than as a name: `package.module:function`."""
    return isinstance(value, str) and ":" in value


class OwnStudent(Strict):
    """A whole model of one's own; written as its import path alone, it has no distillation heads.

    Attributes:
      build: Import path of what builds it: a function of the number of rows of each embedding,
        by column, that returns a Keras model of the transformed columns.
      heads: Where distillation heads stand, by task or non-serving head: a name of the model's
        outputs, or of a layer of a functional model; `trunk` is what `representations: {trunk: ...}` reads.
    """

    build: ImportPath
    heads: dict[Name, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _is_a_path_alone(cls, value: Any) -> Any:
        return {"build": value} if isinstance(value, str) else value

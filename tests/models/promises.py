"""Holds what is promised to clients of a surface beside what its exported student has."""

from __future__ import annotations

from typing import Any

from models.export import promised_signature
from records.served import read_served
from schema.surface import Surface


def expect_promised(surface: Surface, raw_spec: dict[str, Any], model_dir: str) -> None:
    """The exported signature is the promised one, to the last type, shape and default."""
    found, promised = read_served(model_dir, 1, None), promised_signature(surface, raw_spec)
    assert dict(promised.columns) == dict(found.columns)
    assert dict(promised.outputs) == dict(found.outputs)

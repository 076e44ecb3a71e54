"""Writes a copy of a simulated home page whose student has histories of people and items.

The teacher's trunk becomes a representation that is labelled, days become periods, and both ids get a history.

    python -m benchmarks.histories.surface --world runs/histories/world --size 64 --out runs/histories/surface
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from models.teacher import REPRESENTATIONS_SIGNATURE
from schema.distillation import TRUNK
from schema.loader import RAW, SCHEMA_FILE, SERVING, SURFACE_FILE, load_surface, read_schema
from schema.surface import soft_label

_SECONDS_PER_DAY = 86_400
_IDS = ("user_id", "item_id")


def main(
    world: Annotated[Path, typer.Option(help="What `crosskd world simulated` wrote.")],
    size: Annotated[int, typer.Option(help="The width of the teacher's trunk.")],
    out: Annotated[Path, typer.Option(help="The folder of the copy.")],
    days: Annotated[float, typer.Option(help="How many days a period has.")] = 1,
) -> None:
    """Write the copy."""
    write(world / "homepage", size, days, out)


def write(surface: Path, size: int, days: float, out: Path) -> None:
    """Writes a copy of a surface folder with histories.

    Args:
      surface: The folder.
      size: The width of the teacher's trunk.
      days: How many days a period has.
      out: The folder of the copy.

    Raises:
      InputError: The copy does not load.
    """
    content: dict[str, Any] = yaml.safe_load((surface / SURFACE_FILE).read_text())
    content["teacher"] |= {"signature": REPRESENTATIONS_SIGNATURE, "representations": {TRUNK: {"size": size}}}
    content["period"] = {"column": "timestamp", "step": days * _SECONDS_PER_DAY}
    content["histories"] = {name: {"of": TRUNK} for name in _IDS}
    # The world's own goes on from day to day, which histories do not.
    content["training"].pop("continue_from", None)
    schema = read_schema(surface / SCHEMA_FILE)
    column = schema.feature.add(name=soft_label(TRUNK), type=schema_pb2.FLOAT, not_in_environment=[RAW, SERVING])
    column.presence.min_fraction = 1
    column.shape.dim.add(size=size)
    out.mkdir(parents=True, exist_ok=True)
    (out / SURFACE_FILE).write_text(yaml.safe_dump(content, sort_keys=False))
    (out / SCHEMA_FILE).write_text(text_format.MessageToString(schema))
    load_surface(out)


if __name__ == "__main__":
    typer.run(main)

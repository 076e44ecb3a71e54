"""What a model that serves takes and gives, read from its files without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from records.parsed_columns import ParsedColumn, parsed_columns
from records.saved_model import TensorType, serving_graph, tensor_types
from records.sessions import SIGNATURE


@dataclass(frozen=True)
class ServingSignature:
    """What clients see of a model.

    Attributes:
      outputs: What it answers: types and shapes by name.
      columns: What it parses out of requests, by name.
      kinds: The kind of each output, by name; those that nobody wrote down are not among them.
    """

    outputs: Mapping[str, TensorType]
    columns: Mapping[str, ParsedColumn]
    kinds: Mapping[str, str]


@dataclass(frozen=True)
class ServedModel(ServingSignature):
    """A model that clients use.

    Attributes:
      version: Its number; 0 where nobody knows it.
    """

    version: int

    @property
    def required(self) -> list[str]:
        """Columns without which it answers nothing."""
        return sorted(name for name, column in self.columns.items() if column.required)

    @property
    def title(self) -> str:
        """How it is called in a sentence."""
        return f"version {self.version}" if self.version else "the model that serves"


def read_served(model_dir: str, version: int, kinds: Mapping[str, str] | None) -> ServedModel:
    """Reads a SavedModel.

    Args:
      model_dir: Its folder.
      version: As which it serves; 0 where that is not known.
      kinds: The kind of each task, as its provenance has them.

    Raises:
      InputError: There is none, or it is damaged.
    """
    graph = serving_graph(model_dir)
    found = graph.signature_def[SIGNATURE].outputs if SIGNATURE in graph.signature_def else {}
    return ServedModel(tensor_types(found), parsed_columns(graph), kinds or {}, version)

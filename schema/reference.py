"""What each key of ``surface.yaml`` means, read from the docstrings of `schema.surface`.

One source for the JSON schema that editors complete from and for the reference in the
documentation: a key that a docstring does not explain is an error here.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, get_args

from pydantic import BaseModel

from schema.surface import Surface

# `name: text`, the text going on in lines that are indented further.
_ATTRIBUTE = re.compile(r"^  (\w+): (.*(?:\n    .*)*)", re.M)


def models() -> dict[str, type[BaseModel]]:
    """The models that make up a surface, by name: the whole, then each part as it is first used."""
    found: dict[str, type[BaseModel]] = {}
    _collect(Surface, found)
    return found


def _collect(annotation: Any, found: dict[str, type[BaseModel]]) -> None:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if is_model and annotation.__name__ not in found:
        found[annotation.__name__] = annotation
        for field in annotation.model_fields.values():
            _collect(field.annotation, found)
    for part in get_args(annotation):
        _collect(part, found)


def summary(model: type[BaseModel]) -> str:
    """The paragraphs of a model's docstring before its attributes."""
    return inspect.cleandoc(model.__doc__ or "").split("\nAttributes:")[0].strip()


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What each field of a model means, by the field's name.

    Raises:
      ValueError: A docstring does not explain a field.
    """
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        # Pydantic's own class lists attributes, too.
        ours = issubclass(each, BaseModel) and each is not BaseModel
        text = inspect.cleandoc(each.__doc__ or "") if ours else ""
        attributes = text.partition("\nAttributes:\n")[2]
        found |= {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(attributes)}
    absent = [name for name in model.model_fields if name not in found]
    if absent:
        raise ValueError(f"schema.surface.{model.__name__}: its docstring does not explain {', '.join(absent)}")
    return {name: found[name] for name in model.model_fields}


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of ``surface.yaml``, with a description of each key."""
    whole = Surface.model_json_schema(by_alias=True)
    for name, model in models().items():
        part = whole if model is Surface else whole["$defs"][name]
        part["description"] = summary(model)
        for field, text in descriptions(model).items():
            part["properties"][model.model_fields[field].alias or field]["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}

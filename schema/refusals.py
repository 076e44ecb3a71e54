"""Says in words what pydantic found wrong with a configuration: each thing once, under a key that exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schema.checks import nearest
from schema.yaml_text import Keys, Place, place_of

# Under these, pydantic reports a value that is of none of several types, once for each.
_KINDS = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
}
_MAPPINGS = ("model_type", "dict_type", "model_attributes_type")
_EXTRA, _MISSING, _PATTERN = "extra_forbidden", "missing", "string_pattern_mismatch"
_NAME = "expected a name of letters, digits and _ that begins with a letter"


def refusals(
    error: ValidationError, model: type[BaseModel], content: Any, places: Mapping[Keys, Place] | None = None
) -> list[str]:
    """One sentence for each value that was refused.

    Args:
      error: What pydantic raised.
      model: What was expected.
      content: What was validated, as it was read.
      places: Where its values stand; none if it is no text.
    """
    of_value: dict[Keys, list[dict[str, Any]]] = {}
    for problem in error.errors():
        of_value.setdefault(_existing(dict(problem), content), []).append(dict(problem))
    return [_sentence(keys, problems, model) + _at(places or {}, keys) for keys, problems in of_value.items()]


def _existing(problem: dict[str, Any], content: Any) -> Keys:
    """The keys that lead to the value: pydantic appends names of types, of which no file knows."""
    location: Keys = problem["loc"]
    for length, part in enumerate(location):
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            named = problem["type"] in (_MISSING, _EXTRA)
            return location[: length + 1] if named else location[:length]
    return location


def _at(places: Mapping[Keys, Place], keys: Keys) -> str:
    place = place_of(places, keys)
    return f" ({place})" if place else ""


def _sentence(keys: Keys, problems: Sequence[dict[str, Any]], model: type[BaseModel]) -> str:
    key, first = ".".join(str(part) for part in keys), problems[0]
    if first["type"] == _EXTRA:
        return f"{key}: unknown key{_hint(keys, model)}"
    if first["type"] == _MISSING and isinstance(keys[-1], int):
        return f"{key.rpartition('.')[0]}: expected more values, found {keys[-1]}"
    if first["type"] == _MISSING:
        return f"{key}: this key is required and absent"
    found = first["input"]
    if len(problems) > 1 or first["type"] in _KINDS:
        return f"{key}: expected {_kinds(problems)}, found {_shown(found)}{_no_range(keys, found)}"
    if first["type"] == _PATTERN:
        return f"{key}: {_NAME}, found {found!r}"
    if first["type"] in _MAPPINGS:
        names = _keys_of(_type_at(keys, model))
        return f"{key}: expected keys with values{f' ({names})' if names else ''}, found {_shown(found)}"
    message = first["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(found, dict | list | tuple) or f"found {found!r}" in message else f", found {found!r}"
    if not keys:  # of several keys together; the sentence names them
        return message
    return f"{key}: {message[0].lower()}{message[1:]}{shown}"


def _kinds(problems: Sequence[dict[str, Any]]) -> str:
    """What would have been right, of several types; a whole number is a number."""
    kinds = list(dict.fromkeys(_KINDS.get(each["type"], each["msg"]) for each in problems))
    if "a number" in kinds and "a whole number" in kinds:
        kinds.remove("a whole number")
    return " or ".join([*([", ".join(kinds[:-1])] if len(kinds) > 1 else []), kinds[-1]])


def _shown(found: Any) -> str:
    if isinstance(found, dict):
        return f"a mapping ({', '.join(map(str, found))})"
    return f"a list of {len(found)}" if isinstance(found, list | tuple) else repr(found)


def _no_range(keys: Keys, found: Any) -> str:
    if keys[:1] != ("slices",) or not isinstance(found, dict | list):
        return ""
    return (
        ". A slice is made of equal values: write one value, or leave it empty for a slice of each; for ranges of "
        "numbers, name the column under `buckets`"
    )


def _hint(keys: Keys, model: type[BaseModel]) -> str:
    """Where the same key belongs, if it does somewhere; else the nearest of those that belong here."""
    name, here = str(keys[-1]), _type_at(keys[:-1], model)
    beside = _aliases(here) if _is_model(here) else []
    found = [] if nearest(name, beside).startswith("; did") else list(dict.fromkeys(_homes(name, model, "")))
    if len(found) != 1:
        return nearest(name, beside)
    return f"; `{name}` belongs under `{found[0]}`" if found[0] else f"; `{name}` belongs at the top level of the file"


def _homes(name: str, model: type[BaseModel], above: str) -> Iterator[str]:
    """The keys under which `name` is one."""
    for each, field in model.model_fields.items():
        key = field.alias or each
        if key == name:
            yield above
        for annotation in _models_in(field.annotation):
            named = get_origin(_inner(field.annotation)) is dict
            yield from _homes(name, annotation, f"{above}.{key}".lstrip(".") + (".NAME" if named else ""))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if _is_model(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _type_at(keys: Keys, model: type[BaseModel]) -> Any:
    """The type of the value under `keys`."""
    annotation: Any = model
    for part in keys:
        annotation = _step(_inner(annotation), part)
    return _inner(annotation)


def _step(annotation: Any, part: str | int) -> Any:
    """The type of the value under `part` in a model, a dict or a tuple."""
    if _is_model(annotation):
        fields = {(field.alias or name): field for name, field in annotation.model_fields.items()}
        return fields[str(part)].annotation
    values = get_args(annotation)
    return values[1] if get_origin(annotation) is dict else values[0]


def _inner(annotation: Any) -> Any:
    """`annotation` without what surrounds it: ``X | None`` is X."""
    if get_origin(annotation) is not UnionType:
        return annotation
    return next(part for part in get_args(annotation) if part is not type(None))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _aliases(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _keys_of(annotation: Any) -> str:
    return ", ".join(_aliases(annotation)) if _is_model(annotation) else ""

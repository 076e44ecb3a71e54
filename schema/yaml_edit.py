"""Changes values in YAML text, and leaves comments, order and layout of all else as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from schema.overrides import overridden, override
from schema.yaml_text import read


def edited(text: str, changes: Sequence[str], where: str) -> tuple[str, bool]:
    """A document with some values set.

    What was written is read again and compared with what it should hold.  Where they differ (a
    new key that wants quotes, for one), the document is written anew from what it holds, without its
    comments.

    Args:
      text: The document, a mapping.
      changes: Each `key.path=value`; see `schema.overrides.override`.
      where: What it is, for messages: the file.

    Returns:
      The new text, and whether comments and layout were kept.

    Raises:
      InputError: It is no YAML, or a change does not fit it.
    """
    content, _ = read(text, where)
    for change in changes:
        places = overridden(content, change)
        override(content, change)
        value = change.partition("=")[2]
        for keys in places:
            text = _with_value(text, keys, value)
    if _content(text) == content:
        return text, True
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120), False


def _content(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _with_value(text: str, keys: Sequence[str], value: str) -> str:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:  # an earlier change broke it, which the comparison at the end finds
        return text
    if node is None:
        return text
    name = node
    for depth, key in enumerate(keys):
        found = _entry(node, key)
        if found is None:
            return _added(text, node, keys[depth:], value)
        name, node = found
    return _replaced(text, name, node, value)


def _entry(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next(((name, each) for name, each in pairs if name.value == key), None)


def _replaced(text: str, name: yaml.Node, node: yaml.Node, value: str) -> str:
    start, end = node.start_mark.index, _end(node)
    beside = node.start_mark.line == name.end_mark.line and start < end
    if not beside:  # a block under the key, or nothing at all
        start = text.index(":", name.end_mark.index) + 1
        end = max(start, end)
    return text[:start] + ("" if beside else " ") + value + text[end:]


def _added(text: str, node: yaml.Node, keys: Sequence[str], value: str) -> str:
    """A new last entry of a mapping, whatever its style."""
    for key in reversed(keys[1:]):
        value = f"{{{key}: {value}}}"
    entry = f"{keys[0]}: {value}"
    if not isinstance(node, yaml.MappingNode):
        return text
    if not node.value:
        return text[: node.start_mark.index] + f"{{{entry}}}" + text[node.end_mark.index :]
    at = _end(node.value[-1][1])
    if node.flow_style:
        return f"{text[:at]}, {entry}{text[at:]}"
    # After the line, with the comment that may stand at its end.
    line_end = text.find("\n", len(text[:at].rstrip()))
    line_end = len(text) if line_end < 0 else line_end
    return text[:line_end] + f"\n{' ' * node.start_mark.column}{entry}" + text[line_end:]


def _end(node: yaml.Node) -> int:
    """Where a value ends; a block's own mark is where the next token begins, after comments."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, yaml.MappingNode) else last)

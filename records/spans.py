"""Spans: examples that grow by one folder each day, each hour, or each of any other step.

A span is a whole number, as in TFX (`ImportExampleGen` with `{SPAN}` in its patterns).  The
folder of a span is named by it: `{SPAN}`, `{SPAN:4}` for a number of four digits, or a date,
`{YYYY}-{MM}-{DD}`, whose number is that of days since 1970-01-01.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, replace
from pathlib import Path

from schema.errors import InputError

DEFAULT_NAME = "span-{SPAN}"
LATEST = "latest"

_PLACEHOLDER = re.compile(r"\{(SPAN(?::[1-9]\d*)?|YYYY|MM|DD)\}")
_DATE = ["YYYY", "MM", "DD"]
_FIRST_DAY = datetime.date(1970, 1, 1)
_DIGITS = {"YYYY": r"\d{4}", "MM": r"\d{2}", "DD": r"\d{2}", "SPAN": r"0|[1-9]\d*"}
_SHOWN = 10


@dataclass(frozen=True)
class SpanFolders:
    """Where the spans of examples lie: `base`, with one folder per span.

    Attributes:
      base: The folder that holds them.
      name: The name of a span's folder below it, with placeholders; it may hold slashes.
    """

    base: Path
    name: str

    @property
    def dated(self) -> bool:
        """Whether a span is a day."""
        return "{YYYY}" in self.name

    def folder(self, span: int) -> Path:
        """The folder of a span."""
        return self.base / _PLACEHOLDER.sub(lambda found: _written(found[1], span), self.name)

    def title(self, span: int) -> str:
        """A span as people write it."""
        return _day(span).isoformat() if self.dated else str(span)

    def number(self, title: str) -> int:
        """The span that people write so.

        Raises:
          InputError: It is neither a number nor, for spans that are days, a date.
        """
        try:
            if self.dated and not title.isdigit():
                return (datetime.date.fromisoformat(title) - _FIRST_DAY).days
            return int(title)
        except ValueError as error:
            kind = "a date such as 2026-01-31" if self.dated else "a whole number"
            raise InputError(f"--span {title}: expected {kind}, `{LATEST}`, or A:B") from error

    def available(self) -> list[int]:
        """The spans that there are, in order."""
        pattern = re.compile(_regex(self.name))
        depth = self.name.count("/") + 1
        folders = (each for each in self.base.glob("/".join("*" * depth)) if each.is_dir())
        found = (pattern.fullmatch(each.relative_to(self.base).as_posix()) for each in folders)
        return sorted(_number(match) for match in found if match)


@dataclass(frozen=True)
class Window:
    """The spans `first` to `last`, both included: what a model is trained on."""

    folders: SpanFolders
    first: int
    last: int

    @property
    def spans(self) -> range:
        return range(self.first, self.last + 1)

    def only(self, span: int) -> Window:
        """The window of one span."""
        return replace(self, first=span, last=span)

    def __str__(self) -> str:
        first, last = self.folders.title(self.first), self.folders.title(self.last)
        return first if first == last else f"{first}:{last}"


def newest_span(title: str | None) -> int | None:
    """The number of the newest span of what people write, `A` or `A:B`: days since 1970 for a date, 20260131 too.

    None where it is neither a number nor a date.
    """
    newest = (title or "").rpartition(":")[2]
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return (datetime.datetime.strptime(newest, form).date() - _FIRST_DAY).days
        except ValueError:
            continue
    return int(newest) if newest.isdigit() else None


def span_folders(examples: Path) -> SpanFolders | None:
    """How `examples` is divided into spans; None if it is one folder of examples.

    Args:
      examples: A path with placeholders, or a folder that holds `span-1`, `span-2`, ...

    Raises:
      InputError: The placeholders are not one span or one date.
    """
    parts = examples.parts
    first = next((index for index, part in enumerate(parts) if "{" in part), None)
    if first is None:
        folders = SpanFolders(examples, DEFAULT_NAME)
        return folders if folders.available() else None
    name = "/".join(parts[first:])
    found = [each.partition(":")[0] for each in _PLACEHOLDER.findall(name)]
    if re.search(r"[{}]", _PLACEHOLDER.sub("", name)) or sorted(found) not in (["SPAN"], sorted(_DATE)):
        raise InputError(f"--examples {examples}: expected {{SPAN}}, {{SPAN:4}} or {{YYYY}}-{{MM}}-{{DD}} in it once")
    return SpanFolders(Path(*parts[:first]), name)


def choose(folders: SpanFolders, span: str | None, length: int | None) -> Window:
    """The window that a user asks for.

    Args:
      folders: Where the spans lie.
      span: The newest span: `latest` (the default) or a span; or all of them, as `A:B`.
      length: How many spans, where `span` does not say; 1 by default.

    Raises:
      InputError: No such span is there, or one of the window is missing.
    """
    available = folders.available()
    if not available:
        raise InputError(f"{folders.base}: expected folders named {folders.name}, found none")
    first, colon, last = (span or LATEST).partition(":")
    if colon:
        if length is not None:
            raise InputError(f"--span {span} and --window {length} contradict each other; give one of them")
        window = Window(folders, folders.number(first), folders.number(last))
    else:
        newest = available[-1] if first == LATEST else folders.number(first)
        window = Window(folders, newest - (length or 1) + 1, newest)
    _check_whole(window, available)
    return window


def _check_whole(window: Window, available: list[int]) -> None:
    if not window.spans:
        raise InputError(f"--span {window}: the first span comes after the last one")
    there = set(available)
    titles = [window.folders.title(span) for span in window.spans if span not in there]
    if titles:
        listed = ", ".join(titles[:_SHOWN]) + (f" and {len(titles) - _SHOWN} more" if len(titles) > _SHOWN else "")
        raise InputError(
            f"{window.folders.base}: the window {window} has holes: expected a folder {window.folders.name} for each "
            f"of its {len(window.spans)} spans, found none for {listed}. Put them there, or choose another --span or "
            "a shorter --window."
        )


def _written(placeholder: str, span: int) -> str:
    kind, _, width = placeholder.partition(":")
    if kind == "SPAN":
        return str(span).zfill(int(width or 0))
    day = _day(span)
    return {"YYYY": f"{day.year:04}", "MM": f"{day.month:02}", "DD": f"{day.day:02}"}[kind]


def _day(span: int) -> datetime.date:
    return _FIRST_DAY + datetime.timedelta(days=span)


def _regex(name: str) -> str:
    parts = _PLACEHOLDER.split(name)
    names, placeholders = parts[::2], parts[1::2]
    groups = [f"(?P<{each.partition(':')[0]}>{_digits(each)})" for each in placeholders]
    return "".join(re.escape(text) + group for text, group in zip(names, [*groups, ""], strict=True))


def _digits(placeholder: str) -> str:
    kind, _, width = placeholder.partition(":")
    return rf"\d{{{width}}}" if width else _DIGITS[kind]


def _number(match: re.Match[str]) -> int:
    found = match.groupdict()
    if "SPAN" in found:
        return int(found["SPAN"])
    return (datetime.date(*(int(found[each]) for each in _DATE)) - _FIRST_DAY).days

"""Examples as they lie: takes in Parquet, CSV and what has no splits, for the commands that read examples."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosskd.launch import choose_window, is_saved_model, only_run_in, surface_folder
from crosskd.terminal import TERMINAL
from schema.candidates import CANDIDATES
from schema.errors import InputError

if TYPE_CHECKING:
    from records.intake import TakenIn
    from records.spans import Window

_LOG = "logs/examples.log"


def at_hand(
    surface: str, examples: Path, root: Path, span: str | None = None, length: int | None = None
) -> tuple[Path, Window | None]:
    """The examples as all else reads them: folders with `train/` and `eval/`, gzipped TFRecords.

    Args:
      surface: Surface folder, or the name of a shipped surface.
      examples: What the user gave.
      root: Of the run; what must be taken in is kept there, and taken in again when it has changed.
      span: As `records.spans.choose` takes it, like `length`.
      length: Spans in the window.

    Returns:
      The folder, and the window of spans; None where the examples are not in spans.

    Raises:
      InputError: They cannot be read, or cannot be divided.
    """
    window = None if _is_uri(examples) else choose_window(examples, span, length)
    folders = [window.folders.folder(each) for each in window.spans] if window else [examples]
    if not any(_must_be_taken_in(each) for each in folders):
        return examples, window
    base = window.folders.base if window else examples
    kept = root / "examples" / hashlib.sha256(str(base).encode()).hexdigest()[:12]
    with only_run_in(root):
        for each in folders:
            into = kept / each.relative_to(base) if window else kept
            _take_in(surface, each, into, root / _LOG)
    if window is None:
        return kept, None
    # With its placeholders, so that the spans are found there again.
    return kept / window.folders.name, replace(window, folders=replace(window.folders, base=kept))


@contextmanager
def at_hand_for_now(
    surface: str, examples: Path, span: str | None, length: int | None
) -> Iterator[tuple[Path, str | None, int | None]]:
    """The same for a command that has no `root`: examples, span and length as `choose_window` takes them.

    What had to be taken in is gone afterwards.  Spans that cannot be chosen are left to whoever chooses them.
    """
    try:
        _ = None if _is_uri(examples) else choose_window(examples, span, length)
    except InputError:
        yield examples, span, length
        return
    with tempfile.TemporaryDirectory(prefix="crosskd-") as root:
        found, window = at_hand(surface, examples, Path(root), span, length)
        yield found, *((str(window), None) if window else (span, length))


@contextmanager
def for_now(surface: str, examples: Path, *only: str) -> Iterator[Path]:
    """The same for a command that has no `root`; what had to be taken in is gone afterwards.

    Args:
      surface: Surface folder, or the name of a shipped surface.
      examples: What the user gave.
      only: The splits that are wanted; all by default.
    """
    if not _must_be_taken_in(examples):
        yield examples
        return
    with tempfile.TemporaryDirectory(prefix="crosskd-") as folder:
        into = Path(folder) / "examples"
        _take_in(surface, examples, into, Path(folder) / _LOG, *only)
        yield into


@contextmanager
def source_for_now(source: Path | None, examples: Path | None) -> Iterator[Path | None]:
    """A source domain's folder: surface and schema with `train/` beside them; None for None.

    Args:
      source: The surface folder.
      examples: Its examples, where they do not lie in that folder.
    """
    if source is None or (examples is None and not _must_be_taken_in(source)):
        yield source
        return
    from schema.loader import SCHEMA_FILE, SURFACE_FILE
    from schema.surface import TRAIN_SPLIT

    with for_now(str(source), examples or source, TRAIN_SPLIT) as folder, tempfile.TemporaryDirectory() as both:
        for name in (SURFACE_FILE, SCHEMA_FILE):
            (Path(both) / name).symlink_to((source / name).resolve())
        (Path(both) / TRAIN_SPLIT).symlink_to((folder / TRAIN_SPLIT).resolve())
        yield Path(both)


def pairs_from_at_hand(surface: str, given: Mapping[str, Path], root: Path) -> dict[str, Path]:
    """The folders that pairs are made of, which have no splits, as gzipped TFRecords.

    Args:
      surface: Surface folder, or the name of a shipped surface.
      given: Folders by `schema.candidates.PAIRS_FROM`.
      root: As `at_hand` takes it.

    Raises:
      InputError: The surface has no use for them, or they cannot be read.
    """
    if given:
        from schema.loader import load_surface
        from schema.pairs import check_pairs_from

        check_pairs_from(load_surface(surface_folder(surface)).surface, given)
    return {name: _whole_at_hand(surface, name, folder, root) for name, folder in given.items()}


@contextmanager
def pairs_from_for_now(surface: str, given: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """The same for a command that has no `root`; what had to be taken in is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="crosskd-") as root:
        yield pairs_from_at_hand(surface, given, Path(root))


def _whole_at_hand(surface: str, name: str, folder: Path, root: Path) -> Path:
    from records.table_files import Format, splits_of

    if not _is_uri(folder) and not folder.exists():
        return folder
    into = root / "examples" / f"{name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if name != CANDIDATES and is_saved_model(folder):
        return _known_ids(surface, name, folder, into, root)
    formats = {file.format for files in splits_of(folder).values() for file in files}
    if not _is_uri(folder) and formats == {Format.TFRECORDS}:
        return folder
    with only_run_in(root):
        _take_in(surface, folder, into, root / _LOG, "", of_pairs=name)
    return into


def _known_ids(surface: str, name: str, teacher: Path, into: Path, root: Path) -> Path:
    """A catalogue of the ids that a teacher knows."""
    from schema.loader import load_surface

    loaded = load_surface(surface_folder(surface))
    with only_run_in(root), TERMINAL.noise_to(root / _LOG):
        from crosskd.known_ids import write_known_ids

        count = write_known_ids(loaded, name, teacher, into)
        TERMINAL.say(f"{name}: {count:,} ids that {teacher} knows")
    return into


def _is_uri(examples: Path) -> bool:
    from records.table_files import is_uri

    return is_uri(examples)


def _must_be_taken_in(examples: Path) -> bool:
    from records.table_files import holds_tables

    return _is_uri(examples) or holds_tables(examples)


def _take_in(surface: str, examples: Path, into: Path, log: Path, *only: str, of_pairs: str | None = None) -> TakenIn:
    from records.table_files import uri_of
    from schema.loader import load_surface

    into.parent.mkdir(parents=True, exist_ok=True)
    loaded = load_surface(surface_folder(surface))
    with TERMINAL.noise_to(log):
        TERMINAL.say(f"taking in {uri_of(examples)}")
        from records.intake import reading_of, reading_of_pairs, take_in

        reading = reading_of(loaded) if of_pairs is None else reading_of_pairs(loaded, of_pairs)
        found = take_in(examples, reading, into, only)
    rows = ", ".join(f"{count:,} {split}".rstrip() for split, count in found.rows.items())
    TERMINAL.say(f"  {rows} examples ({found.what}){', as before' if found.again else ''}: {found.folder}")
    return found

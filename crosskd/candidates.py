"""`--candidates`, `--people` and `--items`: what unlabelled pairs are made of beside the examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from schema.candidates import CANDIDATES, ITEMS, PEOPLE

if TYPE_CHECKING:
    from pipeline.settings import Settings


def pairs_from(candidates: Path | None, people: Path | None, items: Path | None) -> dict[str, Path]:
    """The folders that were given, by `schema.candidates.PAIRS_FROM`."""
    given = {CANDIDATES: candidates, PEOPLE: people, ITEMS: items}
    return {name: folder for name, folder in given.items() if folder is not None}


def with_pairs_from(settings: Settings, given: Mapping[str, Path]) -> Settings:
    """The settings of a run that makes its unlabelled pairs of these folders.

    Raises:
      InputError: A folder is not usable.
    """
    if not given:
        return settings
    from pipeline.settings import Folder
    from records.examples import check_candidates
    from records.fingerprint import fingerprint

    found = {}
    for name, folder in given.items():
        check_candidates(folder)
        path = str(folder.resolve())
        found[name] = Folder(path, fingerprint(path))
    return replace(settings, pairs_from=found)

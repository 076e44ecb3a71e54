"""`--candidates`: unlabelled pairs out of the user's own logs, not put together from the examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from schema.errors import InputError

if TYPE_CHECKING:
    from pipeline.settings import Settings


def with_candidates(settings: Settings, folder: Path | None) -> Settings:
    """The settings of a run that reads its unlabelled pairs from `folder`; the same ones for None.

    Raises:
      InputError: The surface asks for no pairs, or the folder is not usable.
    """
    if folder is None:
        return settings
    from records.examples import check_candidates
    from records.fingerprint import fingerprint

    if settings.surface.unlabelled is None:
        raise InputError(
            f"--candidates {folder}: surface {settings.surface.name!r} has no `unlabelled:` section, so nothing would "
            "be trained on them; add `unlabelled: {per_row: 5}` to its surface.yaml"
        )
    check_candidates(folder)
    path = str(folder.resolve())
    return replace(settings, candidates=path, candidates_fingerprint=fingerprint(path))

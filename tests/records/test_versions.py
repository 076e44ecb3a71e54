"""The way back from what serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from records.versions import Versions


def history(folder: Path, restores: dict[int, int | None]) -> list[tuple[int, int]]:
    for version in restores:
        (folder / str(version)).mkdir()
    return [(push.version, push.original) for push in Versions(str(folder)).history(restores.get)]


@pytest.mark.parametrize(
    ("restores", "expected"),
    [
        ({}, []),
        ({1: None}, [(1, 1)]),
        ({1: None, 2: None, 3: None}, [(3, 3), (2, 2), (1, 1)]),
        # 2 was rolled back: what serves is 1, and nothing was served before it.
        ({1: None, 2: None, 3: 1}, [(3, 1)]),
        # Back twice, and then a push: 4 restores 1 by way of 3's place, 5 is new.
        ({1: None, 2: None, 3: None, 4: 2, 5: 1, 6: None}, [(6, 6), (5, 1)]),
        # A rollback that names a rollback, and one that names itself by mistake.
        ({1: None, 2: 1, 3: 2}, [(3, 1)]),
        ({1: None, 2: 2}, [(2, 2), (1, 1)]),
    ],
)
def test_rollbacks_are_looked_through(
    tmp_path: Path, restores: dict[int, int | None], expected: list[tuple[int, int]]
) -> None:
    assert history(tmp_path, restores) == expected

from __future__ import annotations

from pathlib import Path

from benchmarks.steps import reading
from tests.models.conftest import SURFACE


def test_what_is_written_is_what_is_read(tmp_path: Path):
    reading._write(tmp_path / "rows", SURFACE, 100)
    store, parsing, part = reading._first(SURFACE, str(tmp_path / "rows"), None)
    assert store.rows == 100
    assert store.row_bytes == 2 * 8 + 4 * (1 + 2 + 1) + 4 * 4
    assert parsing > 0
    assert part.steps == 3  # 80 rows of 100, in batches of 32

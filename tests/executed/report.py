"""Says how many lines ran, and which files have the most that did not: `python tests/executed/report.py`."""

from __future__ import annotations

import os
from pathlib import Path

import coverage
import executed_lines

_SHOWN = 15


def main() -> None:
    """Hands the counted lines to coverage.py, and prints the total and the least covered files."""
    folder = Path(os.environ[executed_lines.VARIABLE])
    names = {str(file): file.relative_to(executed_lines.ROOT).as_posix() for file in executed_lines.measured()}
    found = coverage.Coverage(data_file=str(folder / "coverage.sqlite"))
    found.get_data().erase()
    found.get_data().add_lines({file: executed_lines.executed(name) for file, name in names.items()})
    found.get_data().write()
    _print(found, list(names), folder / "coverage.txt")


def _print(found: coverage.Coverage, files: list[str], whole: Path) -> None:
    """Writes all files into `whole`, and the least covered ones and the total on standard output."""
    missing = {file: found.analysis2(file) for file in files}
    with whole.open("w", encoding="utf-8") as opened:
        total = found.report(file=opened, show_missing=True, sort="cover")
    print("The least covered files: lines that no test runs, of how many")
    least = sorted(files, key=lambda file: _share(missing[file]))
    for file in least[:_SHOWN]:
        _, statements, _, absent, text = missing[file]
        name = Path(file).relative_to(executed_lines.ROOT)
        print(f"  {len(absent):4d} of {len(statements):4d}  {name}: {text[:80]}{'...' * (len(text) > 80)}")
    print(f"Line coverage: {total:.1f}% of all lines; every file is in {whole}")


def _share(analysis: tuple) -> float:
    """The share of lines that ran; 1 for a file without any."""
    _, statements, _, absent, _ = analysis
    return 1 - len(absent) / len(statements) if statements else 1.0


if __name__ == "__main__":
    main()

"""Draws the README's picture of a report from a real run: `python docs/pictures.py ROOT`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from crosskd.summary import print_summary, summarize
from crosskd.terminal import TERMINAL

WIDTH = 118


def main(root: Path, out: Path) -> None:
    """Writes `out`, what `crosskd summary` prints about the newest run under `root`, as SVG."""
    TERMINAL.out = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    print_summary(summarize(root), as_json=False)
    # Rich's template fetches its font from the web; any monospaced one will do.
    template = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.S)
    TERMINAL.out.save_svg(str(out), title=f"crosskd summary --root {root}", code_format=template)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent / "summary.svg")

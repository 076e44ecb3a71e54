"""Draws what a terminal shows during a real run: `python docs/terminal.py OUT_FOLDER -- crosskd run ...`.

The command runs on a pseudo-terminal.  Three pictures are kept: while the teacher labels,
while the student trains, and at the end.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 118, 60
# Picture's name to what its last line must show: the live line, once it tells more than the time.
MOMENTS = {
    "labelling": re.compile(r"TeacherLabeler.*examples labelled in .*/s"),
    "training": re.compile(r"epoch (1\d|2\d)/"),
}
END = "finished"

_NEW_LINE = "\n"
_ERASE = "\x1b[2K"
_UP = re.compile(r"\x1b\[(\d*)A")
_CONTROL = re.compile(r"(\n|\r|\x1b\[2K|\x1b\[\d*A)|\x1b\[\?25[lh]")


def main(out: Path, command: Sequence[str]) -> int:
    """Runs `command`, writes the pictures into `out`, and returns its exit code."""
    out.mkdir(parents=True, exist_ok=True)
    screen = ""
    missing = dict(MOMENTS)
    process, chunks = _start(command)
    for chunk in chunks:
        screen += chunk
        lines = _lines(screen)
        for name, sought in list(missing.items()):
            if sought.search(Text.from_ansi(lines[-1]).plain):
                draw(lines, out / f"terminal-{name}.svg", " ".join(command))
                del missing[name]
    draw(_lines(screen), out / f"terminal-{END}.svg", " ".join(command))
    if missing:
        print(f"never seen: {', '.join(missing)}", file=sys.stderr)
    return process.wait()


def draw(lines: Sequence[str], file: Path, title: str) -> None:
    """Writes lines with ANSI colours as SVG, without a font from the web."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(_NEW_LINE.join(lines)), end="")
    template = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.S)
    console.save_svg(str(file), title=title, code_format=template)


def _start(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], Iterator[str]]:
    leader, follower = pty.openpty()
    size = {"COLUMNS": str(WIDTH), "LINES": str(HEIGHT), "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env={**os.environ, **size})
    os.close(follower)
    return process, _read(leader)


def _read(leader: int) -> Iterator[str]:
    """What the command writes, until it has closed the terminal (Linux says so by an input/output error)."""
    while True:
        try:
            chunk = os.read(leader, 1 << 16)
        except OSError:
            return
        if not chunk:
            return
        yield chunk.decode("utf-8", errors="replace").replace("\r\n", _NEW_LINE)


def _lines(screen: str) -> list[str]:
    """The lines of the screen as they stand, from what was written: rich goes up and erases what it takes back."""
    lines, row, restart = [""], 0, False
    for token in filter(None, _CONTROL.split(screen)):
        if token == _NEW_LINE:
            row, restart = row + 1, False
            lines += [""] * (row == len(lines))
        elif token in ("\r", _ERASE):
            restart = True
            if token == _ERASE:
                lines[row] = ""
        elif up := _UP.fullmatch(token):
            row -= int(up[1] or 1)
        else:
            lines[row] = token if restart else lines[row] + token
            restart = False
    return [line for index, line in enumerate(lines) if line or index < len(lines) - 1]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[sys.argv.index("--") + 1 :]))

"""The diagrams of the documentation: boxes on a grid and arrows between them, drawn as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

_BOX_WIDTH, _BOX_HEIGHT = 150, 54
_COLUMN, _ROW = 245, 92
_MARGIN = 12
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#17262b}.note{font-size:11px;fill:#7a8a8f}"
    "rect{fill:#e4f2f1;stroke:#3a8a85}.soft{fill:#fdf0d9;stroke:#c4882a}.stop{fill:#f8e0de;stroke:#b3524a}"
    "path{fill:none;stroke:#7a8a8f;stroke-width:1.6}.dashed{stroke-dasharray:5 4}"
)


@dataclass(frozen=True)
class Box:
    """A box at (column, row); `look` is soft for what comes from the teacher, stop for what ends a push."""

    column: float
    row: float
    text: str
    look: str = ""


@dataclass(frozen=True)
class Arrow:
    """From one box to another, with a word beside it."""

    start: str
    end: str
    note: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Diagram:
    """Boxes by name, arrows between them, and what it shows in one sentence."""

    says: str
    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]


DIAGRAMS = {
    "method": Diagram(
        "The teacher labels the target's examples as it is; the student learns both labels and serves its own heads",
        {
            "source": Box(0, 0, "source examples\n(data-rich product)"),
            "teacher": Box(1, 0, "teacher\nas it is", "soft"),
            "target": Box(0, 1, "target examples\n(small product)"),
            "soft": Box(2, 0, "soft labels\n(the teacher's logits)", "soft"),
            "student": Box(2, 1, "student"),
            "served": Box(3, 1, "serving heads"),
        },
        (
            Arrow("source", "teacher", "trained once", dashed=True),
            Arrow("target", "teacher"),
            Arrow("teacher", "soft"),
            Arrow("target", "student", "hard labels"),
            Arrow("soft", "student"),
            Arrow("student", "served", "exported"),
        ),
    ),
    "adaptation": Diagram(
        "Each input of the teacher is a column of the target, another one by `from`, or a default",
        {
            "columns": Box(0, 0.5, "the target's\ncolumns"),
            "from": Box(1, 0, "from: another name"),
            "default": Box(1, 1, "default: a constant"),
            "signature": Box(2, 0.5, "the teacher's\nsignature", "soft"),
            "good": Box(3, 0, "teacher/TASK,\nappended", "soft"),
            "letters": Box(3, 1, "dead letters", "stop"),
        },
        (
            Arrow("columns", "from"),
            Arrow("columns", "default", "absent"),
            Arrow("from", "signature"),
            Arrow("default", "signature", "fill rate"),
            Arrow("signature", "good"),
            Arrow("signature", "letters", "bad record"),
        ),
    ),
    "heads": Diagram(
        "Each task has its tower; a distillation head sits beside the serving head and is not exported",
        {
            "inputs": Box(0, 1, "features"),
            "trunk": Box(1, 1, "trunk\n(shared)"),
            "click": Box(2, 0.5, "tower: click"),
            "discovery": Box(2, 1.5, "tower: discovery"),
            "distil": Box(3, 0, "distillation head", "soft"),
            "hard": Box(3, 0.75, "serving head"),
            "hard2": Box(3, 1.5, "serving head"),
            "extra": Box(2, 2.25, "tower: non-serving", "soft"),
            "distil2": Box(3, 2.25, "non-serving head", "soft"),
        },
        (
            Arrow("inputs", "trunk"),
            Arrow("trunk", "click"),
            Arrow("trunk", "discovery"),
            Arrow("trunk", "extra", dashed=True),
            Arrow("click", "distil", dashed=True),
            Arrow("click", "hard"),
            Arrow("discovery", "hard2"),
            Arrow("extra", "distil2", dashed=True),
        ),
    ),
    "gates": Diagram(
        "A student is pushed if every gate holds and it serves as well as its control",
        {
            "student": Box(0, 0, "student"),
            "control": Box(0, 1, "control\n(no distillation)"),
            "last": Box(0, 2, "last blessed"),
            "metrics": Box(1, 1, "metrics per task\nand slice"),
            "serving": Box(1, 0, "serves like\nthe control?"),
            "gate": Box(2, 1, "BlessingGate"),
            "push": Box(3, 0.5, "pushed"),
            "stop": Box(3, 1.5, "not blessed\n(exit code 3)", "stop"),
        },
        (
            Arrow("student", "serving"),
            Arrow("student", "metrics"),
            Arrow("control", "metrics"),
            Arrow("last", "metrics"),
            Arrow("metrics", "gate"),
            Arrow("serving", "gate"),
            Arrow("gate", "push", "all hold"),
            Arrow("gate", "stop", "one fails"),
        ),
    ),
    "evidence": Diagram(
        "A gain counts as knowledge only if the student beats the control and both placebos",
        {
            "control": Box(0, 0, "control"),
            "student": Box(0, 1, "student", "soft"),
            "shuffled": Box(0, 2, "placebo:\nshuffled labels"),
            "noise": Box(0, 3, "placebo:\nrandom labels"),
            "seeds": Box(1, 1.5, "tuned alike,\npaired seeds"),
            "intervals": Box(2, 1.5, "differences with\njoint intervals"),
            "verdict": Box(3, 1.5, "knowledge,\nregularisation,\nnone or harm"),
        },
        (
            Arrow("control", "seeds"),
            Arrow("student", "seeds"),
            Arrow("shuffled", "seeds"),
            Arrow("noise", "seeds"),
            Arrow("seeds", "intervals"),
            Arrow("intervals", "verdict"),
        ),
    ),
    "runs": Diagram(
        "One root holds all runs of a surface: artifacts, metadata, logs and what is served",
        {
            "day1": Box(0, 0, "run, day 1"),
            "day2": Box(0, 1, "run, day 2"),
            "metadata": Box(1, 0, "metadata.sqlite"),
            "artifacts": Box(1, 1, "artifacts/"),
            "serving": Box(2, 0.5, "serving/SURFACE/\nrising versions"),
            "server": Box(3, 0.5, "model server"),
        },
        (
            Arrow("day1", "metadata"),
            Arrow("day1", "artifacts"),
            Arrow("day2", "metadata"),
            Arrow("day2", "artifacts"),
            Arrow("artifacts", "serving", "if blessed"),
            Arrow("serving", "server", "highest version"),
        ),
    ),
}


def all_as_svg() -> dict[str, str]:
    """Path in the site to SVG, for every diagram."""
    return {f"diagrams/{name}.svg": as_svg(diagram) for name, diagram in DIAGRAMS.items()}


def as_svg(diagram: Diagram) -> str:
    """The diagram as one SVG file, with its sentence as title."""
    width = max(box.column for box in diagram.boxes.values()) * _COLUMN + _BOX_WIDTH + 2 * _MARGIN
    height = max(box.row for box in diagram.boxes.values()) * _ROW + _BOX_HEIGHT + 2 * _MARGIN
    parts = [_arrow(diagram, arrow) for arrow in diagram.arrows] + [_box(box) for box in diagram.boxes.values()]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">'
        f"<title>{escape(diagram.says)}</title><style>{_STYLE}</style>"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8" style="fill:#7a8a8f;stroke:none"/></marker></defs>'
    )
    return f"{head}{''.join(parts)}</svg>\n"


def _box(box: Box) -> str:
    x, y = _corner(box)
    lines = box.text.split("\n")
    first = y + _BOX_HEIGHT / 2 + 5 - 8 * (len(lines) - 1)
    text = "".join(
        f'<text x="{x + _BOX_WIDTH / 2:g}" y="{first + 16 * index:g}" text-anchor="middle">{escape(line)}</text>'
        for index, line in enumerate(lines)
    )
    return f'<rect class="{box.look}" x="{x:g}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6"/>{text}'


def _arrow(diagram: Diagram, arrow: Arrow) -> str:
    start, end = diagram.boxes[arrow.start], diagram.boxes[arrow.end]
    (x1, y1), (x2, y2) = _corner(start), _corner(end)
    if start.column == end.column:
        x1, x2 = x1 + _BOX_WIDTH / 2, x2 + _BOX_WIDTH / 2
        y1, y2 = (y1 + _BOX_HEIGHT, y2) if y1 < y2 else (y1, y2 + _BOX_HEIGHT)
    else:
        x1, y1, y2 = x1 + _BOX_WIDTH, y1 + _BOX_HEIGHT / 2, y2 + _BOX_HEIGHT / 2
    middle = (x1 + x2) / 2
    note = (
        f'<text class="note" x="{middle:g}" y="{(y1 + y2) / 2 - 5:g}" text-anchor="middle">{escape(arrow.note)}</text>'
    )
    curve = f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
    return f'<path class="{"dashed" if arrow.dashed else ""}" d="{curve}" marker-end="url(#head)"/>{note}'


def _corner(box: Box) -> tuple[float, float]:
    return _MARGIN + box.column * _COLUMN, _MARGIN + box.row * _ROW

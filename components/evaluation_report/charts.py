"""How plots look, and how they become SVG that follows the page's colors.

Colors are those of Okabe and Ito, which color-blind readers tell apart, darkened on a light
page until they stand out from it; each model has a shape of its own besides.  A plot names
them as CSS variables, so that one drawing serves light and dark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

import altair as alt
import vl_convert

from contracts.roles import HEADINGS, ModelRole

STUDENT, CONTROL, TEACHER, LAST_BLESSED = (
    HEADINGS[role] for role in (ModelRole.STUDENT, ModelRole.CONTROL, ModelRole.TEACHER, ModelRole.LAST_BLESSED)
)
MODELS = (STUDENT, CONTROL, TEACHER, LAST_BLESSED)
_SHAPES = ("circle", "square", "triangle-up", "diamond")

# Names beside the rows of a plot: the page's font is not known here, so that there is room for a wide one.
_LETTER, _LONGEST_NAME = 7.3, 20
_NUMBER_EXTENT = 34
_MOST_WRITTEN = 6

# The width that a phone has room for; wider screens show several plots side by side.
WIDTH = 340
ROW = 30

INK, MUTED, FAINT = "var(--ink)", "var(--muted)", "var(--line)"
_SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", _SVG)

# The word by which plots mark what somebody wrote a description for; attributes that hold coordinates;
# and those that the page sets.
_TOLD = "data point"
_SHAPED = frozenset({"d", "transform", "x2", "y2"})
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_PAGE_SETS = frozenset({"role", "class", "font-family", "width", "height", "version", "pointer-events"})

Row = dict[str, Any]


def color(model: str) -> str:
    """The CSS variable of a model's color."""
    return f"var(--{model.replace(' ', '-')})"


def model_color(models: Iterable[str] = MODELS) -> alt.Color:
    """Encodes the field `model` by color."""
    named = list(models)
    return alt.Color("model:N", scale=alt.Scale(domain=named, range=[color(each) for each in named]), legend=None)


def model_shape() -> alt.Shape:
    """Encodes the field `model` by shape."""
    return alt.Shape("model:N", scale=alt.Scale(domain=list(MODELS), range=list(_SHAPES)), legend=None)


def names(field: str, rows: Sequence[Row]) -> alt.Y:
    """Encodes a field by row, with its values as names on the left; long ones are cut."""
    longest = min(max((len(str(row[field])) for row in rows), default=0), _LONGEST_NAME)
    extent = longest * _LETTER + 8
    axis = alt.Axis(minExtent=extent, maxExtent=extent, labelLimit=int(extent))
    return alt.Y(f"{field}:N", title=None, sort=None, axis=axis)


def whole(field: str, rows: Sequence[Row], title: str) -> alt.X:
    """Encodes a field of whole numbers along the plot, with a handful of them written below."""
    numbers = sorted({row[field] for row in rows})
    written = numbers[:: -(-len(numbers) // _MOST_WRITTEN)] if numbers else []
    axis = alt.Axis(format="d", values=written, grid=False)
    return alt.X(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=10))


def data(rows: Sequence[Row]) -> alt.Data:
    """Rows as a plot's data."""
    return alt.Data(values=list(rows))


def draw(*layers: alt.Chart, height: int) -> str:
    """Draws a plot.

    Args:
      *layers: Drawn one over the other; marks whose `description` is encoded and whose
        `ariaRoleDescription` is `data point` show it as a tooltip.
      height: The height of the whole drawing, in CSS pixels, axes included.

    Returns:
      An SVG element without script, hidden from screen readers: a table stands beside it.
    """
    sized = {"width": WIDTH, "height": height, "autosize": {"type": "fit", "contains": "padding"}}
    chart = {**alt.layer(*layers).to_dict(), **sized, "config": _theme()}
    return _plain(vl_convert.vegalite_to_svg(chart))


def _theme() -> dict[str, Any]:
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "gridColor": FAINT,
        "tickColor": FAINT,
        "domain": False,
        "ticks": False,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelPadding": 6,
        "labelFlush": False,
        "tickCount": 4,
    }
    return {
        "background": "transparent",
        "padding": {"left": 0, "right": 14, "top": 4, "bottom": 0},
        "view": {"stroke": None},
        "axis": axis,
        "axisXQuantitative": {"labelOverlap": "greedy", "labelSeparation": 8},
        "axisYQuantitative": {"minExtent": _NUMBER_EXTENT},
        "axisYDiscrete": {"grid": False, "labelColor": INK, "labelFontSize": 12, "labelLimit": 0},
        "point": {"filled": True, "opacity": 1, "size": 80},
        "line": {"strokeWidth": 2},
    }


def _plain(drawn: str) -> str:
    """Leaves out what the page sets (size, fonts, roles), and turns descriptions into tooltips."""
    root = ElementTree.fromstring(drawn)
    for parent in root.iter():
        for child in list(parent):
            if child.get("display") == "none":
                parent.remove(child)
    for element in root.iter():
        label = element.get("aria-label") if element.get("aria-roledescription") == _TOLD else None
        for name in [name for name in element.attrib if name.startswith("aria-") or name in _PAGE_SETS]:
            del element.attrib[name]
        for name in _SHAPED & element.attrib.keys():
            element.set(name, _LONG_NUMBER.sub(r"\1", element.attrib[name]))
        if label:
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = label
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return ElementTree.tostring(root, encoding="unicode")

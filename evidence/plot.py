"""A picture of an experiment: one self-contained SVG file, no scripts, no fonts to fetch."""

from __future__ import annotations

from html import escape

from evidence.result import Difference, ExperimentResult, Finding
from evidence.verdicts import Verdict

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 900, 300, 40, 22, 50
_GAP = 14
# Okabe and Ito's colors, which color-blind readers tell apart.
_COLORS = ("#0072B2", "#E69F00", "#CC79A7")
_VERDICT_COLORS = {
    Verdict.KNOWLEDGE: "#009E73",
    Verdict.REGULARISATION: "#B8860B",
    Verdict.NONE: "#666666",
    Verdict.HARM: "#D55E00",
}
_TICKS = 5


def forest(result: ExperimentResult) -> str:
    """Every candidate's differences with their intervals, overall, as SVG."""
    findings = [each for each in result.findings if each.slice is None and each.control is not None]
    rows = [(each, difference) for each in findings for difference in _differences(each)]
    reach = max([abs(value) for _, each in rows for value in (each.low, each.high)], default=0.0) or 1.0
    parts, y = [], _TOP
    for finding in findings:
        parts.append(_heading(finding, y))
        for color, difference in zip(_COLORS, _differences(finding), strict=False):
            y += _ROW
            parts.append(_row(difference, color, y, reach))
        y += _ROW + _GAP
    title = (
        f"{result.surface}: candidate minus another arm, {result.confidence:.0%} joint intervals, {result.seeds} seeds"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 30}" font-family="sans-serif" '
            'font-size="13">',
            f'<rect width="{_WIDTH}" height="{y + 30}" fill="white"/>',
            f'<text x="10" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
            *_axis(reach, y),
            *parts,
            "</svg>\n",
        ]
    )


def _differences(finding: Finding) -> list[Difference]:
    return [finding.control, *finding.placebos] if finding.control else []


def _heading(finding: Finding, y: int) -> str:
    text = f"{finding.candidate}: {finding.task} {finding.metric.upper()}"
    verdict = finding.verdict or Verdict.NONE
    return (
        f'<text x="10" y="{y + 4}" font-weight="bold">{escape(text)}</text>'
        f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end" font-weight="bold" '
        f'fill="{_VERDICT_COLORS[verdict]}">{verdict.value}</text>'
    )


def _row(difference: Difference, color: str, y: int, reach: float) -> str:
    low, mean, high = (_place(value, reach) for value in (difference.low, difference.mean, difference.high))
    numbers = f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    return (
        f"<g><title>{escape(difference.arm)}: {numbers}</title>"
        f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">minus {escape(difference.arm)}</text>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="3"/>'
        f'<circle cx="{mean:.1f}" cy="{y}" r="5" fill="{color}"/></g>'
    )


def _axis(reach: float, bottom: int) -> list[str]:
    lines = []
    for step in range(_TICKS):
        value = reach * (2 * step / (_TICKS - 1) - 1)
        x = _place(value, reach)
        stroke = "#333333" if step == _TICKS // 2 else "#dddddd"
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 14}" y2="{bottom}" stroke="{stroke}"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#555555">{value:+.3f}</text>')
    return lines


def _place(value: float, reach: float) -> float:
    return _LEFT + (value + reach) / (2 * reach) * (_WIDTH - _LEFT - _RIGHT)

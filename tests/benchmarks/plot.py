"""A plot of times as SVG, both axes logarithmic; no library is worth its weight for two lines and some text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 800, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 300, 44, 52
LABEL_HEIGHT = 15
OURS, FLOOR = "#c2410c", "#111827"
COLOURS = ("#2563eb", "#059669", "#7c3aed", "#0891b2", "#be185d", "#a16207", "#64748b")


@dataclass(frozen=True)
class Line:
    """One subject: its points (x, seconds), from left to right."""

    name: str
    points: tuple[tuple[float, float], ...]
    is_ours: bool = False
    is_floor: bool = False


@dataclass(frozen=True)
class Scale:
    """Logarithmic, from a value to a place in the picture."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return self.start + share * (self.end - self.start)


def plot(title: str, across: str, lines: Sequence[Line]) -> str:
    """The SVG text.

    Args:
        title: of the whole.
        across: what the x axis counts; the y axis has seconds.
        lines: at least one, with at least one point each; all values are above zero.
    """
    xs = sorted({x for line in lines for x, _ in line.points})
    ys = [y for line in lines for _, y in line.points]
    low, high = xs[0], xs[-1] if xs[-1] > xs[0] else xs[0] * 10
    horizontal = Scale(low, high, LEFT + 12, WIDTH - RIGHT)
    vertical = Scale(
        10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys)) + 1e-9), HEIGHT - BOTTOM, TOP
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="15" fill="#111827">{escape(title)}</text>',
    ]
    parts += _axes(across, xs, horizontal, vertical)
    colours = iter(COLOURS * len(lines))
    drawn = [(line, FLOOR if line.is_floor else OURS if line.is_ours else next(colours)) for line in lines]
    for line, colour in drawn:
        parts += _line(line, colour, horizontal, vertical)
    parts += _labels(drawn, vertical)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(across: str, xs: Sequence[float], horizontal: Scale, vertical: Scale) -> list[str]:
    right = WIDTH - RIGHT
    parts = []
    exponent = round(math.log10(vertical.low))
    while 10**exponent <= vertical.high * 1.001:
        y = vertical.place(10**exponent)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#d1d5db"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#4b5563">{10**exponent:g} s</text>')
        exponent += 1
    for x in xs:
        place = horizontal.place(x)
        parts.append(
            f'<text x="{place:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#4b5563">{x:,.0f}</text>'
        )
    middle = (LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle" fill="#4b5563">{escape(across)}</text>')
    return parts


def _line(line: Line, colour: str, horizontal: Scale, vertical: Scale) -> list[str]:
    places = [(horizontal.place(x), vertical.place(y)) for x, y in line.points]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 4"' if line.is_floor else ""
    width = 2.5 if line.is_ours else 1.5
    parts = [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>']
    return parts + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]


def _labels(drawn: Sequence[tuple[Line, str]], vertical: Scale) -> list[str]:
    """Each name at the end of its line, moved where two would cover each other."""
    parts = []
    bottom = float(HEIGHT)
    for line, colour in sorted(drawn, key=lambda one: one[0].points[-1][1]):
        end = line.points[-1][1]
        y = min(vertical.place(end) + 4, bottom - LABEL_HEIGHT)
        bottom = y
        shown = f"{end:.2g}" if end < 10 else f"{end:.0f}"
        bold = ' font-weight="bold"' if line.is_ours else ""
        text = f"{escape(line.name)} {shown} s"
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{y:.1f}" fill="{colour}"{bold}>{text}</text>')
    return parts

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plots as SVG: lines over sizes on two logarithmic axes, and bars. Text in, text out."""

from __future__ import annotations

import math
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 45
COLOURS = {"hero_proc": "#1a7f37", "floor": "#6e7781", "monit": "#bf3989", "supervisord": "#0969da", "s6": "#bc4c00",
           "systemctl": "#8250df", "systemd alone": "#8250df"}
STYLE = """<style>
text { font: 12px sans-serif; fill: #24292f } .title { font-weight: bold; font-size: 14px } .grid { stroke: #d0d7de }
rect.back { fill: #ffffff }
</style>"""


def _colour(name: str) -> str:
    return next((colour for start, colour in COLOURS.items() if name.startswith(start)), "#24292f")


def number(value: float) -> str:
    """Three digits, without an exponent."""
    if value == 0:
        return "0"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(text)}</text>'


def _page(title: str, height: float, parts: list[str]) -> str:
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">', STYLE,
                      f'<rect class="back" width="{WIDTH}" height="{height:.0f}"/>',
                      _text(WIDTH / 2, 22, title, "middle", "title"), *parts, "</svg>", ""])


def lines(title: str, unit: str, series: dict[str, list[tuple[float, float]]]) -> str:
    """A line for each name over the number of services; both axes are logarithmic, so a straight line is a power."""
    series = {name: [(x, y) for x, y in points if y > 0] for name, points in series.items()}
    points = [point for each in series.values() for point in each]
    if not points:
        return _page(title, HEIGHT, [])
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y = 10 ** math.floor(math.log10(min(y for _, y in points)))
    high_y = 10 ** math.ceil(math.log10(max(y for _, y in points) * 1.001))

    def at_x(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / low_x) / (math.log(high_x / low_x) or 1)

    def at_y(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(y / low_y) / math.log(high_y / low_y)

    parts = [_text(LEFT - 8, TOP - 8, unit, "end")]
    y = low_y
    while y <= high_y * 1.001:
        parts += [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y(y):.1f}" y2="{at_y(y):.1f}"/>',
                  _text(LEFT - 8, at_y(y) + 4, number(y), "end")]
        y *= 10
    for x in sorted({x for x, _ in points}):
        parts += [f'<line class="grid" x1="{at_x(x):.1f}" x2="{at_x(x):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>',
                  _text(at_x(x), HEIGHT - BOTTOM + 18, f"{x:g}", "middle")]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "services", "middle"))
    return _page(title, HEIGHT, parts + _line_parts(series, at_x, at_y))


def _line_parts(series: dict[str, list[tuple[float, float]]], at_x, at_y) -> list[str]:
    parts = []
    ends = sorted(((at_y(points[-1][1]), name) for name, points in series.items() if points))
    label_y = -math.inf
    for end_y, name in ends:
        points = series[name]
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_colour(name)}" stroke-width="2"/>')
        parts += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="{_colour(name)}"/>' for x, y in points]
        label_y = max(end_y + 4, label_y + 15)
        parts.append(_text(at_x(points[-1][0]) + 10, label_y, f"{name} {number(points[-1][1])}"))
    return parts


def bars(title: str, unit: str, groups: dict[str, dict[str, float | None]]) -> str:
    """Bars in groups, on a logarithmic scale; None is never, and drawn to the end."""
    values = [value for group in groups.values() for value in group.values() if value]
    if not values:
        return _page(title, HEIGHT, [])
    low, high = 10 ** math.floor(math.log10(min(values))), max(values) * 1.2
    left, room, y = 150, WIDTH - 150 - 110, TOP + 10
    parts: list[str] = []
    for group, each in groups.items():
        parts.append(_text(10, y + 12, group, kind="title"))
        y += 20
        for name, value in each.items():
            width = room if value is None else max(room * math.log(max(value, low) / low) / math.log(high / low), 2)
            opacity = 0.25 if value is None else 1
            parts += [_text(left - 8, y + 12, name, "end"),
                      f'<rect x="{left}" y="{y}" width="{width:.1f}" height="15" fill="{_colour(name)}" opacity="{opacity}"/>',
                      _text(left + width + 6, y + 12, "never" if value is None else f"{number(value)} {unit}")]
            y += 19
        y += 8
    return _page(f"{title} (logarithmic)", y + 10, parts)

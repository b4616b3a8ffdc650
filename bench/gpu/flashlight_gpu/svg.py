# SPDX-License-Identifier: Apache-2.0
"""Two plots as SVG text: groups of horizontal bars, and lines over named positions."""

from xml.sax.saxutils import escape

COLOURS = ("#d9480f", "#1864ab", "#2b8a3e", "#862e9c", "#5c940d", "#0b7285", "#a61e4d", "#495057", "#e67700", "#364fc7", "#087f5b")
FONT = 'font-family="system-ui, sans-serif" font-size="12"'


def _text(x, y, text, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT} {more}>{escape(str(text))}</text>'


def _document(width, height, title, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">'
    background = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", background, _text(12, 22, title, more='font-weight="bold"'), *parts, "</svg>"]) + "\n"


def _legend(names, colours, x, y):
    parts = []
    for k, name in enumerate(names):
        parts.append(f'<rect x="{x + 130 * (k % 6)}" y="{y + 18 * (k // 6)}" width="11" height="11" fill="{colours[name]}"/>')
        parts.append(_text(x + 130 * (k % 6) + 16, y + 18 * (k // 6) + 10, name))
    return parts


def round_up(x):
    """The next of 1, 2, 2.5, 5 times a power of ten, for an axis."""
    if x <= 0:
        return 1.0
    power = 10.0 ** len(str(int(x)))
    for _ in range(20):
        for factor in (10.0, 5.0, 2.5, 2.0, 1.0):
            if factor * power / 10 < x:
                return previous
            previous = factor * power / 10
        power /= 10
    return previous


def colours_of(names):
    return {n: COLOURS[k % len(COLOURS)] for k, n in enumerate(names)}


def bars(title, unit, groups, mark=None):
    """groups: [(label, [(name, value or None)])]; a None is drawn as absent. mark: (label, value), a vertical line."""
    names = list(dict.fromkeys(n for _, entries in groups for n, _ in entries))
    colours, left, right, row = colours_of(names), 170, 70, 14
    top = 42 + 18 * (1 + (len(names) - 1) // 6)
    largest = max([v for _, entries in groups for _, v in entries if v] + ([mark[1]] if mark else []) + [0])
    scale, width = (900 - left - right) / round_up(largest), 900
    parts, y = _legend(names, colours, 12, 34), top
    for label, entries in groups:
        parts.append(_text(left - 8, y + row * len(entries) / 2 + 4, label, "end"))
        for name, value in entries:
            if value is None:
                parts.append(_text(left + 4, y + 10, f"{name}: absent", more='fill="#868e96" font-style="italic"'))
            else:
                parts.append(f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="{row - 3}" fill="{colours[name]}"/>')
                parts.append(_text(left + value * scale + 4, y + 10, f"{value:.4g}"))
            y += row
        y += 10
    if mark:
        x = left + mark[1] * scale
        parts.append(f'<line x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{y}" stroke="#868e96" stroke-dasharray="4 3"/>')
        parts.append(_text(x, y + 14, mark[0], "middle", 'fill="#868e96"'))
    parts.append(f'<line x1="{left}" y1="{top - 6}" x2="{left}" y2="{y}" stroke="black"/>')
    parts.append(_text(width - 12, y + 14, unit, "end"))
    return _document(width, y + 26, title, parts)


def lines(title, unit, positions, series):
    """positions: labels along x; series: [(name, [value or None, ..])]."""
    names = [n for n, _ in series]
    colours, left, width, height = colours_of(names), 60, 900, 260
    top = 42 + 18 * (1 + (len(names) - 1) // 6)
    largest = round_up(max([v for _, values in series for v in values if v] + [0]))
    step = (width - left - 40) / max(1, len(positions) - 1)
    at = lambda k, v: (left + k * step, top + height * (1 - v / largest))  # noqa: E731
    parts = _legend(names, colours, 12, 34)
    for k in range(6):
        value = largest * k / 5
        y = at(0, value)[1]
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{width - 40}" y2="{y:.1f}" stroke="#e9ecef"/>')
        parts.append(_text(left - 6, y + 4, f"{value:.4g}", "end"))
    for k, label in enumerate(positions):
        parts.append(_text(at(k, 0)[0], top + height + 18, label, "middle"))
    for name, values in series:
        points = [at(k, v) for k, v in enumerate(values) if v is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[name]}"/>' for x, y in points]
    parts.append(_text(12, top - 4, unit))
    return _document(width, top + height + 30, title, parts)

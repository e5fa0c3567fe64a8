"""Figures as bars in an SVG file that reads well on a light and on a dark page."""

from collections.abc import Sequence
from math import log10
from xml.sax.saxutils import escape

from benches.figures import Figure

_WIDTH, _ROW, _LABEL, _VALUE = 720, 26, 200, 110
_OURS, _OTHERS, _BOUND = "#2a9d5c", "#8a94a6", "#d1495b"
_STYLE = "text{font:13px system-ui,sans-serif;fill:#57606a}.t{font-weight:600;font-size:14px}"


def bars(title: str, figures: Sequence[Figure], ours: str = "Freehold") -> str:
    """Return an SVG of one bar a figure, ours in a colour of its own, its bound as a mark.

    Where the largest is more than 20 times the smallest, the lengths are logarithms, and the title says so.
    """
    values = [one.value for one in figures if one.value > 0]
    largest, smallest = max(values, default=1.0), min(values, default=1.0)
    logarithmic = largest > 20 * smallest
    room = _WIDTH - _LABEL - _VALUE

    def length(value: float) -> float:
        if value <= 0:
            return 0.0
        if logarithmic:
            least = log10(smallest) - 0.5
            return room * (log10(value) - least) / (log10(largest) - least)
        return room * value / largest

    note = " (logarithmic)" if logarithmic else ""
    parts = [f'<text class="t" x="0" y="16">{escape(title + note)}</text>']
    for number, one in enumerate(figures):
        top = 28 + number * _ROW
        colour = _OURS if one.name.startswith(ours) else _OTHERS
        parts.append(f'<text x="{_LABEL - 8}" y="{top + 15}" text-anchor="end">{escape(one.name)}</text>')
        parts.append(f'<rect x="{_LABEL}" y="{top + 2}" width="{length(one.value):.1f}" height="18" fill="{colour}"/>')
        bound = one.most if one.most is not None else one.least
        if bound is not None:
            at = _LABEL + min(length(bound), room)
            parts.append(f'<path d="M{at:.1f} {top}v22" stroke="{_BOUND}" stroke-width="2"/>')
        told = f"{one.value:.3g} {one.unit}".strip()
        parts.append(f'<text x="{_LABEL + length(one.value) + 6:.1f}" y="{top + 15}">{escape(told)}</text>')
    height = 28 + len(figures) * _ROW + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title, {chr(34): "&quot;"})}"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )

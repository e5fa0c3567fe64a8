"""A file's text in the units that its pieces are made of: lines, each with its page and the headings above it."""

import re
from collections.abc import Iterator

from msgspec import Struct

_LINE = re.compile(r"[^\n]*(?:\n|$)")
_PAGE = re.compile(r"^\f(\d+)$")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")


class Parsed(Struct, frozen=True):
    """What was read in a file; `marked` says that it is Markdown, with the marks of its pages."""

    text: str
    marked: bool


class Line(Struct, frozen=True):
    """A line with its end, the page that it is on, and the headings above it, the outermost first."""

    text: str
    page: int | None = None
    headings: tuple[str, ...] = ()


def lines(parsed: Parsed) -> Iterator[Line]:
    """Yield the lines of what was read, without the marks of its pages."""
    page: int | None = None
    headings: list[tuple[int, str]] = []
    for found in _LINE.finditer(parsed.text):
        text = found[0]
        if not text:
            continue
        if parsed.marked:
            mark = _PAGE.match(text.rstrip("\n"))
            if mark is not None:
                page = int(mark[1])
                continue
            heading = _HEADING.match(text.rstrip("\n"))
            if heading is not None:
                headings = [one for one in headings if one[0] < len(heading[1])] + [(len(heading[1]), heading[2])]
        yield Line(text, page, tuple(title for _, title in headings))

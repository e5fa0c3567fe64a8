"""Texts cut into pieces that are short enough to be embedded, each beginning with the end of the one before."""

import re
from collections.abc import Iterable, Iterator
from math import ceil

from msgspec import Struct

from freehold.tools.sections import Line

_WORD = re.compile(r"\s*\S+\s*")
_LETTERS = re.compile(r"[A-Za-z]+")
_LETTERS_A_TOKEN = 5
_OTHERS_A_TOKEN = 1.5


class Chunk(Struct, frozen=True):
    """A piece of a text; `page` and `headings` are those of where it begins."""

    text: str
    page: int | None
    headings: tuple[str, ...]


def tokens(text: str) -> int:
    """About how many tokens a text has; seldom fewer than that for the models that it was compared with."""
    words = _LETTERS.findall(text)
    letters = sum(map(len, words))
    others = len(text) - letters - text.count(" ")
    return len(words) + sum(len(word) // (_LETTERS_A_TOKEN + 1) for word in words) + ceil(others / _OTHERS_A_TOKEN)


def chunks(lines: Iterable[Line], most: int, overlap: int) -> Iterator[Chunk]:
    """Yield pieces of at most `most` tokens, about; each repeats up to `overlap` tokens of the one before.

    A line, such as a row of a table, is cut only where it alone is longer; a heading goes with what follows it.
    """
    held: list[tuple[Line, int]] = []
    total = fresh = 0
    for line in _short(lines, most):
        size = tokens(line.text)
        if total + size > most and fresh:
            carried = _headings(held, most - size)
            whole = held[: len(held) - len(carried)]
            if chunk := _made(whole):
                yield chunk
            room = most - size - sum(count for _, count in carried)
            held = _tail(whole, min(overlap, room)) + carried
            total, fresh = sum(count for _, count in held), len(carried)
        held.append((line, size))
        total += size
        fresh += 1
    if fresh and (chunk := _made(held)):
        yield chunk


def _short(lines: Iterable[Line], most: int) -> Iterator[Line]:
    """Cut lines that are longer than `most` tokens between words and, where it must be, in them."""
    for line in lines:
        if tokens(line.text) <= most:
            yield line
            continue
        text, size = "", 0
        for word in _WORD.findall(line.text):
            for part in _parts(word, most):
                count = tokens(part)
                if text and size + count > most:
                    yield Line(text, line.page, line.headings)
                    text, size = "", 0
                text += part
                size += count
        if text:
            yield Line(text, line.page, line.headings)


def _parts(word: str, most: int) -> Iterator[str]:
    if tokens(word) <= most:
        yield word
    else:
        yield from (word[start : start + most] for start in range(0, len(word), most))


def _headings(held: list[tuple[Line, int]], room: int) -> list[tuple[Line, int]]:
    """The headings, and empty lines, at the end of what is held, unless that is all, or they find no room."""
    start = len(held)
    while start and _is_heading(held[start - 1][0]):
        start -= 1
    return held[start:] if start and sum(count for _, count in held[start:]) <= room else []


def _is_heading(line: Line) -> bool:
    text = line.text.strip()
    return not text or (
        bool(line.headings) and text.lstrip("# ").startswith(line.headings[-1]) and text.startswith("#")
    )


def _tail(held: list[tuple[Line, int]], most: int) -> list[tuple[Line, int]]:
    """The last lines that have at most `most` tokens together."""
    total, start = 0, len(held)
    while start and total + held[start - 1][1] <= most:
        start -= 1
        total += held[start][1]
    return held[start:]


def _made(held: list[tuple[Line, int]]) -> Chunk | None:
    text = "".join(line.text for line, _ in held).strip()
    if not text:
        return None
    first = next(line for line, _ in held if line.text.strip())
    return Chunk(text, first.page, first.headings)

"""JSON Lines: a stream of bytes, cut into lines in constant memory."""

from collections.abc import Iterator

from msgspec import Struct

_MARK = b"\xef\xbb\xbf"
"""What some programs put before the first line: the byte order mark of UTF-8."""


class Line(Struct, frozen=True):
    """A line that is not blank: its number from 1, and its place in bytes; `text` is None where it is too long."""

    number: int
    start: int
    length: int
    text: bytes | None


class Splitter:
    """Cuts chunks into lines, wherever the chunks end. A line ends with LF or CRLF; the last one may do without."""

    def __init__(self, longest: int) -> None:
        """Of a line with more than `longest` bytes nothing is kept."""
        self._longest = longest
        self._number = 0
        self._start = 0
        self._length = 0
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that end in a chunk."""
        *ends, rest = chunk.split(b"\n")
        for piece in ends:
            if self._length or piece.strip():
                self._grow(piece)
                yield from self._cut()
            else:  # blank, and there may be millions of them
                self._number += 1
                self._start += len(piece) + 1
        self._grow(rest)

    def end(self) -> Iterator[Line]:
        """Yield the line that ends with the stream, if there is one."""
        yield from self._cut()

    def _grow(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > self._longest + len(_MARK):
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _cut(self) -> Iterator[Line]:
        text, start, length = b"".join(self._pieces), self._start, self._length
        self._pieces.clear()
        self._number += 1
        self._start += length + 1
        self._length = 0
        if self._number == 1 and text.startswith(_MARK):
            text, start, length = text.removeprefix(_MARK), start + len(_MARK), length - len(_MARK)
        if length > self._longest:
            yield Line(self._number, start, length, None)
        elif text.strip():
            text = text.removesuffix(b"\r")
            yield Line(self._number, start, len(text), text)

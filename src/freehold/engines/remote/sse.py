"""Server-sent events, cut out of bytes that were cut anywhere."""

_LONGEST = 32 << 20


class TooLong(ValueError):
    """An event that is longer than any that an upstream has reason to send."""


class Events:
    """Feed it bytes; it returns the data of the events that are whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: bytes | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of each event that ends in these bytes. Raises TooLong."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST:
            raise TooLong
        found: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                piece = line[5:].strip()
                self._data = piece if self._data is None else self._data + b"\n" + piece
            elif self._data is not None and line in (b"", b"\r"):
                found.append(self._data)
                self._data = None
        return found

    def end(self) -> list[bytes]:
        """Return the data of an event that lacks only the empty line after it: nothing more comes."""
        return self.feed(b"\n\n")

"""Frames: how messages are told apart in a stream of bytes. Each is its length in four bytes, then that many bytes."""

from struct import Struct

_LENGTH = Struct(">I")


def frame(payload: bytes) -> bytes:
    """Return the payload with its length before it."""
    return _LENGTH.pack(len(payload)) + payload


class Unframer:
    """Cuts a stream of bytes into the payloads of its frames."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream and return the payloads that are now complete, oldest first."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:  # an image comes in hundreds of pieces: they are not joined for each
                return []
            data = bytes(self._rest)
        payloads: list[bytes] = []
        start, end = 0, len(data)
        while end - start >= 4:
            stop = start + 4 + _LENGTH.unpack_from(data, start)[0]
            if stop > end:
                self._wanted = stop - start
                break
            payloads.append(data[start + 4 : stop])
            start = stop
        else:
            self._wanted = 4
        self._rest = bytearray(data[start:])
        return payloads

"""Frames: how messages are told apart in a stream of bytes. Each is its length in four bytes, then that many bytes."""

from struct import Struct

_LENGTH = Struct(">I")


def frame(payload: bytes) -> bytes:
    """Return the payload with its length before it."""
    return _LENGTH.pack(len(payload)) + payload


class Unframer:
    """Cuts a stream of bytes into the payloads of its frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream and return the payloads that are now complete, oldest first."""
        if self._rest:
            data = self._rest + data
        payloads: list[bytes] = []
        start, end = 0, len(data)
        while end - start >= 4:
            stop = start + 4 + _LENGTH.unpack_from(data, start)[0]
            if stop > end:
                break
            payloads.append(data[start + 4 : stop])
            start = stop
        self._rest = data[start:]
        return payloads

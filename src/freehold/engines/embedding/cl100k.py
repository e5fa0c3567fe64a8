"""The tokens of the real embedding models (`cl100k_base`), read as text: clients send them in place of texts."""

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

from freehold.core.errors import EngineFailed, Invalid
from freehold.engines.registry import Find

NAME = "cl100k_base"


class Cl100k:
    """The vocabulary, which is fetched and read when it is first used."""

    def __init__(self, find: Find) -> None:
        """`find` returns the vocabulary's file, in the format of tiktoken: a token in base64 and its number a line."""
        self._find = find
        self._lock = asyncio.Lock()
        self._parts: tuple[bytes, ...] = ()

    async def text(self, tokens: Sequence[int], param: str) -> str:
        """Return what tokens stand for; a character that is cut in the middle is U+FFFD.

        Raises Invalid, naming `param`, for a token that there is not, EngineFailed when the vocabulary cannot be had.
        """
        async with self._lock:
            if not self._parts:
                self._parts = await asyncio.to_thread(self._read)
        try:
            return b"".join([self._parts[token] for token in tokens]).decode(errors="replace")
        except IndexError:
            wrong = next(token for token in tokens if token >= len(self._parts))
            raise Invalid(f"Invalid token in '{param}': {wrong}.", "invalid_value", param) from None

    def _read(self) -> tuple[bytes, ...]:
        try:
            return parts(self._find(NAME))
        except Exception as error:
            raise EngineFailed(
                f"Arrays of tokens for this model are those of {NAME}, whose vocabulary cannot be had: {error} Send "
                f"texts, or fetch it with `freehold models pull {NAME}`."
            ) from error


def parts(file: Path) -> tuple[bytes, ...]:
    """Return the bytes of each token. Raises OSError, ValueError."""
    lines = (line.split() for line in file.read_bytes().splitlines())
    found = {int(number): b64decode(part) for part, number in lines}
    return tuple(found[number] for number in range(len(found)))

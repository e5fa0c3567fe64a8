"""Object ids: a prefix that names the noun, then the time and 18 random bytes in hex, as OpenAI writes them."""

import os
import time
from collections import deque
from collections.abc import Callable

Mint = Callable[[str], str]
Clock = Callable[[], float]

_STORED = 256


class _Random:
    """Random bytes in hex, in store: every answer takes a few, and asking the kernel for each is slower.

    Threads may share one: a piece is taken out of the store by one step that nothing interrupts.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._store = deque[str]()
        os.register_at_fork(after_in_child=self._store.clear)  # or both processes would give out the same

    def take(self) -> str:
        """Return `2 * size` hexadecimal digits that nobody can guess and that were never returned before."""
        while True:
            try:
                return self._store.popleft()
            except IndexError:
                digits, length = os.urandom(_STORED * self._size).hex(), 2 * self._size
                self._store.extend(digits[at : at + length] for at in range(0, len(digits), length))


_IDS, _PADDING = _Random(18), _Random(24)


def random_id(prefix: str) -> str:
    """Return `prefix` followed by 48 hexadecimal digits, e.g. `resp_` → `resp_68af…`.

    The first 8 are the unix time, the next 4 its fraction: what is stored together stands together in the indexes of
    the database, which then writes fewer pages.
    """
    return f"{prefix}{time.time_ns() * 65_536 // 1_000_000_000:012x}{_IDS.take()}"


def random_padding() -> str:
    """Return 48 hexadecimal digits that nobody can guess."""
    return _PADDING.take()

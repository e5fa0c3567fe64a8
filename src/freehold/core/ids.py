"""Object ids: a prefix that names the noun, then the time and 18 random bytes in hex, as OpenAI writes them."""

import os
import time
from collections.abc import Callable

Mint = Callable[[str], str]
Clock = Callable[[], float]


def random_id(prefix: str) -> str:
    """Return `prefix` followed by 48 hexadecimal digits, e.g. `resp_` → `resp_68af…`.

    The first 8 are the unix time, the next 4 its fraction: what is stored together stands together in the indexes of
    the database, which then writes fewer pages.
    """
    return f"{prefix}{time.time_ns() * 65_536 // 1_000_000_000:012x}{os.urandom(18).hex()}"


def random_padding() -> str:
    """Return 48 hexadecimal digits that nobody can guess."""
    return os.urandom(24).hex()

"""Object ids: a prefix that names the noun, then 24 random bytes in hex, as OpenAI writes them."""

import secrets
from collections.abc import Callable

Mint = Callable[[str], str]
Clock = Callable[[], float]


def random_id(prefix: str) -> str:
    """Return `prefix` followed by 48 hexadecimal digits, e.g. `resp_` → `resp_68af…`."""
    return prefix + secrets.token_hex(24)

"""The words of a text, as keyword search compares them."""

import re
import struct
import zlib
from collections import Counter

_WORD = re.compile(r"[^\W_]+")
_JOINED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f]+")
_LONGEST = 64
_PLURAL = 4
MOST_COUNTED = 255


def terms(text: str) -> list[int]:
    """Return a text's words in their order, each as a number of 32 bits.

    Case does not count, nor does the plural s of English. Scripts without spaces are read as pairs of characters.
    """
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _JOINED.search(word):
            found += _pairs(word)
        elif len(word) >= _PLURAL and word.endswith("s") and not word.endswith("ss"):
            found.append(word[:-1])
        else:
            found.append(word[:_LONGEST])
    return [zlib.crc32(word.encode()) for word in found]


def packed(text: str) -> bytes:
    """Return the terms of a text for its row: each as a number of 32 bits, then how often each is there, in a byte."""
    counted = sorted(Counter(terms(text)).items())
    numbers = struct.pack(f"<{len(counted)}I", *(number for number, _ in counted))
    return numbers + bytes(min(count, MOST_COUNTED) for _, count in counted)


def _pairs(word: str) -> list[str]:
    return [word[place : place + 2] for place in range(max(1, len(word) - 1))]

"""The normalisation of a SentencePiece model, as llama.cpp reads it: a trie of replacements, in a double array."""

from array import array
from collections.abc import Mapping
from itertools import count

_LEAF, _VALUE = 1 << 8, 1 << 31
_BLOCK = 256


def charsmap(replaced: Mapping[str, str]) -> bytes:
    """Return the `precompiled_charsmap` that replaces each key by its value; the longest key that fits wins.

    The layout is that of darts-clone (github.com/s-yata/darts-clone): the child of a node by the byte `c` is at (node
    XOR offset XOR c). Of a unit, the low byte is its `c`, bit 8 says that a key ends there, and the bits from 10 on are
    the offset. Each node with children has a block of 256 units to itself, which wastes a little and is simple.
    """
    values, texts = dict[str, int](), b""
    for text in dict.fromkeys(replaced.values()):
        values[text] = len(texts)
        texts += text.encode() + b"\0"
    children: dict[bytes, set[int]] = {b"": set()}
    keys = {key.encode(): values[text] for key, text in replaced.items()}
    for key in keys:
        for length in range(len(key)):
            children.setdefault(key[:length], set()).add(key[length])
    blocks = dict(zip(children, count(_BLOCK, _BLOCK), strict=False))
    ends = dict(zip((key for key in keys if key not in children), count((len(blocks) + 1) * _BLOCK), strict=False))
    units = array("I", bytes(4 * ((len(blocks) + 1) * _BLOCK + len(ends))))
    units[0] = blocks[b""] << 10
    for prefix, labels in children.items():
        for label in labels:
            place, child = blocks[prefix] ^ label, prefix + bytes((label,))
            base = blocks.get(child, ends.get(child, 0))
            units[place] = (place ^ base) << 10 | label | (_LEAF if child in keys else 0)
            if child in keys:
                units[base] = _VALUE | keys[child]
    packed = units.tobytes()
    return len(packed).to_bytes(4, "little") + packed + texts

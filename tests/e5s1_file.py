"""A model in the E5S1 format with random weights, of one layer, for words that are given."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

WIDTH, INNER, CONTEXT = 32, 64, 64
_WHOLE = ("emb.pos", "emb.type", "emb.ln.w", "emb.ln.b", *(f"l0.{one}.b" for one in ("q", "k", "v", "ao", "fi", "fo")))


def e5s1(words: Sequence[str], replaced: Mapping[str, str], spare: int = 2) -> bytes:
    """The file. Its first tokens are the special ones, its last `<mask>`, and `spare` rows have none."""
    pieces = [one.encode() for one in ("<s>", "<pad>", "</s>", "<unk>", *words, "<mask>")]
    rows = len(pieces) + spare
    bounds = np.cumsum([0, *map(len, pieces)]).tolist()
    made = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, 1, 2, INNER, rows, CONTEXT, 2, 1e-12, 32)
    made += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, bounds[-1]) + struct.pack(f"<{len(bounds)}I", *bounds)
    made += struct.pack(f"<{len(pieces)}f", *(0.0 if one.startswith(b"<") else -1.0 for one in pieces)) + b"".join(
        pieces
    )
    table = b"".join(struct.pack(f"<IB{len(to)}I", ord(one), len(to), *map(ord, to)) for one, to in replaced.items())
    made += struct.pack("<iI", len(replaced), len(table)) + table
    return made + _tensors(rows, len(made))


def _tensors(rows: int, place: int) -> bytes:
    chance, described, data = np.random.default_rng(1), b"", b""
    sizes = {"emb.pos": CONTEXT * WIDTH, "emb.type": 2 * WIDTH, "l0.fi.b": INNER}
    flat = [*_WHOLE, *(f"l0.{norm}.{end}" for norm in ("aln", "oln") for end in "wb")]
    found: dict[str, tuple[int, int, bytes]] = {}
    for name in flat:
        size = sizes.get(name, WIDTH)
        values = np.ones(size) if name.endswith("ln.w") else chance.standard_normal(size) * 0.1
        found[name] = (0, size, values.astype("<f4").tobytes())
    matrices = {"emb.word": rows * WIDTH} | {f"l0.{one}.w": WIDTH * WIDTH for one in ("q", "k", "v", "ao")}
    for name, size in (matrices | {"l0.fi.w": WIDTH * INNER, "l0.fo.w": WIDTH * INNER}).items():
        blocks = (np.float16(0.05).tobytes() + chance.bytes(16) for _ in range(size // 32))
        found[name] = (1, size, b"".join(blocks))
    place += 4 + sum(2 + len(name) + 21 for name in found)
    for name, (kind, size, values) in found.items():
        described += struct.pack("<H", len(name)) + name.encode()
        described += struct.pack("<BIQQ", kind, size, place + len(data), len(values))
        data += values
    return struct.pack("<i", len(found)) + described + data

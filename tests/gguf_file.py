"""GGUF files of the tests' own: headers, tensors of random weights, and a vision projector made of them."""

import random
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from struct import pack

Value = int | float | bool | str | Sequence[float]

_ALIGNMENT = 32
_U32, _F32, _BOOL, _STRING, _ARRAY = 4, 6, 7, 8, 9


def write_gguf(path: Path, header: Mapping[str, Value], tensors: Mapping[str, Sequence[int]]) -> None:
    """Write a GGUF file with float32 tensors of the given shapes, innermost dimension first, filled at random."""
    chance = random.Random(0)  # noqa: S311  weights, not secrets
    described, data = b"", b""
    for name, shape in tensors.items():
        size = 1
        for length in shape:
            size *= length
        described += _text(name) + pack("<I", len(shape)) + pack(f"<{len(shape)}Q", *shape)
        described += pack("<IQ", 0, len(data))
        data += array("f", (chance.gauss(0, 0.1) for _ in range(size))).tobytes()
        data += bytes(-len(data) % _ALIGNMENT)
    pairs = b"".join(_text(key) + _value(value) for key, value in header.items())
    head = b"GGUF" + pack("<IQQ", 3, len(tensors), len(header)) + pairs + described
    path.write_bytes(head + bytes(-len(head) % _ALIGNMENT) + data)


def write_projector(path: Path, width: int) -> None:
    """Write a vision projector (a LLaVA one: one layer, 14 x 14 patches of 56 x 56 pixels) for a model `width` wide.

    An image is 16 tokens.
    """
    wide, patch, side = 16, 14, 56
    header: dict[str, Value] = {
        "general.architecture": "clip",
        "clip.has_vision_encoder": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": True,
        "clip.vision.image_size": side,
        "clip.vision.patch_size": patch,
        "clip.vision.embedding_length": wide,
        "clip.vision.feed_forward_length": 2 * wide,
        "clip.vision.projection_dim": width,
        "clip.vision.block_count": 1,
        "clip.vision.attention.head_count": 2,
        "clip.vision.attention.layer_norm_epsilon": 1e-5,
        "clip.vision.image_mean": (0.5, 0.5, 0.5),
        "clip.vision.image_std": (0.5, 0.5, 0.5),
    }
    block = {"ln1": (wide,), "ln2": (wide,)} | {f"attn_{one}": (wide, wide) for one in ("q", "k", "v", "out")}
    block |= {"ffn_down": (wide, 2 * wide), "ffn_up": (2 * wide, wide)}
    tensors: dict[str, Sequence[int]] = {
        "v.class_embd": (wide,),
        "v.patch_embd.weight": (patch, patch, 3, wide),
        "v.position_embd.weight": (wide, (side // patch) ** 2 + 1),
        "v.pre_ln.weight": (wide,),
        "v.pre_ln.bias": (wide,),
        "mm.0.weight": (wide, width),
        "mm.0.bias": (width,),
        "mm.2.weight": (width, width),
        "mm.2.bias": (width,),
    }
    for name, shape in block.items():
        tensors |= {f"v.blk.0.{name}.weight": shape, f"v.blk.0.{name}.bias": shape[-1:]}
    write_gguf(path, header, tensors)


def _text(value: str) -> bytes:
    data = value.encode()
    return pack("<Q", len(data)) + data


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return pack("<II", _U32, value)
    if isinstance(value, float):
        return pack("<If", _F32, value)
    if isinstance(value, str):
        return pack("<I", _STRING) + _text(value)
    return pack("<IIQ", _ARRAY, _F32, len(value)) + pack(f"<{len(value)}f", *value)

"""Reads what the header of a GGUF file says about the model, without loading it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from struct import Struct, error
from typing import BinaryIO

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_U32, _U64 = Struct("<I"), Struct("<Q")
_NUMBERS = {
    0: Struct("<B"),
    1: Struct("<b"),
    2: Struct("<H"),
    3: Struct("<h"),
    4: Struct("<I"),
    5: Struct("<i"),
    6: Struct("<f"),
    7: Struct("<?"),
    10: Struct("<Q"),
    11: Struct("<q"),
    12: Struct("<d"),
}
_STRING, _ARRAY = 8, 9
_BEFORE_PAIRS = 16  # bytes: the magic, the version and the number of tensors
_LONGEST_STRING = 1 << 26
_MOST_CONTEXT = 32_768
_MOST_OUTPUT = 4_096
_TYPICAL_PROMPT = 512

Value = int | float | bool | str


def read_header(path: Path) -> Mapping[str, Value]:
    """Return the values of the header by key, e.g. `llama.context_length`; of an array, the number of its values.

    Raises ValueError, with a sentence for a person, when the file is not a GGUF file that llama.cpp reads.
    """
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ValueError("it is not a GGUF file")
        try:
            version = _unpack(_U32, file)
            if version not in _VERSIONS:
                raise ValueError(f"it is a GGUF file of version {version}, and only versions 2 and 3 can be read")
            _unpack(_U64, file)
            return dict(_pairs(file, _unpack(_U64, file)))
        except (error, UnicodeDecodeError) as damage:
            raise ValueError("its header is damaged or cut off") from damage


def read_numbers(path: Path, key: str) -> tuple[float, ...]:
    """Return the numbers of an array in a header that `read_header` reads; none where it has no such array."""
    with path.open("rb") as file:
        file.seek(_BEFORE_PAIRS)
        for _ in range(_unpack(_U64, file)):
            name, kind = _string(file), _unpack(_U32, file)
            if name == key and kind == _ARRAY:
                form, count = _number(_unpack(_U32, file)), _unpack(_U64, file)
                return tuple(number for (number,) in form.iter_unpack(file.read(count * form.size)))
            _value(file, kind)
    return ()


def tensor_types(path: Path) -> frozenset[int]:
    """Return the types (ggml's numbers) of the tensors of a file whose header `read_header` reads."""
    with path.open("rb") as file:
        file.seek(_BEFORE_PAIRS - _U64.size)
        tensors, pairs = _unpack(_U64, file), _unpack(_U64, file)
        for _ in _pairs(file, pairs):
            pass
        found = set[int]()
        for _ in range(tensors):
            _string(file)
            file.seek(_unpack(_U32, file) * _U64.size, 1)  # its dimensions
            found.add(_unpack(_U32, file))
            _unpack(_U64, file)
        return frozenset(found)


def sizes(header: Mapping[str, Value], slots: int, context: int | None, pool: int | None) -> tuple[int, int]:
    """Return the tokens of the context and of the pool, from what the settings say of them."""
    trained = int(header.get(f"{header.get('general.architecture')}.context_length", _MOST_CONTEXT))
    most = min(context or _MOST_CONTEXT, trained)
    full_answers = slots * (min(_MOST_OUTPUT, most // 2) + _TYPICAL_PROMPT)
    return most, max(most, pool or min(full_answers, _MOST_CONTEXT))


def fingerprint(path: Path, version: str) -> str:
    """Return what changes with the file and with the version of what computes it."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    parts = (path.name, str(path.stat().st_size), version)
    return "fp_" + hashlib.sha256("\n".join(parts).encode() + head).hexdigest()[:10]


def _pairs(file: BinaryIO, count: int):
    for _ in range(count):
        key, kind = _string(file), _unpack(_U32, file)
        yield key, _value(file, kind)


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == _ARRAY:
        return _skip_array(file)
    return _string(file) if kind == _STRING else _unpack(_number(kind), file)


def _skip_array(file: BinaryIO) -> int:
    kind, count = _unpack(_U32, file), _unpack(_U64, file)
    if kind == _STRING:
        for _ in range(count):
            file.seek(_unpack(_U64, file), 1)
    elif kind == _ARRAY:
        for _ in range(count):
            _skip_array(file)
    else:
        file.seek(count * _number(kind).size, 1)
    return count


def _number(kind: int) -> Struct:
    if kind not in _NUMBERS:
        raise ValueError("its header is damaged or cut off")
    return _NUMBERS[kind]


def _string(file: BinaryIO) -> str:
    length = _unpack(_U64, file)
    if length > _LONGEST_STRING:
        raise ValueError("its header is damaged or cut off")
    return file.read(length).decode()


def _unpack(form: Struct, file: BinaryIO):
    return form.unpack(file.read(form.size))[0]

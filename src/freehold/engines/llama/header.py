"""Reads what the header of a GGUF file says about the model, without loading it."""

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
_LONGEST_STRING = 1 << 26

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


def _pairs(file: BinaryIO, count: int):
    for _ in range(count):
        key, kind = _string(file), _unpack(_U32, file)
        if kind == _ARRAY:
            yield key, _skip_array(file)
        else:
            yield key, _string(file) if kind == _STRING else _unpack(_number(kind), file)


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

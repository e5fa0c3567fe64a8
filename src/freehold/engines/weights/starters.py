"""The starter models, and what else is fetched: what each file must be, to the byte, and where it can be had from."""

from collections.abc import Callable
from importlib.resources import files
from typing import Literal

from msgspec import Struct, json


class Archive(Struct, frozen=True, forbid_unknown_fields=True):
    """A package archive that carries a part of a model file: `member` is its name inside; `sha256` is the archive's.

    `platform` is the one that it is for; as only data is taken from it, it serves all.
    """

    package: str
    version: str
    sha256: str
    member: str
    platform: str | None = None


class Starter(Struct, frozen=True, forbid_unknown_fields=True):
    """A model that is known by name. `size` in bytes and `sha256` are of the finished file.

    `hub` is `owner/repo:file` on the hub, None where no file there is known to be the same; `archives` are in the order
    in which their members are joined; with `zipped_at`, that is (a part of) a zip, and the file is the member whose
    header stands at this byte; with `form`, it is in a format of its own that is rewritten as GGUF. A `hidden` one is
    for tests, or no model: the vocabulary of `tokens`.
    """

    name: str
    about: str
    licence: str
    size: int
    sha256: str
    hub: str | None
    hidden: bool
    archives: tuple[Archive, ...]
    use: Literal["chat", "embeddings", "tokens"] = "chat"
    zipped_at: int | None = None
    form: Literal["", "e5s1"] = ""
    suffix: str = ".gguf"


def starters() -> dict[str, Starter]:
    """Return the starter models by name."""
    table = files("freehold.engines.weights").joinpath("starters.json").read_bytes()
    return {starter.name: starter for starter in json.decode(table, type=tuple[Starter, ...])}


LARGE, SMALL = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"
MEMORY_OF_LARGE = 6 * 1024**3
DISK_OF_LARGE = 3 * 1024**3


def default_name(memory: int, free: int, here: Callable[[str], bool]) -> str:
    """Return the starter for a machine: the larger one where `memory` and `free` disk, in bytes, suffice for it."""
    if memory < MEMORY_OF_LARGE:
        return SMALL
    return LARGE if here(LARGE) or free >= DISK_OF_LARGE else SMALL

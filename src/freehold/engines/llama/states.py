"""What llama.cpp has computed of texts, kept as files to go on from: found by their tokens, each for its owner only."""

import hashlib
import logging
import os
import secrets
import shutil
import sys
import time
import zlib
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

_MAGIC = b"qsgg"  # LLAMA_STATE_SEQ_MAGIC, as llama.cpp writes it; after it, a version and the number of tokens
_LISTED = b"\xff\xff\xff\xff"
_HEAD = 12
TOKEN = 4
"""The bytes of a token."""
_ENDING = ".state"
_UNFINISHED = ".unfinished"
_ABANDONED = 3600.0
_UNCHECKED = "memory"
_log = logging.getLogger(__name__)


class State(Struct, eq=False):
    """A file, whose it is (a hash), what was read (its tokens as 32-bit integers), its bytes and when it was used last.

    One of a `family` is kept longer than others.
    """

    path: Path
    owner: str
    family: bool
    tokens: bytes
    size: int
    used: float


class States:
    """The states in a folder, which other processes may use, too. One thread at a time.

    Where they take more than `most` bytes, those that were not used for the longest time go first, those of families
    last; after `seconds` without use each goes.
    """

    def __init__(self, folder: Path, most: int, seconds: float, clock: Callable[[], float] = time.time) -> None:
        """Make the folder, closed to other users, and look what is there. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._states: dict[str, State] = {}
        self._seen = 0
        _remove_old(folder, f"*{_UNFINISHED}", clock() - _ABANDONED)
        self._evict()

    def find(self, owner: str, tokens: bytes) -> tuple[State | None, int]:
        """Return the state of the owner that begins most like the tokens, and how many tokens they share."""
        self._look()
        mine, best, most = owner_mark(owner), None, 0
        for state in self._states.values():
            if state.owner != mine:
                continue
            shared = common(state.tokens, tokens)
            if shared > most or (best is not None and shared == most and state.size < best.size):
                best, most = state, shared
        return best, most

    def use(self, state: State) -> None:
        """Note that a state is used now."""
        state.used = self._clock()
        try:
            os.utime(state.path, (state.used, state.used))
        except OSError:
            self.drop(state)

    def drop(self, state: State) -> None:
        """Remove a state."""
        self._states.pop(state.path.name, None)
        state.path.unlink(missing_ok=True)

    def take(self, file: Path, owner: str, family: str | None, checksum: int | None = None) -> State | None:
        """Move a file that llama.cpp has written into the folder; None where it is none, or there is no room for it."""
        place = self.folder / _name(owner, family, checksum)
        if file.stat().st_size > self._most:
            file.unlink()
            return None
        file.chmod(0o600)
        file.replace(place)
        return self._took(place)

    def stage(self, state: State) -> tuple[Path, int]:
        """Copy a state of another folder into this one, for `take`, with its checksum; it is on the disk on return.

        Others may use the folder meanwhile. Raises OSError.
        """
        copied = self.folder / f"{secrets.token_hex(8)}{_UNFINISHED}"
        try:
            shutil.copyfile(state.path, copied)
            with copied.open("rb") as written:
                os.fsync(written.fileno())
            return copied, _checksum(copied)
        except BaseException:
            copied.unlink(missing_ok=True)
            raise

    def _took(self, place: Path) -> State | None:
        """Take a new file into account; what it goes on from is not needed any more."""
        state = self._read(place)
        if state is None:
            place.unlink(missing_ok=True)
            return None
        for other in [one for one in self._states.values() if one.owner == state.owner]:
            if state.tokens.startswith(other.tokens) and state.family >= other.family:
                self.drop(other)
        self._states[place.name] = state
        self._evict()
        return state

    def _evict(self) -> None:
        self._look()
        now = self._clock()
        for state in [one for one in self._states.values() if now - one.used > self._seconds]:
            self.drop(state)
        size = sum(state.size for state in self._states.values())
        for state in sorted(self._states.values(), key=lambda one: (one.family, one.used)):
            if size <= self._most:
                break
            size -= state.size
            self.drop(state)

    def _look(self) -> None:
        """Read what others have put into the folder, and forget what they have removed."""
        changed = self.folder.stat().st_mtime_ns
        if changed == self._seen:
            return
        self._seen = changed
        names = {path.name: path for path in self.folder.iterdir() if path.suffix == _ENDING}
        for name in self._states.keys() - names.keys():
            del self._states[name]
        for name in names.keys() - self._states.keys():
            state = self._read(names[name])
            if state is not None:
                self._states[name] = state

    def _read(self, path: Path) -> State | None:
        """Read whose state a file is; one that is none is removed."""
        try:
            status = path.stat()
            tokens = _tokens(path)
        except OSError:
            return None  # another process has removed it
        if tokens is None:
            _log.warning("%s is not the state of a text and was removed", path.name)
            path.unlink(missing_ok=True)
            return None
        owner, family, *_ = path.name.split("-")
        return State(path, owner, family != "0", tokens, status.st_size, status.st_mtime)


def sweep(folder: Path, seconds: float, clock: Callable[[], float] = time.time) -> None:
    """Remove from all folders of states in `folder` what was not used for so long: those of other models, too."""
    for models in folder.glob("*/"):
        _remove_old(models, f"*{_ENDING}", clock() - seconds)


def forget(folder: Path, owner: str) -> None:
    """Remove all that is kept of an owner in the folders of states in `folder`."""
    for path in folder.glob(f"*/{owner_mark(owner)}-*{_ENDING}"):
        path.unlink(missing_ok=True)


def owner_mark(owner: str) -> str:
    """What stands for an owner in the names of files."""
    return hashlib.sha256(owner.encode()).hexdigest()[:24]


def packed(tokens: Iterable[int]) -> bytes:
    """Tokens as they stand in the files."""
    whole = array("i", tokens)
    if sys.byteorder == "big":
        whole.byteswap()
    return whole.tobytes()


def common(one: bytes, other: bytes) -> int:
    """How many tokens two texts have in common at their beginnings."""
    low, high = 0, min(len(one), len(other)) // TOKEN
    while low < high:
        middle = (low + high + 1) // 2
        if one[low * TOKEN : middle * TOKEN] == other[low * TOKEN : middle * TOKEN]:
            low = middle
        else:
            high = middle - 1
    return low


def _remove_old(folder: Path, pattern: str, before: float) -> None:
    for path in folder.glob(pattern):
        try:
            if path.stat().st_mtime < before:
                path.unlink()
        except FileNotFoundError:
            continue  # another process was faster


def whole(state: State) -> bool:
    """Whether a file is as it was written: llama.cpp ends the process over one that is not. Raises OSError."""
    checksum = state.path.name.split("-")[2]
    return checksum == _UNCHECKED or int(checksum, 16) == _checksum(state.path)


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            total = zlib.crc32(piece, total)
    return total


def _name(owner: str, family: str | None, checksum: int | None) -> str:
    checked = _UNCHECKED if checksum is None else f"{checksum:08x}"
    return f"{owner_mark(owner)}-{'0' if family is None else '1'}-{checked}-{secrets.token_hex(12)}{_ENDING}"


def _tokens(path: Path) -> bytes | None:
    """The tokens of a state, None where the file is none.

    Newer versions write a list that begins with -1, a version and the number of tokens, and in which more may follow.
    """
    if path.name.count("-") != 3:
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
        length = int.from_bytes(head[8:], "little") * TOKEN
        listed = file.read(length) if head[:4] == _MAGIC else b""
    if not listed or len(listed) != length:
        return None
    if listed[:TOKEN] != _LISTED:
        return listed
    count = int.from_bytes(listed[8:_HEAD], "little") * TOKEN
    return listed[_HEAD : _HEAD + count] if len(listed) >= _HEAD + count else None

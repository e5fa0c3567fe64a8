"""Which engine was the better one for a model, as `freehold bench` found it: a small file in the data folder."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct, json

from freehold.engines.llama.header import fingerprint

FILE = "bench.json"


class Preference(Struct, frozen=True, kw_only=True):
    """The `kind` of engine that `model` had better be run by on a `machine`, found on a `day`.

    `gain` is how many times as fast `openvino` was as `llama`.
    """

    model: str
    kind: str
    gain: float
    machine: str
    day: str


class Preferences:
    """What is remembered in a data folder, by what `key_of` a model's file returns. Raises ValueError where damaged."""

    def __init__(self, data: Path) -> None:
        self.path = data / FILE

    def find(self, key: str) -> Preference | None:
        """Return what is remembered of a file."""
        return self._read().get(key)

    def keep(self, key: str, preference: Preference) -> None:
        """Remember the better engine for a file."""
        self._write({**self._read(), key: preference})

    def forget(self, which: Callable[[str, Preference], bool]) -> tuple[str, ...]:
        """Forget the entries of which `which` is true; return the names of their models."""
        there = self._read()
        gone = {key: one for key, one in there.items() if which(key, one)}
        if gone:
            self._write({key: one for key, one in there.items() if key not in gone})
        return tuple(one.model for one in gone.values())

    def _read(self) -> dict[str, Preference]:
        try:
            return json.decode(self.path.read_bytes(), type=dict[str, Preference])
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            raise ValueError(f"{self.path} is damaged ({error}); delete it") from error

    def _write(self, there: dict[str, Preference]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f".{self.path.name}.new")
        new.write_bytes(json.format(json.encode(there), indent=2) + b"\n")
        new.replace(self.path)


def key_of(path: Path) -> str:
    """Return what a model's file is remembered by."""
    return fingerprint(path, "bench")

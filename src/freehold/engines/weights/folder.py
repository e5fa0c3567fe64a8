"""The model folder: which file stands for which name."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from freehold.engines.weights.errors import UnknownModel, WeightsError
from freehold.engines.weights.starters import Starter, starters

_HUB = re.compile(r"^(?P<repo>\w[\w.-]*/\w[\w.-]*)[:/](?P<file>[\w./-]+\.gguf)$")


class Wanted(Struct, frozen=True):
    """A model name, understood: the file it stands for, and its source where that file is not there yet.

    `starter` is set for a starter model, `hub` (`owner/repo`, file) for a hub name; neither for a plain file.
    """

    name: str
    path: Path
    starter: Starter | None = None
    hub: tuple[str, str] | None = None

    @property
    def here(self) -> bool:
        """Whether the file is complete."""
        return self.path.is_file()


class Folder:
    """The folder that model files are kept in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def want(self, name: str) -> Wanted:
        """Understand a model name: a starter's, the path of a .gguf file, or `owner/repo:file.gguf` on the hub.

        Raises UnknownModel.
        """
        starter = starters().get(name)
        if starter is not None:
            return Wanted(name, self.path / f"{name}{starter.suffix}", starter=starter)
        file = Path(name).expanduser()
        if name.endswith(".gguf") and file.is_file():
            return Wanted(name, file.absolute())
        found = _HUB.match(name)
        if found is not None and ".." not in name:
            repo, inside = found["repo"], found["file"]
            return Wanted(name, self.path / "hub" / repo / inside, hub=(repo, inside))
        kept = self.path / f"{name}.gguf"
        if kept.parent == self.path and kept.is_file():
            return Wanted(name, kept)
        known = ", ".join(one.name for one in starters().values() if not one.hidden)
        raise UnknownModel(
            f"No model {name!r}: it is no starter ({known}), no .gguf file that is there, and no hub name "
            "(owner/repo:file.gguf)."
        )

    def find(self, name: str) -> Path:
        """Return the file of a model that is here. Raises UnknownModel, and WeightsError when it is not here yet."""
        wanted = self.want(name)
        if not wanted.here:
            raise WeightsError(f"The model {name!r} is not here yet. Fetch it with `freehold models pull {name}`.")
        return wanted.path

    def here(self) -> Iterator[tuple[str, Path]]:
        """Yield the name and file of every model in the folder."""
        # Not all below the folder: a pip at work there makes and removes folders of its own.
        for file in sorted((*self.path.glob("*.gguf"), *(self.path / "hub").rglob("*.gguf"))):
            inside = file.relative_to(self.path)
            if inside.parts[0] == "hub" and len(inside.parts) > 3:
                yield f"{'/'.join(inside.parts[1:3])}:{'/'.join(inside.parts[3:])}", file
            elif len(inside.parts) == 1:
                yield inside.stem, file

    def remove(self, name: str) -> int:
        """Delete a model's file and what a stopped download left; return the bytes that are free again.

        A file outside the folder is not touched. Raises UnknownModel, and WeightsError when there is nothing.
        """
        wanted = self.want(name)
        if not wanted.path.is_relative_to(self.path):
            raise WeightsError(f"{wanted.path} is outside the model folder {self.path}; delete it yourself.")
        freed = 0
        for left in (wanted.path, part_of(wanted.path), parts_of(wanted.path), lock_of(wanted.path)):
            if left.is_dir():
                freed += held(left)
                shutil.rmtree(left)
            elif left.exists():
                freed += left.stat().st_size
                left.unlink()
        if not freed:
            raise WeightsError(f"The model {name!r} is not in {self.path}.")
        return freed


def part_of(path: Path) -> Path:
    """The file that a hub download grows in."""
    return path.with_name(path.name + ".part")


def parts_of(path: Path) -> Path:
    """The folder that finished archives wait in."""
    return path.with_name(path.name + ".parts")


def lock_of(path: Path) -> Path:
    """The file that one process at a time holds."""
    return path.with_name(path.name + ".lock")


def held(folder: Path) -> int:
    """How many bytes the files within a folder take; one that another process moves away meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):  # unlike Path.rglob, it passes over a folder that has just gone
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(place) / name).lstat().st_size
    return total

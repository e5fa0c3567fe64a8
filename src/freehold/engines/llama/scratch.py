"""A folder in memory for files that end with the process."""

import fcntl
import shutil
import tempfile
from pathlib import Path

SHARED = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it, closed to others
_PREFIX = "freehold-states-"
_LOCK = "lock"
_ROOM = 2


class Scratch:
    """An empty `folder`, closed to other users: in memory where there is room for twice the `size` in bytes.

    Its file `lock` is locked for as long as the process lives: the kernel unlocks it, however that ends, and whoever
    opens a scratch folder next removes what is left.
    """

    def __init__(self, size: int, other: Path, shared: Path = SHARED) -> None:
        """Where there is no room in memory, the folder is made in `other`. Raises OSError."""
        roomy = shared.is_dir() and shutil.disk_usage(shared).free >= _ROOM * size
        for left in shared.glob(f"{_PREFIX}*"):
            _remove(left)
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=shared if roomy else other))
        self._lock = (self.folder / _LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove the folder."""
        self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove a folder whose process is gone."""
    try:
        with (folder / _LOCK).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
    except OSError:
        return  # its process lives, or is about to lock it, or is another user's

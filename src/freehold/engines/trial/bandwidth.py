"""How fast the memory of this machine is: no model that is read from it for each token can answer faster."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from freehold.engines.trial.machine import cores

_BYTES = 512 * 1024 * 1024  # more than most caches hold, so that it is the memory that is measured
_PASSES = 5


def bandwidth(size: int = _BYTES) -> float:
    """Return the bytes a second that all cores together read from memory, or read and write: the best of some passes.

    It takes `size` bytes of memory for that.
    """
    count = cores()
    parts = [np.ones(size // 8 // count // 2, np.int64) for _ in range(count)]
    others = [np.zeros_like(part) for part in parts]

    def read(place: int) -> None:
        parts[place].sum()
        others[place].sum()

    def copy(place: int) -> None:
        np.copyto(others[place], parts[place])

    moved = sum(part.nbytes for part in parts) * 2
    with ThreadPoolExecutor(count) as pool:
        return moved / min(_seconds(pool, count, work) for work in (read, copy) for _ in range(_PASSES))


def _seconds(pool: ThreadPoolExecutor, count: int, work: Callable[[int], None]) -> float:
    started = time.perf_counter()
    list(pool.map(work, range(count)))
    return time.perf_counter() - started

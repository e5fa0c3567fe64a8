"""How far a download or another long work is, for people: a bar in a terminal, a line every tenth elsewhere."""

import sys
import time
from typing import TextIO

WIDTH = 30


class Bar:
    """Call it with the bytes that are here and the bytes that there will be, or with the numbers of other things."""

    def __init__(self, label: str, out: TextIO = sys.stderr, things: str = "") -> None:
        """`things` are what is counted; bytes, where it is empty."""
        self._label = label
        self._things = things
        self._out = out
        self._started = time.monotonic()
        self._first: int | None = None
        self._shown = -1.0
        self._tenth = -1

    def __call__(self, done: int, total: int) -> None:
        """Show the state, at most ten times a second."""
        if self._first is None:
            self._first = done
        share = done / total if total else 0.0
        now = time.monotonic()
        if self._out.isatty():
            if now - self._shown >= 0.1 or done >= total:
                self._shown = now
                filled = int(share * WIDTH)
                bar = "█" * filled + "░" * (WIDTH - filled)
                self._out.write(f"\r{self._label} {bar} {share:4.0%} {self._speed(done, total, now)}\x1b[K")
                self._out.flush()
        elif int(share * 10) > self._tenth:
            self._tenth = int(share * 10)
            self._out.write(f"{self._label} {share:4.0%} {self._speed(done, total, now)}\n")
            self._out.flush()

    def close(self) -> None:
        """End the line."""
        if self._out.isatty() and self._shown >= 0:
            self._out.write("\n")

    def _speed(self, done: int, total: int, now: float) -> str:
        rate = (done - (self._first or 0)) / max(now - self._started, 0.001)
        left = f", {int((total - done) / rate)} s left" if rate > 0 and done < total else ""
        if self._things:
            return f"{done} of {total} {self._things}{left}"
        return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB, {rate / 1e6:.1f} MB/s{left}"

"""The gate before an engine: who runs now, who waits, and who is sent away."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from freehold.core.errors import EngineBusy
from freehold.core.ports import Load

PASSES = 32
"""How many interactive requests may pass the batch request that is first in line."""
_FIRST_GUESS = 2.0
_NEWEST_WEIGHS = 0.2
_RETRY_AFTER = (1.0, 60.0)


class Place:
    """A running request's claim on a slot and on tokens of the pool, until `release`."""

    __slots__ = ("_gate", "_reading", "batch", "since", "tokens")

    def __init__(self, gate: "Gate", tokens: int, batch: bool, since: float) -> None:
        self.tokens = tokens
        self.batch = batch
        self.since = since
        self._gate: Gate | None = gate
        self._reading = batch

    def begin(self) -> None:
        """Say that the prompt is read and the answer begins; only the first call does something."""
        if self._reading and self._gate is not None:
            self._reading = False
            self._gate.let_read()

    def release(self) -> None:
        """Give the slot and the tokens to the next in line; a second call does nothing."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave(self, self._reading)


class _Waiter(NamedTuple):
    tokens: int
    batch: bool
    granted: asyncio.Future[Place]


class Gate:
    """Lets `slots` requests run at once within `pool` tokens, and `queue` more wait, first come first served.

    The order is strict: who is first in line is never passed by a smaller request, so that a big one cannot starve.
    `pool` None means that tokens do not count. One event loop owns a gate: it is not safe for threads.

    Batch requests wait in a line of their own, as long as the other. They take what nobody interactive waits for, and
    leave a slot and its share of the pool free, unless they are alone; so an interactive request seldom waits for one.
    They read their prompts one after the other, because reading holds up whoever reads at the same time. Where the
    interactive line never ends, one batch request runs at a time, and at most PASSES pass it before it does.
    """

    def __init__(
        self, slots: int, queue: int, pool: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slots = slots
        self._queue = queue
        self._pool = pool
        self._clock = clock
        self._running = 0
        self._reserved = 0
        self._batches = 0
        self._reading = False
        self._passes = 0
        self._line: deque[_Waiter] = deque()
        self._batch_line: deque[_Waiter] = deque()
        self._stay = _FIRST_GUESS

    @property
    def load(self) -> Load:
        """How full the gate is now."""
        limit = self._slots + self._queue
        return Load(running=self._running, waiting=len(self._line), limit=limit, slots=self._slots)

    def check(self, batch: bool = False) -> None:
        """Raise EngineBusy when a request that came now would be sent away; reserve nothing."""
        self._join(0, batch)

    async def acquire(self, tokens: int = 0, batch: bool = False) -> Place:
        """Wait in line for a slot and for `tokens` of the pool.

        Raises EngineBusy at once when the line is full, ValueError for more tokens than the pool has.
        """
        if self._pool is not None and tokens > self._pool:
            raise ValueError(f"{tokens} tokens can never be reserved from a pool of {self._pool}")
        line = self._join(tokens, batch)
        waiter = _Waiter(tokens, batch, asyncio.get_running_loop().create_future())
        line.append(waiter)
        self._admit()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            # The place may have been granted in the same turn of the loop in which the waiter was cancelled.
            if waiter.granted.cancelled():
                line.remove(waiter)
                self._admit()
            else:
                waiter.granted.result().release()
            raise

    @asynccontextmanager
    async def enter(self, tokens: int = 0, batch: bool = False) -> AsyncGenerator[Place, None]:
        """Hold a place for the length of the block; raises as `acquire` does."""
        place = await self.acquire(tokens, batch)
        try:
            yield place
        finally:
            place.release()

    def let_read(self) -> None:
        """Let the next batch request read its prompt: one has read its own."""
        self._reading = False
        self._admit()

    def leave(self, place: Place, reading: bool) -> None:
        """Take back what a place had; `reading` says that its prompt was not read to the end."""
        self._running -= 1
        self._reserved -= place.tokens
        self._batches -= place.batch
        if reading:
            self._reading = False
        self._stay += _NEWEST_WEIGHS * (self._clock() - place.since - self._stay)
        self._admit()

    def _join(self, tokens: int, batch: bool) -> deque[_Waiter]:
        """The line for a request; raises EngineBusy when it is full."""
        line = self._batch_line if batch else self._line
        if len(line) >= self._queue and (line or not self._lets(tokens, batch)):
            raise self._busy()
        return line

    def _lets(self, tokens: int, batch: bool) -> bool:
        """Whether a request that is first in its line may enter now."""
        due = bool(self._batch_line) and self._passes >= PASSES and self._batches == 0
        if not batch:
            return not due and self._fits(tokens)
        if due or self._running == 0:
            return (due or not self._line) and self._fits(tokens)
        return not (self._line or self._reading) and self._fits(tokens, spare=True)

    def _fits(self, tokens: int, spare: bool = False) -> bool:
        """Whether there is room; with `spare`, whether a slot and its share of the pool are left then."""
        slots, pool = self._slots, self._pool
        if spare:
            slots, pool = slots - 1, pool and pool - pool // slots
        return self._running < slots and (pool is None or self._reserved + tokens <= pool)

    def _take(self, tokens: int, batch: bool) -> Place:
        self._running += 1
        self._reserved += tokens
        if batch:
            self._batches += 1
            self._reading = True
            self._passes = 0
        elif self._batch_line:
            self._passes += 1
        return Place(self, tokens, batch, self._clock())

    def _admit(self) -> None:
        while (line := self._next()) is not None:
            waiter = line[0]
            if waiter.granted.cancelled():
                return  # its owner is about to wake, take itself out of the line and call us again
            line.popleft()
            waiter.granted.set_result(self._take(waiter.tokens, waiter.batch))

    def _next(self) -> deque[_Waiter] | None:
        """The line whose first may enter now."""
        lines = (self._line, self._batch_line)
        return next((line for line in lines if line and self._lets(line[0].tokens, line[0].batch)), None)

    def _busy(self) -> EngineBusy:
        waves = (len(self._line) + 1) / max(1, self._running)
        least, most = _RETRY_AFTER
        return EngineBusy(
            f"The engine is at its limit: {self._running} requests are running and {len(self._line)} are waiting. "
            "Please retry after a short wait.",
            retry_after=min(max(waves * self._stay, least), most),
        )

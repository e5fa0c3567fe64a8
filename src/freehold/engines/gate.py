"""The gate before an engine: who runs now, who waits, and who is sent away."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from freehold.core.errors import EngineBusy
from freehold.core.ports import Load

_FIRST_GUESS = 2.0
_NEWEST_WEIGHS = 0.2
_RETRY_AFTER = (1.0, 60.0)


class Place:
    """A running request's claim on a slot and on tokens of the pool, until `release`."""

    __slots__ = ("_leave", "_since", "_tokens")

    def __init__(self, leave: Callable[[int, float], None], tokens: int, since: float) -> None:
        self._leave: Callable[[int, float], None] | None = leave
        self._tokens = tokens
        self._since = since

    def release(self) -> None:
        """Give the slot and the tokens to the next in line; a second call does nothing."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(self._tokens, self._since)


class Gate:
    """Lets `slots` requests run at once within `pool` tokens, and `queue` more wait, first come first served.

    The order is strict: who is first in line is never passed by a smaller request, so that a big one cannot starve.
    `pool` None means that tokens do not count. One event loop owns a gate: it is not safe for threads.
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
        self._line: deque[tuple[int, asyncio.Future[Place]]] = deque()
        self._stay = _FIRST_GUESS

    @property
    def load(self) -> Load:
        """How full the gate is now."""
        return Load(running=self._running, waiting=len(self._line), limit=self._slots + self._queue)

    def check(self) -> None:
        """Raise EngineBusy when a request that came now would be sent away; reserve nothing."""
        if len(self._line) >= self._queue and (self._line or not self._fits(0)):
            raise self._busy()

    async def acquire(self, tokens: int = 0) -> Place:
        """Wait in line for a slot and for `tokens` of the pool.

        Raises EngineBusy at once when the line is full, ValueError for more tokens than the pool has.
        """
        if self._pool is not None and tokens > self._pool:
            raise ValueError(f"{tokens} tokens can never be reserved from a pool of {self._pool}")
        if not self._line and self._fits(tokens):
            return self._take(tokens)
        if len(self._line) >= self._queue:
            raise self._busy()
        granted: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        waiter = (tokens, granted)
        self._line.append(waiter)
        try:
            return await granted
        except asyncio.CancelledError:
            # The place may have been granted in the same turn of the loop in which the waiter was cancelled.
            if granted.cancelled():
                self._line.remove(waiter)
                self._admit()
            else:
                granted.result().release()
            raise

    @asynccontextmanager
    async def enter(self, tokens: int = 0) -> AsyncGenerator[Place, None]:
        """Hold a place for the length of the block; raises as `acquire` does."""
        place = await self.acquire(tokens)
        try:
            yield place
        finally:
            place.release()

    def _fits(self, tokens: int) -> bool:
        return self._running < self._slots and (self._pool is None or self._reserved + tokens <= self._pool)

    def _take(self, tokens: int) -> Place:
        self._running += 1
        self._reserved += tokens
        return Place(self._leave, tokens, self._clock())

    def _leave(self, tokens: int, since: float) -> None:
        self._running -= 1
        self._reserved -= tokens
        self._stay += _NEWEST_WEIGHS * (self._clock() - since - self._stay)
        self._admit()

    def _admit(self) -> None:
        while self._line and self._fits(self._line[0][0]):
            tokens, granted = self._line[0]
            if granted.cancelled():
                return  # its waiter is about to wake, take itself out of the line and call us again
            self._line.popleft()
            granted.set_result(self._take(tokens))

    def _busy(self) -> EngineBusy:
        waves = (len(self._line) + 1) / max(1, self._running)
        least, most = _RETRY_AFTER
        return EngineBusy(
            f"The engine is at its limit: {self._running} requests are running and {len(self._line)} are waiting. "
            "Please retry after a short wait.",
            retry_after=min(max(waves * self._stay, least), most),
        )

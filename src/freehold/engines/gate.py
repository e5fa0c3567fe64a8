"""The gate before an engine: who runs now, who waits, and who is sent away."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from freehold.core.errors import EngineBusy
from freehold.core.ports import Load
from freehold.core.prompt import Prompt, Tier
from freehold.engines.line import Line, Waiter

PASSES = 32
"""How many requests of the lines before it may pass the one that is first in its line."""
_TIERS: tuple[Tier, ...] = ("priority", "default", "flex")
_FIRST_GUESS = 2.0
_NEWEST_WEIGHS = 0.2
_RETRY_AFTER = (1.0, 60.0)


class Claim(Struct, frozen=True):
    """Who wants to enter: a project, in a tier, or for a `batch` for which nobody waits."""

    owner: str = ""
    tier: Tier = "default"
    batch: bool = False


USUAL = Claim()


def claim_of(prompt: Prompt) -> Claim:
    """The claim of a prompt."""
    return Claim(prompt.caching.owner, prompt.tier, prompt.batch)


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


class Gate:
    """Lets `slots` requests run at once within `pool` tokens, and `queue` more wait.

    There is a line for each tier: priority before default before flex. In a line the projects take turns. The order is
    strict: who is first is never passed by a smaller request, so that a big one cannot starve; at most PASSES requests
    of the lines before it pass the first of a line. `pool` None means that tokens do not count. One event loop owns a
    gate: it is not safe for threads.

    Where the queue is full, one is sent away: of the lowest tier that anybody waits in, the newest request of the
    project that has most there. That is nearly always the one that comes; but a project that has filled the queue
    cannot keep the others out of it, and what is worked off at leisure gives way to what is not.

    Batch requests wait in a line of their own, as long as the others together. They take what nobody interactive waits
    for, and leave a slot and its share of the pool free, unless they are alone; so an interactive request seldom waits
    for one. They read their prompts one after the other, because reading holds up whoever reads at the same time. Where
    the interactive lines never end, one batch request runs at a time.
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
        self._tiers: dict[Tier, Line[Place]] = {tier: Line() for tier in _TIERS}
        self._batch_line = Line[Place]()
        self._lines = (*self._tiers.values(), self._batch_line)
        self._stay = _FIRST_GUESS

    @property
    def load(self) -> Load:
        """How full the gate is now."""
        limit = self._slots + self._queue
        return Load(running=self._running, waiting=self._waiting, limit=limit, slots=self._slots)

    def resize(self, slots: int) -> None:
        """Let so many run at once from now on; where more do, nobody enters until enough have left."""
        self._slots = slots
        self._admit()

    def check(self, claim: Claim = USUAL) -> None:
        """Raise EngineBusy when a request that came now would be sent away; reserve nothing."""
        if self._full(claim, 0) and self._displaced(claim) is None:
            raise self._busy()

    async def acquire(self, tokens: int = 0, claim: Claim = USUAL) -> Place:
        """Wait in line for a slot and for `tokens` of the pool.

        Raises EngineBusy when the line is full, at once, or later, when somebody comes to whom this one has to give
        way; ValueError for more tokens than the pool has.
        """
        if self._pool is not None and tokens > self._pool:
            raise ValueError(f"{tokens} tokens can never be reserved from a pool of {self._pool}")
        line = self._line(claim)
        if self._empty and self._lets(line, tokens):
            return self._take(line, tokens)
        if self._full(claim, tokens):
            self._send_one_away(claim)
        waiter = Waiter[Place](claim.owner, tokens, asyncio.get_running_loop().create_future())
        line.join(waiter)
        self._admit()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            # The place may have been granted in the same turn of the loop in which the waiter was cancelled.
            if not waiter.granted.cancelled():
                if waiter.granted.exception() is None:
                    waiter.granted.result().release()
            else:
                line.remove(waiter)
                self._admit()
            raise

    @asynccontextmanager
    async def enter(self, tokens: int = 0, claim: Claim = USUAL) -> AsyncGenerator[Place, None]:
        """Hold a place for the length of the block; raises as `acquire` does."""
        place = await self.acquire(tokens, claim)
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

    @property
    def _waiting(self) -> int:
        return sum(map(len, self._tiers.values()))

    @property
    def _empty(self) -> bool:
        """Whether nobody waits in any line."""
        return not any(map(len, self._lines))

    def _line(self, claim: Claim) -> Line[Place]:
        return self._batch_line if claim.batch else self._tiers[claim.tier]

    def _full(self, claim: Claim, tokens: int) -> bool:
        """Whether a request can neither enter now nor wait."""
        waiting = len(self._batch_line) if claim.batch else self._waiting
        if waiting < self._queue:
            return False
        return waiting > 0 or not self._lets(self._line(claim), tokens)

    def _displaced(self, claim: Claim) -> tuple[Line[Place], Waiter[Place]] | None:
        """Who is sent away for a request, and out of which line; None where that is the request itself."""
        own = self._line(claim)
        below = () if claim.batch else reversed(_TIERS[_TIERS.index(claim.tier) + 1 :])
        for line in (self._tiers[tier] for tier in below):
            if len(line):
                return line, line.newest()
        newest = own.newest() if len(own) else None
        crowded = newest is not None and own.waiting(newest.owner) > own.waiting(claim.owner) + 1
        return (own, newest) if newest is not None and crowded else None

    def _send_one_away(self, claim: Claim) -> None:
        """Make room in the queue for a request; raises EngineBusy where it has to go itself."""
        found = self._displaced(claim)
        if found is None:
            raise self._busy()
        line, waiter = found
        line.remove(waiter)
        if not waiter.granted.done():
            waiter.granted.set_exception(self._busy())

    def _lets(self, line: Line[Place], tokens: int) -> bool:
        """Whether a request that is first in its line may enter now."""
        due = self._due()
        if due is not None and due is not line:
            return False
        if line is not self._batch_line or due is line:
            return self._fits(tokens)
        if self._waiting:
            return False
        return self._fits(tokens) if self._running == 0 else not self._reading and self._fits(tokens, spare=True)

    def _due(self) -> Line[Place] | None:
        """The line whose first was passed often enough. Of batches, only one goes before its time."""
        for line in reversed(self._lines):
            if len(line) and line.passes >= PASSES and (line is not self._batch_line or self._batches == 0):
                return line
        return None

    def _fits(self, tokens: int, spare: bool = False) -> bool:
        """Whether there is room; with `spare`, whether a slot and its share of the pool are left then."""
        slots, pool = self._slots, self._pool
        if spare:
            slots, pool = slots - 1, pool and pool - pool // slots
        return self._running < slots and (pool is None or self._reserved + tokens <= pool)

    def _take(self, line: Line[Place], tokens: int) -> Place:
        batch = line is self._batch_line
        self._running += 1
        self._reserved += tokens
        if batch:
            self._batches += 1
            self._reading = True
        line.passes = 0
        for passed in self._lines[self._lines.index(line) + 1 :]:
            passed.passes = passed.passes + 1 if len(passed) else 0
        return Place(self, tokens, batch, self._clock())

    def _admit(self) -> None:
        while not self._empty and (line := self._next()) is not None:
            if line.first.granted.cancelled():
                return  # its owner is about to wake, take itself out of the line and call us again
            waiter = line.pop()
            waiter.granted.set_result(self._take(line, waiter.tokens))

    def _next(self) -> Line[Place] | None:
        """The line whose first may enter now: who is first of all, and nobody in its place."""
        line = self._due() or next((line for line in self._lines if len(line)), None)
        return line if line is not None and self._lets(line, line.first.tokens) else None

    def _busy(self) -> EngineBusy:
        waiting = self._waiting
        waves = (waiting + 1) / max(1, self._running)
        least, most = _RETRY_AFTER
        return EngineBusy(
            f"The engine is at its limit: {self._running} requests are running and {waiting} are waiting. "
            "Please retry after a short wait.",
            retry_after=min(max(waves * self._stay, least), most),
        )

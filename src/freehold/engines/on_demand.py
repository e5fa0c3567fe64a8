"""What is opened when it is first used, and closed when nobody has used it for a while."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, TypeVar

from freehold.core.errors import EngineFailed

IDLE_SECONDS = 60.0
"""How long it stays open after its last use."""

T = TypeVar("T")


class OnDemand(Generic[T]):
    """Opens a thing for its first user, shares it with the others, and closes it when it has been idle. One task owns
    it from its opening to its end, so that no user's cancellation tears it down."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[T]], idle: float = IDLE_SECONDS) -> None:
        """`opened` opens the thing; `idle` is in seconds."""
        self._opened = opened
        self._idle = idle
        self._users = 0
        self._changed = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None
        self._thing: asyncio.Future[T] | None = None

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[T, None]:
        """Hold it for the length of the block. Raises EngineFailed when it cannot be opened."""
        self._users += 1
        self._changed.set()
        try:
            if self._thing is None:
                self._thing = asyncio.get_running_loop().create_future()
                self._owner = asyncio.create_task(self._own(self._thing, self._owner))
            yield await asyncio.shield(self._thing)
        finally:
            self._users -= 1
            self._changed.set()

    async def close(self) -> None:
        """Close it, if it is open."""
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.wait([self._owner])

    async def _own(self, thing: asyncio.Future[T], before: asyncio.Task[None] | None) -> None:
        """Keep it open while it is used; the one `before` is closed first."""
        if before is not None:
            await asyncio.wait([before])
        try:
            async with self._opened() as opened:
                thing.set_result(opened)
                await self._unused()
                self._thing = None
        except Exception as error:
            if thing.done():
                raise
            told = error if isinstance(error, EngineFailed) else EngineFailed(f"It could not be opened: {error!r}")
            thing.set_exception(told)
            thing.exception()  # nobody may be left who waits for it
        finally:
            thing.cancel()
            if self._thing is thing:
                self._thing = None

    async def _unused(self) -> None:
        """Wait until nobody has used it for long enough."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if self._users else self._idle):
                    await self._changed.wait()
            except TimeoutError:
                if not self._users:  # one may have come after the time was up
                    return

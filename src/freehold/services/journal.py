"""Following a background response: its journal from the beginning, or from any frame, and on while it is written."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from freehold.core.principal import Principal
from freehold.services.responses import missing
from freehold.storage.repos.journal import JournalRows
from freehold.surfaces.responses.journal import without_obfuscation, without_results

POLL_SECONDS = 0.1
AT_ONCE = 256


class News:
    """Wakes those who follow a response when something was written of it in this process."""

    def __init__(self) -> None:
        self._listening: dict[str, set[asyncio.Event]] = {}

    def tell(self, response_id: str) -> None:
        """Wake those who follow the response."""
        for event in self._listening.get(response_id, ()):
            event.set()

    @contextmanager
    def listening(self, response_id: str) -> Iterator[asyncio.Event]:
        """Yield an event that every news of the response sets."""
        event = asyncio.Event()
        self._listening.setdefault(response_id, set()).add(event)
        try:
            yield event
        finally:
            self._listening[response_id].discard(event)
            if not self._listening[response_id]:
                del self._listening[response_id]


class Journal:
    """The journals of background responses, each seen by its own project only."""

    def __init__(self, rows: JournalRows, news: News) -> None:
        self._rows = rows
        self._news = news

    async def follow(
        self, who: Principal, response_id: str, after: int | None, padded: bool = True, found: bool = False
    ) -> AsyncGenerator[bytes, None] | None:
        """Return the frames after number `after`, those that are still to come included; they end with the response.

        None for a response that has ended and has no such frames. Unless `padded`, they go without obfuscation; unless
        `found`, without what searches found. Raises NotFound.
        """
        start = -1 if after is None else after
        page = await self._rows.read(who.project, response_id, start, 1)
        if page is None:
            raise missing(response_id)
        if page.ended and not page.frames:
            return None
        return self._frames(who, response_id, start, padded, found)

    async def ended(self, who: Principal, response_id: str, seconds: float) -> bool:
        """Wait until a response has ended, or the seconds are over; False when it has not ended by then."""
        try:
            async with asyncio.timeout(seconds):
                with self._news.listening(response_id) as news:
                    while not await self._over(who, response_id):
                        await _heard(news)
        except TimeoutError:
            return False
        return True

    async def _over(self, who: Principal, response_id: str) -> bool:
        page = await self._rows.read(who.project, response_id, 0, 0)
        return page is None or page.ended

    async def _frames(
        self, who: Principal, response_id: str, after: int, padded: bool, found: bool
    ) -> AsyncGenerator[bytes, None]:
        with self._news.listening(response_id) as news:
            while True:
                page = await self._rows.read(who.project, response_id, after, AT_ONCE)
                if page is None:
                    return
                for frame in page.frames:
                    shown = frame if found else without_results(frame)
                    yield shown if padded else without_obfuscation(shown)
                after = page.last
                if len(page.frames) < AT_ONCE:
                    if page.ended:
                        return
                    await _heard(news)


async def _heard(news: asyncio.Event) -> None:
    """Return when there is news, or when another process may have written some."""
    try:
        await asyncio.wait_for(news.wait(), POLL_SECONDS)
    except TimeoutError:
        return
    finally:
        news.clear()

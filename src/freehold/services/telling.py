"""A background response as far as it is told: its events, its object, and the frames that are still to be written."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TypeVar

import msgspec

from freehold.core.events import Closed, Ended, Event, Opened
from freehold.core.ids import Clock
from freehold.core.items import Compaction, CustomToolCall, FileSearchCall, FunctionCall
from freehold.storage.repos.journal import Begun
from freehold.surfaces.responses import journal
from freehold.surfaces.responses.objects import Response, frame
from freehold.surfaces.responses.project import ResponseProjection

T = TypeVar("T")

_response = msgspec.json.Decoder(Response).decode
_WHOLE = (FunctionCall, CustomToolCall, FileSearchCall, Compaction)


class Telling:
    """Folds the events of a response into its frames, from where its journal ends.

    Frames may be written as soon as no other process could have to take back what they say: those of a call or
    compaction when it is whole, and those of the end of an item that was cut short when it is known how the run ended.
    """

    def __init__(self, begun: Begun, clock: Clock, pad: str | None) -> None:
        self.events: list[Event] = []
        self.number = 0
        self._holding = False
        self._projection = ResponseProjection(_response(begun.row.body), clock, pad)
        self._frames = [frame(one) for one in self._projection.start()]
        self._sure = len(self._frames)
        for event in journal.events(begun.frames):
            self.push(event)
        self.written(len(begun.frames))

    def push(self, event: Event) -> None:
        """Fold one event."""
        self.events.append(event)
        self._frames += map(frame, self._projection.push(event))
        match event:
            case Opened(item=item):
                self._holding = isinstance(item, _WHOLE)
            case Closed(item=item):
                self._holding = isinstance(item, Compaction) or item.status == "incomplete"
            case Ended():
                self._holding = False
        if not self._holding:
            self._sure = len(self._frames)

    @property
    def frames(self) -> Sequence[bytes]:
        """The frames that may be written now, the first of them with the number `number`."""
        return self._frames[: self._sure]

    def written(self, count: int) -> None:
        """Forget the first `count` frames: they are in the journal."""
        del self._frames[:count]
        self._sure = max(0, self._sure - count)
        self.number += count

    def result(self) -> Response:
        """The response as it stands."""
        result = self._projection.kept()
        if not isinstance(result, Response):
            raise TypeError("the projection of a response is of another surface")
        return result


async def gathered(events: AsyncGenerator[T, None], seconds: float, most: int) -> AsyncGenerator[list[T], None]:
    """Yield what `events` yields in lists of at most `most`, each as it is after `seconds`: often empty.

    Closing it cancels what is waited for; it does not close `events`.
    """
    loop = asyncio.get_running_loop()
    coming: asyncio.Task[T | None] | None = None
    try:
        while True:
            batch: list[T] = []
            until = loop.time() + seconds
            while len(batch) < most:
                coming = coming or asyncio.ensure_future(_next(events))
                await asyncio.wait((coming,), timeout=max(0.0, until - loop.time()))
                if not coming.done():
                    break
                event = coming.result()
                coming = None
                if event is None:
                    yield batch
                    return
                batch.append(event)
            yield batch
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait((coming,))


async def _next(events: AsyncGenerator[T, None]) -> T | None:
    return await anext(events, None)

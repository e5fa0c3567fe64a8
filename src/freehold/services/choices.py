"""Several runs side by side, as one stream of events."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from freehold.core.deltas import Usage
from freehold.core.events import Chosen, Ended, Event

_AHEAD = 64
_AT_ONCE = 32


async def side_by_side(
    runs: Sequence[AsyncGenerator[Event, None]], choices: int, places: int = _AT_ONCE
) -> AsyncGenerator[Event, None]:
    """Yield the events of all runs as they come, each with the number of its run, then one `Ended` for all.

    Each `choices` runs in a row answer one prompt, whose tokens count once. At most `places` of the engine are taken at
    once, and never more than 32. The first run that fails or is cancelled ends the others. Closing the generator closes
    the runs.
    """
    queue: asyncio.Queue[tuple[int, Event | Exception]] = asyncio.Queue(_AHEAD)
    free = asyncio.Semaphore(max(1, min(places, _AT_ONCE)))

    async def follow(number: int, run: AsyncGenerator[Event, None]) -> None:
        try:
            async with free, aclosing(run) as events:
                async for event in events:
                    await queue.put((number, event))
        except Exception as bug:  # noqa: BLE001  raised again below: nobody else would hear of it
            await queue.put((number, bug))

    tasks = [asyncio.create_task(follow(number, run)) for number, run in enumerate(runs)]
    ends: dict[int, Ended] = {}
    try:
        while len(ends) < len(runs):
            number, event = await queue.get()
            if isinstance(event, Exception):
                raise event
            if isinstance(event, Ended):
                ends[number] = event
                if event.status in ("failed", "cancelled"):
                    break
            if not isinstance(event, Chosen):
                yield Chosen(number, event)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    last = list(ends.values())[-1]
    yield Ended(status=last.status, usage=_together(ends, choices), reason=last.reason, error=last.error)


def _together(ends: Mapping[int, Ended], choices: int) -> Usage:
    """The usage of all: what is written adds up, what is read does so once for each prompt."""
    read: dict[int, Usage] = {}
    written = Usage()
    for number, end in ends.items():
        usage, before = end.usage, read.get(number // choices, Usage())
        read[number // choices] = Usage(input=usage.input, cached=max(before.cached, usage.cached))
        written += replace(usage, input=0, cached=0, written=None)
    return sum(read.values(), written)

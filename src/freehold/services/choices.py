"""Several runs side by side, as one stream of events."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from freehold.core.deltas import Usage
from freehold.core.events import Chosen, Ended, Event

_AHEAD = 64


async def side_by_side(runs: Sequence[AsyncGenerator[Event, None]]) -> AsyncGenerator[Event, None]:
    """Yield the events of all runs as they come, each with the number of its run, then one `Ended` for all.

    The first run that fails or is cancelled ends the others. Tokens of the prompt count once: it is one prompt. Closing
    the generator closes the runs.
    """
    queue: asyncio.Queue[tuple[int, Event | Exception]] = asyncio.Queue(_AHEAD)

    async def follow(number: int, run: AsyncGenerator[Event, None]) -> None:
        try:
            async with aclosing(run) as events:
                async for event in events:
                    await queue.put((number, event))
        except Exception as bug:  # noqa: BLE001  raised again below: nobody else would hear of it
            await queue.put((number, bug))

    tasks = [asyncio.create_task(follow(number, run)) for number, run in enumerate(runs)]
    ends: list[Ended] = []
    try:
        while len(ends) < len(runs):
            number, event = await queue.get()
            if isinstance(event, Exception):
                raise event
            if isinstance(event, Ended):
                ends.append(event)
                if event.status in ("failed", "cancelled"):
                    break
            if not isinstance(event, Chosen):
                yield Chosen(number, event)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    last = ends[-1]
    yield Ended(status=last.status, usage=_together([end.usage for end in ends]), reason=last.reason, error=last.error)


def _together(usages: Sequence[Usage]) -> Usage:
    first = usages[0]
    return Usage(
        input=first.input,
        cached=max(usage.cached for usage in usages),
        output=sum(usage.output for usage in usages),
        reasoning=sum(usage.reasoning for usage in usages),
    )

"""A run that says nothing: the engine reads the prompt, so that the turns that begin with it start sooner."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec.structs import replace

from freehold.core.events import Ended, Event
from freehold.core.prompt import Prompt


def shortest(prompt: Prompt) -> Prompt:
    """The prompt with an answer of one token: no engine reads without any."""
    return replace(prompt, sampling=replace(prompt.sampling, max_tokens=1))


async def silent(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """Yield only the end of a run, which is complete when its one token is said."""
    async with aclosing(events) as unheard:
        async for event in unheard:
            if isinstance(event, Ended):
                usage = replace(event.usage, output=0, reasoning=0)
                status = "completed" if event.status == "incomplete" else event.status
                yield replace(event, status=status, reason=None, usage=usage)

import asyncio
from collections.abc import AsyncGenerator

from freehold.core.deltas import Usage
from freehold.core.errors import EngineFailed
from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.items import Message, OutputText
from freehold.core.prompt import Prompt, Sampling
from freehold.runs.warm import shortest, silent


def heard(*events: Event) -> list[Event]:
    async def said() -> AsyncGenerator[Event, None]:
        for event in events:
            yield event

    async def main() -> list[Event]:
        return [event async for event in silent(said())]

    return asyncio.run(main())


def test_one_token_is_asked_for_and_nothing_else_is_changed() -> None:
    prompt = Prompt(model="m", turns=(), sampling=Sampling(seed=7, max_tokens=500), tokens=(1, 2))
    assert shortest(prompt) == Prompt(model="m", turns=(), sampling=Sampling(seed=7, max_tokens=1), tokens=(1, 2))


def test_only_the_end_is_heard_and_it_is_complete() -> None:
    item = Message(id="msg_1", role="assistant", content=(OutputText("a"),))
    usage = Usage(input=5, cached=2, output=1, reasoning=1)
    end = Ended(status="incomplete", reason="max_output_tokens", usage=usage)
    assert heard(Opened(0, item), Grew(0, "a"), Closed(0, item), end) == [
        Ended(status="completed", usage=Usage(input=5, cached=2))
    ]


def test_a_failure_stays_one() -> None:
    fault = EngineFailed("It broke.")
    assert heard(Ended(status="failed", error=fault)) == [Ended(status="failed", error=fault)]

"""What is sure of a response, and events that are gathered."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import pytest
from msgspec.structs import replace

from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.items import Compaction, FunctionCall, Message, OutputText
from freehold.core.ports import Served
from freehold.core.surface import Stamp
from freehold.services.telling import Telling, gathered
from freehold.storage.repos.journal import Begun
from freehold.storage.repos.responses import ResponseRow
from freehold.surfaces.responses.begin import begin
from freehold.surfaces.responses.request import ResponseBody

STAMP = Stamp("resp_1", 1, Served(name="m", context=100, max_output=10, created=1), lambda: 2.0, "")
RESPONSE = begin(ResponseBody(model="m", background=True), STAMP)
ROW = ResponseRow(
    id="resp_1",
    project="p",
    previous=None,
    created=1,
    status="queued",
    model="m",
    body=msgspec.json.encode(RESPONSE),
)
MESSAGE = Message(id="msg_1", role="assistant", status="in_progress", content=())
SAID = replace(MESSAGE, status="completed", content=(OutputText("a"),))
CALL = FunctionCall(id="fc_1", status="in_progress", call_id="call_1", name="add", arguments="")


def telling(frames: list[bytes] | None = None) -> Telling:
    return Telling(Begun(ROW, frames or []), lambda: 2.0, None)


def kinds(of: Telling) -> list[str]:
    """The types of the frames that may be written."""
    return [one.split(b"\n")[0].removeprefix(b"event: response.").decode() for one in of.frames]


def told(*events: Event) -> list[str]:
    """What may be written after the opening when these have happened."""
    by = telling()
    by.written(3)
    for event in events:
        by.push(event)
    return kinds(by)


def test_it_opens_as_queued_and_works_from_then_on() -> None:
    by = telling()
    assert (kinds(by), by.number) == (["created", "queued", "in_progress"], 0)
    assert by.result().status == "in_progress"
    by.written(2)
    assert (kinds(by), by.number) == (["in_progress"], 2)


def test_it_goes_on_where_the_journal_ends() -> None:
    by = telling()
    for event in (Opened(0, MESSAGE), Grew(0, "a")):
        by.push(event)
    again = telling(list(by.frames))
    assert (again.events, again.number, kinds(again)) == (by.events, 6, [])
    for one in (by, again):
        one.push(Closed(0, SAID))
        one.push(Ended(status="completed"))
    assert list(again.frames) == list(by.frames)[6:]
    assert again.result() == by.result() and again.result().output == (SAID,)


def test_text_is_told_as_it_comes() -> None:
    assert told(Opened(0, MESSAGE), Grew(0, "a")) == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
    ]


@pytest.mark.parametrize("item", [CALL, Compaction(id="cmp_1", encrypted_content="")])
def test_calls_and_compactions_are_held_back(item: FunctionCall | Compaction) -> None:
    assert told(Opened(0, item)) == []


def test_a_call_is_told_when_it_is_whole() -> None:
    whole = replace(CALL, status="completed", arguments="{}")
    events: list[Event] = [Opened(0, CALL), Grew(0, "{}", "arguments")]
    assert told(*events) == []
    assert told(*events, Closed(0, whole))[-1] == "output_item.done"


def test_an_item_that_was_cut_is_told_with_the_end() -> None:
    cut = replace(SAID, status="incomplete")
    events: list[Event] = [Opened(0, MESSAGE), Grew(0, "a"), Closed(0, cut)]
    assert told(*events)[-1] == "output_text.delta"
    assert told(*events, Ended(status="incomplete", reason="max_output_tokens"))[-2:] == [
        "output_item.done",
        "incomplete",
    ]


async def counting(pause: float, count: int = 5) -> AsyncGenerator[int, None]:
    for number in range(count):
        await asyncio.sleep(pause)
        yield number


def batches_of(pause: float, seconds: float, most: int) -> list[list[int]]:
    async def main() -> list[list[int]]:
        async with aclosing(counting(pause)) as numbers:
            return [batch async for batch in gathered(numbers, seconds, most)]

    return asyncio.run(main())


def test_what_comes_fast_comes_together() -> None:
    assert batches_of(0.0, 1.0, 100) == [[0, 1, 2, 3, 4]]
    assert batches_of(0.0, 1.0, 2) == [[0, 1], [2, 3], [4]]


def test_what_comes_slowly_is_not_waited_for() -> None:
    batches = batches_of(0.05, 0.02, 100)
    assert [one for batch in batches for one in batch] == [0, 1, 2, 3, 4]
    assert [] in batches and max(map(len, batches)) == 1


def test_leaving_it_cancels_what_it_waits_for() -> None:
    cancelled: list[bool] = []

    async def never() -> AsyncGenerator[int, None]:
        try:
            await asyncio.sleep(60)
            yield 1
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        async with aclosing(never()) as numbers, aclosing(gathered(numbers, 0.01, 2)) as batches:
            assert await anext(batches) == []

    asyncio.run(main())
    assert cancelled == [True]


def test_what_breaks_is_raised_after_what_came_before() -> None:
    async def breaking() -> AsyncGenerator[int, None]:
        yield 1
        await asyncio.sleep(0.05)
        raise ZeroDivisionError

    async def main() -> None:
        seen = []
        async with aclosing(breaking()) as numbers:
            with pytest.raises(ZeroDivisionError):
                async for batch in gathered(numbers, 0.01, 10):
                    seen += batch
        assert seen == [1]

    asyncio.run(main())

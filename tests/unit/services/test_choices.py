"""Several runs at once: their events as they come, and one end for all."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from freehold.core.deltas import Usage
from freehold.core.errors import EngineFailed
from freehold.core.events import Chosen, Ended, Event, Grew
from freehold.services.choices import side_by_side


class Run:
    """Says what it was given, in turns with the others; it remembers whether it was closed before its end."""

    def __init__(self, *said: Event | Exception | None) -> None:
        """None waits for ever."""
        self.said = said
        self.closed = False

    async def events(self) -> AsyncGenerator[Event, None]:
        try:
            for event in self.said:
                await asyncio.sleep(0)
                if isinstance(event, Exception):
                    raise event
                if event is None:
                    await asyncio.Event().wait()
                else:
                    yield event
        finally:
            self.closed = True


def heard(*runs: Run) -> list[Event]:
    async def main() -> list[Event]:
        stream = side_by_side([run.events() for run in runs], len(runs))
        async with asyncio.timeout(5):
            return [event async for event in stream]

    return asyncio.run(main())


def usage(output: int, reasoning: int = 0, cached: int = 0) -> Usage:
    return Usage(input=7, cached=cached, output=output, reasoning=reasoning)


def test_every_event_carries_its_number_and_tokens_of_the_prompt_count_once() -> None:
    ends = [Ended(status="completed", usage=usage(2, 1)), Ended(status="completed", usage=usage(3, 2, 5))]
    *events, last = heard(Run(Grew(0, "a"), ends[0]), Run(Grew(0, "b"), Grew(0, "c"), ends[1]))
    assert last == Ended(status="completed", usage=Usage(input=7, cached=5, output=5, reasoning=3))
    for number, wanted in enumerate(([Grew(0, "a"), ends[0]], [Grew(0, "b"), Grew(0, "c"), ends[1]])):
        assert [one.event for one in events if isinstance(one, Chosen) and one.choice == number] == wanted
    assert len(events) == 5


def test_a_run_that_is_ahead_is_not_waited_for() -> None:
    slow = Run(*[Grew(0, "s")] * 20, Ended(status="completed"))
    events = heard(Run(Grew(0, "q"), Ended(status="completed")), slow)
    quick = max(place for place, one in enumerate(events) if isinstance(one, Chosen) and one.choice == 0)
    assert quick < len(events) - 10
    assert slow.closed


@pytest.mark.parametrize(
    "end", [Ended(status="failed", error=EngineFailed("It broke.")), Ended(status="cancelled", usage=usage(1))]
)
def test_the_first_run_that_does_not_come_to_its_end_ends_the_others(end: Ended) -> None:
    waiting = Run(Grew(0, "a"), None)
    *events, last = heard(waiting, Run(Grew(0, "b"), end))
    assert isinstance(last, Ended)
    assert (last.status, last.error) == (end.status, end.error)
    assert {one.choice for one in events if isinstance(one, Chosen)} == {0, 1}
    assert waiting.closed


def test_one_that_was_cut_does_not_end_the_others() -> None:
    cut = Ended(status="incomplete", reason="max_output_tokens", usage=usage(1))
    *events, last = heard(Run(cut), Run(Grew(0, "a"), Grew(0, "b"), Ended(status="completed", usage=usage(2))))
    assert Chosen(1, Grew(0, "b")) in events
    assert isinstance(last, Ended) and last.usage.output == 3


def test_closing_it_closes_the_runs() -> None:
    runs = [Run(Grew(0, "a"), None), Run(None)]

    async def main() -> None:
        stream = side_by_side([run.events() for run in runs], len(runs))
        await anext(stream)
        await stream.aclose()

    asyncio.run(main())
    assert all(run.closed for run in runs)


def test_a_hundred_answers_all_come_through() -> None:
    runs = [Run(*[Grew(0, "x")] * 30, Ended(status="completed", usage=usage(30))) for _ in range(128)]
    *events, last = heard(*runs)
    assert len(events) == 128 * 31
    assert isinstance(last, Ended) and last.usage.output == 128 * 30


def test_a_bug_in_a_run_is_not_waited_for_for_ever() -> None:
    with pytest.raises(ZeroDivisionError):
        heard(Run(Grew(0, "a"), ZeroDivisionError()), Run(None))


def test_each_prompt_is_read_once_however_many_answers_it_has() -> None:
    async def main() -> list[Event]:
        runs = [Run(Ended(status="completed", usage=usage(2))) for _ in range(4)]
        return [event async for event in side_by_side([run.events() for run in runs], 2)]

    *_, last = asyncio.run(main())
    assert last == Ended(status="completed", usage=Usage(input=14, output=8))


def test_no_more_runs_at_once_than_there_are_places() -> None:
    running, most = 0, 0

    async def one() -> AsyncGenerator[Event, None]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        yield Ended(status="completed")
        running -= 1

    async def main() -> None:
        async for _ in side_by_side([one() for _ in range(10)], 10, 3):
            pass

    asyncio.run(main())
    assert most == 3

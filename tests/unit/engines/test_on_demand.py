"""OnDemand: a thing that is opened when it is needed and closed when it is not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from freehold.core.errors import EngineFailed
from freehold.engines.on_demand import OnDemand

TIMEOUT = 5


class Opener:
    """Opens things that are only their number, and counts them; the first `failing` cannot be opened."""

    def __init__(self, failing: int = 0) -> None:
        self.opened = 0
        self.open = 0
        self.failing = failing

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[int, None]:
        self.opened += 1
        if self.opened <= self.failing:
            raise EngineFailed("no memory")
        self.open += 1
        try:
            yield self.opened
        finally:
            self.open -= 1


async def closed(opener: Opener) -> None:
    async with asyncio.timeout(TIMEOUT):
        while opener.open:  # noqa: ASYNC110 - the owner's end has no event that others see
            await asyncio.sleep(0.001)


def test_users_share_it_and_it_is_closed_when_idle() -> None:
    async def main() -> None:
        opener = Opener()
        thing = OnDemand(opener, idle=0.02)
        assert not opener.opened
        async with thing.use() as one, thing.use() as two:
            assert one is two
            await asyncio.sleep(0.05)
            assert opener.open == 1
        await closed(opener)
        async with thing.use():
            assert (opener.open, opener.opened) == (1, 2)
        await thing.close()
        assert not opener.open

    asyncio.run(main())


def test_one_that_cannot_be_opened_is_tried_again_by_the_next() -> None:
    async def main() -> None:
        opener = Opener(failing=1)
        thing = OnDemand(opener)
        with pytest.raises(EngineFailed, match="no memory"):
            async with thing.use():
                pass
        async with thing.use():
            assert opener.open == 1
        await thing.close()

    asyncio.run(main())


def test_a_user_who_leaves_while_it_opens_takes_nothing_along() -> None:
    async def main() -> None:
        opener = Opener()
        thing = OnDemand(opener)

        async def use() -> None:
            async with thing.use():
                await asyncio.sleep(TIMEOUT)

        impatient = asyncio.create_task(use())
        await asyncio.sleep(0)
        impatient.cancel()
        async with thing.use():
            assert (opener.open, opener.opened) == (1, 1)
        await thing.close()

    asyncio.run(main())


def test_what_was_not_foreseen_is_told_to_all_who_wait_and_tried_again() -> None:
    async def main() -> None:
        failures: list[Exception] = [MemoryError("no room")]

        @asynccontextmanager
        async def opened() -> AsyncGenerator[int, None]:
            await asyncio.sleep(0)
            if failures:
                raise failures.pop()
            yield 7

        thing = OnDemand(opened)

        async def use() -> int:
            async with thing.use() as one:
                return one

        for outcome in await asyncio.gather(use(), use(), return_exceptions=True):
            assert isinstance(outcome, EngineFailed)
            assert "no room" in str(outcome)
        assert await use() == 7
        await thing.close()

    asyncio.run(main())


@pytest.mark.parametrize("ticks", range(8))
def test_one_who_comes_as_the_time_is_up_has_it_open(ticks: int) -> None:
    async def main() -> None:
        opener = Opener()
        thing = OnDemand(opener, idle=0.0)
        async with thing.use():
            pass
        for _ in range(ticks):
            await asyncio.sleep(0)
        async with thing.use():
            for _ in range(10):
                assert opener.open == 1
                await asyncio.sleep(0)
        await thing.close()

    asyncio.run(main())

"""The gate: order, bounds, and what a cancelled waiter leaves behind."""

import asyncio

import pytest

from freehold.core.errors import EngineBusy
from freehold.core.ports import Load
from freehold.engines.gate import Gate


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_lets_slots_in_and_keeps_the_others_in_order() -> None:
    async def main() -> None:
        gate, order = Gate(slots=2, queue=10), []

        async def visit(number: int) -> None:
            async with gate.enter():
                order.append(number)
                await settle()

        await asyncio.gather(*(visit(number) for number in range(6)))
        assert order == [0, 1, 2, 3, 4, 5]
        assert gate.load == Load(running=0, waiting=0, limit=12)

    asyncio.run(main())


def test_says_how_full_it_is() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=2)
        place = await gate.acquire()
        waiter = asyncio.create_task(gate.acquire())
        await settle()
        assert gate.load == Load(running=1, waiting=1, limit=3)
        place.release()
        (await waiter).release()
        assert gate.load == Load(running=0, waiting=0, limit=3)

    asyncio.run(main())


def test_sends_away_whom_the_line_cannot_hold_with_an_estimate() -> None:
    async def main() -> None:
        clock = Clock()
        gate = Gate(slots=1, queue=0, clock=clock)
        for _ in range(50):
            place = await gate.acquire()
            clock.now += 10.0
            place.release()
        gate.check()
        await gate.acquire()
        with pytest.raises(EngineBusy) as refused:
            await gate.acquire()
        assert refused.value.retry_after == pytest.approx(10.0, abs=0.1)
        with pytest.raises(EngineBusy):
            gate.check()

    asyncio.run(main())


def test_the_estimate_is_bounded() -> None:
    async def main() -> None:
        clock = Clock()
        gate = Gate(slots=1, queue=0, clock=clock)
        place = await gate.acquire()
        clock.now += 1e6
        place.release()
        await gate.acquire()
        with pytest.raises(EngineBusy) as refused:
            await gate.acquire()
        assert refused.value.retry_after == 60.0

    asyncio.run(main())


def test_a_small_request_does_not_pass_a_big_one_that_waits_for_tokens() -> None:
    async def main() -> None:
        gate, order = Gate(slots=4, queue=10, pool=100), []

        async def visit(name: str, tokens: int) -> None:
            async with gate.enter(tokens):
                order.append(name)

        first = await gate.acquire(60)
        tasks = [asyncio.create_task(visit("big", 80)), asyncio.create_task(visit("small", 10))]
        await settle()
        assert order == []
        first.release()
        await asyncio.gather(*tasks)
        assert order == ["big", "small"]

    asyncio.run(main())


def test_refuses_what_the_pool_can_never_hold() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="101 tokens can never be reserved from a pool of 100"):
            await Gate(slots=1, queue=1, pool=100).acquire(101)

    asyncio.run(main())


def test_a_cancelled_waiter_frees_its_place_in_line() -> None:
    async def main() -> None:
        gate = Gate(slots=4, queue=10, pool=100)
        first = await gate.acquire(60)
        big = asyncio.create_task(gate.acquire(80))
        small = asyncio.create_task(gate.acquire(10))
        await settle()
        big.cancel()
        (await small).release()
        assert big.cancelled()
        assert gate.load.waiting == 0
        first.release()
        assert gate.load.running == 0

    asyncio.run(main())


def test_a_place_granted_to_a_waiter_that_is_cancelled_goes_to_the_next() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=10)
        first = await gate.acquire()
        second, third = asyncio.create_task(gate.acquire()), asyncio.create_task(gate.acquire())
        await settle()
        first.release()
        second.cancel()
        (await third).release()
        assert second.cancelled()
        assert gate.load.running == 0

    asyncio.run(main())


def test_releasing_twice_frees_one_place() -> None:
    async def main() -> None:
        gate = Gate(slots=2, queue=0)
        first, _second = await gate.acquire(), await gate.acquire()
        first.release()
        first.release()
        assert gate.load.running == 1

    asyncio.run(main())

"""The gate: order, bounds, and what a cancelled waiter leaves behind."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import EngineBusy
from freehold.core.ports import Load
from freehold.core.prompt import Tier
from freehold.engines.gate import PASSES, Claim, Gate, Place

BATCH = Claim(batch=True)
TIERS = st.sampled_from(["priority", "default", "flex", None])


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
        assert gate.load == Load(running=0, waiting=0, limit=12, slots=2)

    asyncio.run(main())


def test_says_how_full_it_is_and_lets_in_whom_another_slot_takes() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=2)
        place = await gate.acquire()
        waiter = asyncio.create_task(gate.acquire())
        await settle()
        assert gate.load == Load(running=1, waiting=1, limit=3, slots=1)
        gate.resize(2)
        (await waiter).release()
        assert gate.load == Load(running=1, waiting=0, limit=4, slots=2)
        place.release()
        gate.resize(1)
        assert gate.load == Load(running=0, waiting=0, limit=3, slots=1)

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


async def entered(gate: Gate, tokens: int = 0) -> Place | None:
    """The place of a batch request that has read its prompt; None where it would have to wait."""
    waiter = asyncio.create_task(gate.acquire(tokens, BATCH))
    await settle()
    if not waiter.done():
        waiter.cancel()
        return None
    waiter.result().begin()
    return waiter.result()


def test_batch_requests_leave_a_slot_free() -> None:
    async def main() -> None:
        gate = Gate(slots=4, queue=10)
        places = [await entered(gate) for _ in range(4)]
        assert [place is not None for place in places] == [True, True, True, False]
        assert gate.load == Load(running=3, waiting=0, limit=14, slots=4)
        async with asyncio.timeout(1):
            await gate.acquire()

    asyncio.run(main())


def test_a_batch_request_has_the_only_slot_when_nobody_else_wants_it() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=10)
        place = await gate.acquire(claim=BATCH)
        assert await entered(gate) is None
        interactive = asyncio.create_task(gate.acquire())
        await settle()
        place.release()
        (await interactive).release()
        assert await entered(gate) is not None

    asyncio.run(main())


def test_who_waits_interactively_goes_first() -> None:
    async def main() -> None:
        gate, order = Gate(slots=1, queue=10), []

        async def visit(name: str, batch: bool) -> None:
            async with gate.enter(claim=Claim(batch=batch)):
                order.append(name)
                await settle()

        place = await gate.acquire()
        visits = [("batch", True), ("first", False), ("second", False)]
        tasks = [asyncio.create_task(visit(*one)) for one in visits]
        await settle()
        assert gate.load.waiting == 2
        place.release()
        await asyncio.gather(*tasks)
        assert order == ["first", "second", "batch"]

    asyncio.run(main())


def test_a_batch_request_is_passed_a_number_of_times_and_no_more() -> None:
    async def main() -> None:
        gate, order = Gate(slots=1, queue=1_000), []

        async def visit(batch: bool) -> None:
            async with gate.enter(claim=Claim(batch=batch)):
                order.append(batch)

        place = await gate.acquire()
        batches = [asyncio.create_task(visit(True)) for _ in range(2)]
        await settle()
        others = [asyncio.create_task(visit(False)) for _ in range(3 * PASSES)]
        await settle()
        place.release()
        await asyncio.gather(*batches, *others)
        assert [number for number, batch in enumerate(order) if batch] == [PASSES, 2 * PASSES + 1]

    asyncio.run(main())


def test_where_the_line_never_ends_one_batch_request_runs_at_a_time() -> None:
    async def main() -> None:
        gate = Gate(slots=2, queue=1_000)
        first, second = await gate.acquire(), await gate.acquire()
        batches = [asyncio.create_task(gate.acquire(claim=BATCH)) for _ in range(2)]
        line = [asyncio.create_task(gate.acquire()) for _ in range(4 * PASSES)]
        await settle()
        first.release()
        places = [second]
        for _ in range(3 * PASSES):
            await settle()
            done = [task for task in line if task.done()]
            line = [task for task in line if not task.done()]
            places += [task.result() for task in done]
            places.pop(0).release()
        assert [task.done() for task in batches] == [True, False]

    asyncio.run(main())


def test_batch_requests_leave_a_share_of_the_pool_free_unless_they_are_alone() -> None:
    async def main() -> None:
        gate = Gate(slots=4, queue=10, pool=100)
        whole = await entered(gate, 100)
        assert whole is not None
        whole.release()
        assert await entered(gate, 40) is not None
        assert await entered(gate, 36) is None
        assert await entered(gate, 35) is not None
        async with asyncio.timeout(1):
            await gate.acquire(25)

    asyncio.run(main())


def test_batch_requests_read_their_prompts_one_after_the_other() -> None:
    async def main() -> None:
        gate = Gate(slots=8, queue=10)
        tasks = [asyncio.create_task(gate.acquire(claim=BATCH)) for _ in range(3)]
        await settle()
        assert [task.done() for task in tasks] == [True, False, False]
        async with asyncio.timeout(1):
            await gate.acquire()
        (await tasks[0]).begin()
        (await tasks[0]).begin()
        await settle()
        assert [task.done() for task in tasks] == [True, True, False]
        (await tasks[1]).release()
        (await tasks[1]).begin()
        await settle()
        assert [task.done() for task in tasks] == [True, True, True]
        assert await entered(gate) is None

    asyncio.run(main())


def test_the_lines_are_full_each_for_itself() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=1)
        place = await gate.acquire()
        waiting = asyncio.create_task(gate.acquire(claim=BATCH))
        await settle()
        with pytest.raises(EngineBusy):
            gate.check(BATCH)
        gate.check()
        interactive = asyncio.create_task(gate.acquire())
        await settle()
        with pytest.raises(EngineBusy):
            gate.check()
        place.release()
        (await interactive).release()
        (await waiting).release()
        assert gate.load == Load(running=0, waiting=0, limit=2, slots=1)

    asyncio.run(main())


def test_a_cancelled_batch_waiter_holds_nobody_up() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=10)
        first = await gate.acquire()
        second, third = (asyncio.create_task(gate.acquire(claim=BATCH)) for _ in range(2))
        await settle()
        first.release()
        second.cancel()
        (await third).release()
        assert second.cancelled()
        assert gate.load.running == 0
        assert await entered(gate) is not None

    asyncio.run(main())


async def visiting(gate: Gate, order: list[str], name: str, claim: Claim) -> None:
    async with gate.enter(claim=claim):
        order.append(name)
        await settle()


def test_a_higher_tier_goes_first() -> None:
    async def main() -> None:
        gate, order = Gate(slots=1, queue=10), list[str]()
        place = await gate.acquire()
        tiers: list[Tier] = ["flex", "default", "priority", "flex", "priority"]
        claims = [("batch", BATCH), *((tier, Claim(tier=tier)) for tier in tiers)]
        tasks = [asyncio.create_task(visiting(gate, order, *one)) for one in claims]
        await settle()
        place.release()
        await asyncio.gather(*tasks)
        assert order == ["priority", "priority", "default", "flex", "flex", "batch"]

    asyncio.run(main())


def test_the_projects_of_a_tier_take_turns() -> None:
    async def main() -> None:
        gate, order = Gate(slots=1, queue=100), list[str]()
        place = await gate.acquire()
        tasks = [asyncio.create_task(visiting(gate, order, owner, Claim(owner))) for owner in "aaaaabbc"]
        await settle()
        place.release()
        await asyncio.gather(*tasks)
        assert "".join(order) == "abcabaaa"

    asyncio.run(main())


def test_a_lower_tier_is_passed_a_number_of_times_and_no_more() -> None:
    async def main() -> None:
        gate, order = Gate(slots=1, queue=1_000), list[str]()
        place = await gate.acquire()
        claims = [Claim(tier="flex"), Claim(tier="default"), *[Claim(tier="priority")] * (2 * PASSES)]
        tasks = [asyncio.create_task(visiting(gate, order, claim.tier, claim)) for claim in claims]
        await settle()
        place.release()
        await asyncio.gather(*tasks)
        assert [order.index("default"), order.index("flex")] == [PASSES + 1, PASSES]

    asyncio.run(main())


def test_a_project_that_has_filled_the_queue_keeps_nobody_out() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=4)
        place = await gate.acquire()
        crowd = [asyncio.create_task(gate.acquire(claim=Claim("crowd"))) for _ in range(4)]
        await settle()
        with pytest.raises(EngineBusy):
            gate.check(Claim("crowd"))
        gate.check(Claim("other"))
        others = [asyncio.create_task(gate.acquire(claim=Claim("other"))) for _ in range(3)]
        await settle()
        assert [task.done() for task in crowd] == [False, False, True, True]
        assert [task.done() for task in others] == [False, False, True]
        for sent_away in (crowd[2], crowd[3], others[2]):
            with pytest.raises(EngineBusy):
                await sent_away
        place.release()
        for task in (crowd[0], others[0], crowd[1], others[1]):
            (await task).release()
        assert gate.load == Load(running=0, waiting=0, limit=5, slots=1)

    asyncio.run(main())


def test_where_the_queue_is_full_the_lowest_tier_gives_way() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=2)
        place = await gate.acquire()
        flex = [asyncio.create_task(gate.acquire(claim=Claim("a", "flex"))) for _ in range(2)]
        await settle()
        usual = asyncio.create_task(gate.acquire(claim=Claim("a")))
        await settle()
        with pytest.raises(EngineBusy):
            await flex[1]
        urgent = asyncio.create_task(gate.acquire(claim=Claim("a", "priority")))
        await settle()
        with pytest.raises(EngineBusy):
            await flex[0]
        with pytest.raises(EngineBusy):
            await gate.acquire(claim=Claim("b", "flex"))
        place.release()
        (await urgent).release()
        (await usual).release()

    asyncio.run(main())


def test_whoever_is_sent_away_while_it_is_cancelled_leaves_nothing_behind() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=1)
        place = await gate.acquire()
        flex = asyncio.create_task(gate.acquire(claim=Claim("a", "flex")))
        await settle()
        usual = asyncio.create_task(gate.acquire(claim=Claim("a")))
        await asyncio.sleep(0)
        flex.cancel()
        with pytest.raises((EngineBusy, asyncio.CancelledError)):
            await flex
        place.release()
        (await usual).release()
        assert gate.load == Load(running=0, waiting=0, limit=2, slots=1)

    asyncio.run(main())


STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "cancel"]), st.integers(0, 40), st.sampled_from("abc"), TIERS),
    max_size=60,
)


@given(STEPS)
def test_whatever_comes_and_goes_the_bounds_hold_and_nobody_is_forgotten(
    steps: list[tuple[str, int, str, Any]],
) -> None:
    async def main() -> None:
        gate = Gate(slots=3, queue=4, pool=100)
        tasks: list[asyncio.Task[Place]] = []
        places: list[Place] = []
        for step, number, owner, tier in steps:
            if step == "come":
                claim = BATCH if tier is None else Claim(owner, tier)
                tasks.append(asyncio.create_task(gate.acquire(number, claim)))
            elif step == "leave" and places:
                places.pop(number % len(places)).release()
            elif step == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            await settle()
            while ended := [task for task in tasks if task.done()]:
                tasks = [task for task in tasks if not task.done()]
                places += [task.result() for task in ended if not task.cancelled() and task.exception() is None]
                for place in places:
                    place.begin()
                await settle()
            assert gate.load.running == len(places) <= 3
            assert sum(place.tokens for place in places) <= 100
            assert gate.load.waiting <= 4
        while tasks or places:
            for place in places:
                place.release()
            await settle()
            ended = [task for task in tasks if task.done()]
            assert places or ended, "somebody waits for nobody"
            tasks = [task for task in tasks if not task.done()]
            places = [task.result() for task in ended if task.exception() is None]
        assert gate.load == Load(running=0, waiting=0, limit=7, slots=3)

    asyncio.run(main())

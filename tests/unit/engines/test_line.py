"""A line: those of one owner in their order, the owners in turn."""

import asyncio

import pytest

from freehold.engines.line import Line, Waiter


def filled(owners: str) -> tuple[Line[int], list[Waiter[int]], asyncio.AbstractEventLoop]:
    """A line with a request of each owner, which needs as many tokens as came before it."""
    loop, line = asyncio.new_event_loop(), Line[int]()
    waiters = [Waiter[int](owner, number, loop.create_future()) for number, owner in enumerate(owners)]
    for waiter in waiters:
        line.join(waiter)
    return line, waiters, loop


def test_owners_take_turns_and_keep_their_own_order() -> None:
    line, _, loop = filled("aaabbc")
    assert (len(line), line.waiting("a"), line.waiting("x")) == (6, 3, 0)
    taken = [line.pop() for _ in range(len(line))]
    assert [(one.owner, one.tokens) for one in taken] == [("a", 0), ("b", 3), ("c", 5), ("a", 1), ("b", 4), ("a", 2)]
    with pytest.raises(StopIteration):
        line.pop()
    loop.close()


def test_the_newest_is_that_of_the_owner_who_has_most() -> None:
    line, waiters, loop = filled("abbac")
    line.remove(waiters[0])
    line.remove(waiters[0])
    assert len(line) == 4
    assert line.newest() is waiters[2]
    assert line.first is waiters[3]
    loop.close()

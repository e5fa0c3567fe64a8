"""One line of waiting requests, in which projects take turns."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Waiter(Struct, Generic[T], eq=False):
    """A request that waits: whose it is, the tokens that it needs, and what it is given when its time has come."""

    owner: str
    tokens: int
    granted: asyncio.Future[T]


class Line(Generic[T]):
    """Waiting requests: those of one owner in the order in which they came, the owners in turn (round robin).

    So an owner with one request waits for at most one of each other owner, however many they have. `passes` counts the
    requests of other lines that went first since one of this line did.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._turns: dict[str, deque[Waiter[T]]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def first(self) -> Waiter[T]:
        """Who is next. Raises StopIteration where nobody waits."""
        return next(iter(self._turns.values()))[0]

    def waiting(self, owner: str) -> int:
        """How many requests of an owner wait."""
        return len(self._turns.get(owner, ()))

    def join(self, waiter: Waiter[T]) -> None:
        """Take a request into the line; an owner who had none in it has its turn after all others."""
        self._turns.setdefault(waiter.owner, deque()).append(waiter)
        self._length += 1

    def pop(self) -> Waiter[T]:
        """Take out who is next; its owner has its next turn after all others. Raises StopIteration as `first`."""
        owner = next(iter(self._turns))
        waiters = self._turns.pop(owner)
        waiter = waiters.popleft()
        if waiters:
            self._turns[owner] = waiters
        self._length -= 1
        return waiter

    def remove(self, waiter: Waiter[T]) -> None:
        """Take out a request; nothing happens where it is not in the line."""
        waiters = self._turns.get(waiter.owner)
        if waiters is None or waiter not in waiters:
            return
        waiters.remove(waiter)
        self._length -= 1
        if not waiters:
            del self._turns[waiter.owner]

    def newest(self) -> Waiter[T]:
        """The request that came last of the owner who has the most. Raises ValueError where nobody waits."""
        return max(self._turns.values(), key=len)[-1]

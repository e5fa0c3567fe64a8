"""The answers under way in this process, and how to stop one."""

import asyncio
from typing import Any, Protocol

from freehold.core.principal import Principal
from freehold.core.surface import Projection


class Tracked(Protocol):
    """What is known of an answer under way."""

    @property
    def id(self) -> str:
        """The id of the object that it makes."""
        ...

    @property
    def project(self) -> str:
        """The project that it belongs to."""
        ...

    @property
    def projection(self) -> Projection:
        """The fold that holds its object."""
        ...


class Running:
    """The answers under way in this process, and those that were asked to stop."""

    def __init__(self) -> None:
        self._under_way: dict[str, Tracked] = {}
        self._stopping: dict[str, asyncio.Event] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._under_way)

    def track(self, answer: Tracked) -> "_Track":
        """Count an answer as under way inside the block that begins with what is returned."""
        return _Track(self, answer)

    def begin(self, answer: Tracked) -> None:
        """Count an answer as under way until its `end`."""
        self._under_way[answer.id] = answer
        self._idle.clear()

    def end(self, answer: Tracked) -> None:
        """Count an answer no more, and tell who asked it to stop."""
        del self._under_way[answer.id]
        stopping = self._stopping.pop(answer.id, None)
        if stopping is not None:
            stopping.set()
        if not self._under_way:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no answer is under way."""
        await self._idle.wait()

    async def stop(self, who: Principal, answer_id: str) -> Any | None:
        """Ask an answer to end as `cancelled` at its next delta, and return its object once it has ended.

        Returns None when no such answer of the caller's project is under way.
        """
        answer = self._under_way.get(answer_id)
        if answer is None or answer.project != who.project:
            return None
        await self._stopping.setdefault(answer_id, asyncio.Event()).wait()
        return answer.projection.result()

    def stop_all(self) -> None:
        """Ask every answer to end."""
        for answer_id in self._under_way:
            self._stopping.setdefault(answer_id, asyncio.Event())

    def stopped(self, answer_id: str) -> bool:
        """Whether the answer was asked to end."""
        return answer_id in self._stopping


class _Track:
    """The block of `Running.track`; no generator, for every answer pays for it."""

    __slots__ = ("_answer", "_running")

    def __init__(self, running: Running, answer: Tracked) -> None:
        self._running, self._answer = running, answer

    def __enter__(self) -> None:
        self._running.begin(self._answer)

    def __exit__(self, *_: object) -> None:
        self._running.end(self._answer)

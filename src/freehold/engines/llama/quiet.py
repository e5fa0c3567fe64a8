"""Keeps the processes of batches still while somebody is answered who waits for it."""

import asyncio
from collections.abc import Callable

from freehold.engines.worker.client import Worker

LONGEST_SECONDS = 15.0
"""How long batches stand still at most, however much there is to answer."""
BREATH_SECONDS = 1.0
"""How long they go on then."""


class Quiet:
    """Which workers stand still while an answer is written. One event loop owns it."""

    def __init__(self, longest: float = LONGEST_SECONDS, breath: float = BREATH_SECONDS) -> None:
        self._longest = longest
        self._breath = breath
        self._workers: set[Worker] = set()
        self._answers = 0
        self._turn: asyncio.TimerHandle | None = None

    def add(self, worker: Worker) -> Callable[[], None]:
        """Have a worker stand still with the others from now on; calling what is returned ends that."""
        self._workers.add(worker)
        if self._answers and self._turn is None:
            self._stop()

        def remove() -> None:
            self._workers.discard(worker)
            worker.go_on()

        return remove

    def answer(self) -> Callable[[], None]:
        """Begin to answer; calling what is returned, also more than once, ends that."""
        self._answers += 1
        if self._answers == 1:
            self._stop()
        answering = True

        def end() -> None:
            nonlocal answering
            if answering:
                answering = False
                self._answers -= 1
                if not self._answers:
                    self._let_go()

        return end

    def _stop(self) -> None:
        self._turn = None
        if self._workers:
            for worker in self._workers:
                worker.stand_still()
            self._turn = asyncio.get_running_loop().call_later(self._longest, self._breathe)

    def _breathe(self) -> None:
        self._let_go()
        self._turn = asyncio.get_running_loop().call_later(self._breath, self._stop)

    def _let_go(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        for worker in self._workers:
            worker.go_on()

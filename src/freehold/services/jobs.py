"""What workers and use cases agree on: a claimed job, what handles it, and the bell that says that there is one."""

import asyncio
from typing import Protocol

from freehold.storage.repos.jobs import JobRow


class Claimed:
    """A job that this process has, and whether it was asked to stop."""

    def __init__(self, row: JobRow) -> None:
        self.row = row
        self._stopped = row.stop

    def stopped(self) -> bool:
        """Whether someone asked the job to end early; it becomes true within a second of that, in any process."""
        return self._stopped

    def ask_to_stop(self) -> None:
        """Make `stopped` true."""
        self._stopped = True


class Handler(Protocol):
    """The use case behind a kind of job. Its outside effects may happen twice, what it writes with `finish` once."""

    @property
    def kind(self) -> str:
        """The kind of the jobs that it handles."""
        ...

    @property
    def most_at_once(self) -> int:
        """How many of them a process may run at the same time."""
        ...

    @property
    def most_attempts(self) -> int:
        """How often a job is begun, by this process or another, before it is given up."""
        ...

    async def run(self, job: Claimed) -> None:
        """Do the job and `finish` it in the transaction that writes its result.

        It is cancelled when the lease is lost and when the process ends; what it raises is the reason to try again.
        """
        ...

    async def give_up(self, job: JobRow, reason: str) -> None:
        """Write that the job failed, and `finish` it; `reason` is for people who run the server."""
        ...


class Bell:
    """Ends the worker's pause when a job was enqueued in its own process."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Say that there may be something to do."""
        self._rung.set()

    async def heard(self, seconds: float) -> None:
        """Return when it is rung, was rung since this returned last, or the seconds are over."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

"""The worker: claims jobs, keeps their leases alive, runs their handlers, and tries again what failed.

One loop does everything that needs the queue, one thing after the other, so that leases are renewed before anything is
claimed. Times inside a process are the event loop's; only what other processes read is by the wall clock, and when that
clock jumps, the leases are written anew.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from msgspec import Struct

from freehold.core.errors import Fault, StorageFailed
from freehold.core.ids import Clock
from freehold.services.jobs import Bell, Claimed, Handler
from freehold.storage.repos.jobs import JobRow, JobRows, LeaseLost

log = logging.getLogger(__name__)

Sweep = Callable[[], Awaitable[None]]

_JUMP_SECONDS = 1.0


class Pace(Struct, frozen=True, kw_only=True):
    """How fast a worker walks, in seconds: a dead worker's jobs go on within `lease` and a `poll`.

    A failed attempt is followed by the next one after `retry`, and twice as long after each, up to `longest_retry`.
    Of one subject, at most `for_one` jobs run at the same time, so that a slow one holds up nobody else.
    """

    lease: float = 15.0
    beat: float = 5.0
    poll: float = 0.5
    retry: float = 1.0
    longest_retry: float = 4 * 3600.0
    sweep: float = 60.0
    for_one: int = 4


class _Run(NamedTuple):
    job: Claimed
    task: asyncio.Task[None]


class Worker:
    """Runs the jobs of the kinds that it has handlers for, until it is cancelled."""

    def __init__(
        self,
        rows: JobRows,
        handlers: Mapping[str, Handler],
        name: str,
        clock: Clock,
        bell: Bell,
        sweep: Sweep | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`name` must be no other worker's, ever; `sweep` cleans up, once a while."""
        self._rows = rows
        self._handlers = handlers
        self._name = name
        self._clock = clock
        self._bell = bell
        self._sweep = sweep
        self._pace = pace or Pace()
        self._runs: dict[str, _Run] = {}
        self._stolen: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._retired = False
        self._next_beat = 0.0
        self._offset = 0.0

    def __len__(self) -> int:
        return len(self._runs)

    async def run(self) -> None:
        """Work until cancelled; then the jobs under way go back to the queue at once, their attempts not counted."""
        async with asyncio.TaskGroup() as group:
            if self._sweep is not None:
                group.create_task(self._sweep_often(self._sweep))
            while True:
                try:
                    # One reading for both: if it jumped between them, our own leases would be free to be claimed.
                    clock = self._clock()
                    await self._look_after(clock)
                    await self._claim(group, clock)
                except StorageFailed as fault:
                    log.warning("the queue cannot be read now: %s", fault.message)
                await self._bell.heard(self._pace.poll)

    def retire(self, finishing: Collection[str]) -> None:
        """Claim nothing more; put back at once the jobs of all kinds but those `finishing`."""
        self._retired = True
        for run in self._runs.values():
            if run.job.row.kind not in finishing:
                run.task.cancel()

    async def idle(self) -> None:
        """Wait until no job is under way."""
        await self._idle.wait()

    async def _look_after(self, clock: float) -> None:
        """Renew the leases when it is time, and tell the jobs under way what others want of them."""
        now, ids = asyncio.get_running_loop().time(), list(self._runs)
        jumped = abs(clock - now - self._offset) > _JUMP_SECONDS
        if not ids:
            return
        if jumped or now >= self._next_beat:
            seen = await self._rows.beat(self._name, ids, clock + self._pace.lease)
            self._next_beat, self._offset = now + self._pace.beat, clock - now
        else:
            seen = await self._rows.look(self._name, ids)
        for job_id in ids:
            run = self._runs.get(job_id)
            if run is not None and job_id in seen.stopping:
                run.job.ask_to_stop()
            elif run is not None and job_id in seen.stolen:
                self._stolen.add(job_id)
                run.task.cancel()

    async def _claim(self, group: asyncio.TaskGroup, clock: float) -> None:
        if self._retired:
            return
        kinds = Counter(run.job.row.kind for run in self._runs.values())
        room = {kind: handler.most_at_once - kinds[kind] for kind, handler in self._handlers.items()}
        subjects = Counter(run.job.row.subject for run in self._runs.values())
        busy = [subject for subject, count in subjects.items() if count >= self._pace.for_one]
        free = [kind for kind, count in room.items() if count > 0]
        for kind in await self._rows.due(free, clock, busy):
            lease = self._pace.lease
            for row in await self._rows.claim(self._name, [kind], clock, lease, room[kind], busy):
                if self._retired:  # meanwhile
                    await self._rows.put_off(row, 0.0, counted=False)
                else:
                    self._start(row, group, clock)

    def _start(self, row: JobRow, group: asyncio.TaskGroup, clock: float) -> None:
        job = Claimed(row)
        if not self._runs:
            loop = asyncio.get_running_loop()
            self._next_beat, self._offset = loop.time() + self._pace.beat, clock - loop.time()
        task = group.create_task(self._work(job))
        task.add_done_callback(lambda _: self._ended(row.id))
        self._runs[row.id] = _Run(job, task)
        self._idle.clear()
        self._bell.ring()  # there may be more of its subject

    async def _work(self, job: Claimed) -> None:
        row = job.row
        try:
            await self._attempt(self._handlers[row.kind], job)
        except asyncio.CancelledError:
            if row.id not in self._stolen:
                await self._rows.put_off(row, 0.0, counted=False)
            raise
        except LeaseLost:
            log.info("job %s (%s of %s) is no longer this worker's", row.id, row.kind, row.subject)
        except Exception:  # the other jobs must not end with it
            log.exception("job %s (%s of %s) is left to its lease", row.id, row.kind, row.subject)

    def _ended(self, job_id: str) -> None:
        self._stolen.discard(job_id)
        del self._runs[job_id]
        if not self._runs:
            self._idle.set()
        self._bell.ring()  # there is room for another

    async def _attempt(self, handler: Handler, job: Claimed) -> None:
        """Run the job once; put it off, or give it up, when that fails. Raises LeaseLost."""
        row = job.row
        if row.attempts > handler.most_attempts:
            await handler.give_up(row, f"its worker died in every one of {handler.most_attempts} attempts")
            return
        try:
            await handler.run(job)
        except LeaseLost:
            raise
        except Exception as error:  # whatever it is, the job must not be lost with it
            unforeseen = None if isinstance(error, Fault) else error
            about = (row.attempts, row.id, row.kind, row.subject, error)
            log.warning("attempt %d of job %s (%s of %s) failed: %s", *about, exc_info=unforeseen)
            if row.attempts >= handler.most_attempts:
                await handler.give_up(row, _reason(error))
            else:
                await self._rows.put_off(row, self._clock() + self._pause(row.attempts))

    def _pause(self, attempts: int) -> float:
        return min(self._pace.retry * 2.0 ** min(attempts - 1, 60), self._pace.longest_retry)

    async def _sweep_often(self, sweep: Sweep) -> None:
        while True:
            try:
                await sweep()
            except Exception:  # the next one may succeed, and the jobs need their worker
                log.exception("the sweep failed")
            await asyncio.sleep(self._pace.sweep)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

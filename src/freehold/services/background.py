"""Background responses: begun in one transaction, made by whichever process has the job, ended in one transaction.

What is told of a response is in its journal before anybody sees it. A process that takes a response over reads the
journal back and goes on where it ends; the frames are those that a client that waits would have been sent.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from contextlib import aclosing
from itertools import islice

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.errors import EngineBusy, EngineFailed, Fault, Invalid, NotFound, Unsupported
from freehold.core.events import Ended
from freehold.core.principal import Principal
from freehold.runs.resume import ending
from freehold.services.answering import Answer, Answering, Chance, Earlier
from freehold.services.items import Items
from freehold.services.jobs import Bell, Claimed
from freehold.services.journal import Journal, News
from freehold.services.telling import Telling, gathered
from freehold.storage.repos.jobs import JobRow, LeaseLost
from freehold.storage.repos.journal import Begun, Ending, JournalRows
from freehold.storage.repos.responses import ResponseRow
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses import RESPONSES
from freehold.surfaces.responses.objects import ConversationRef, Response, frame
from freehold.surfaces.responses.project import obfuscated
from freehold.surfaces.responses.request import ResponseBody
from freehold.surfaces.webhooks import EventType

log = logging.getLogger(__name__)

Announce = Callable[[Connection, str, EventType, str, float], None]
"""Enqueues an event of a project, as part of a write: its type, the id of the object, the unix time."""

_TOLD: Mapping[str, EventType] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.cancelled",
}

KIND = "response"
ATTEMPTS = 5
FRAMES_AN_ATTEMPT = 32
GATHER_SECONDS = 0.025
GATHER_FRAMES = 64
CANCEL_SECONDS = 5.0
KEPT_SECONDS = 24 * 3600
_TICK_SECONDS = 0.1
_SORRY = "The server had an error while processing your request. Sorry about that!"
_TURNS = ("completed", "incomplete")  # a turn that failed, or was stopped, is not part of the conversation


class Task(Struct, frozen=True):
    """What a job knows beyond the response's row: the request, the key that it came with, and the padding."""

    body: Raw
    key: str
    pad: str | None


class Background:
    """Begins, cancels and, as the handler of their jobs, makes background responses."""

    kind = KIND
    most_attempts = 1_000
    """Not the limit: see `_patience`."""

    def __init__(
        self,
        rows: JournalRows,
        answering: Answering,
        items: Items,
        chance: Chance,
        bell: Bell,
        news: News,
        announce: Announce,
        most_at_once: int,
    ) -> None:
        """`most_at_once` is for this process; the other responses stay queued, for any process."""
        self.most_at_once = most_at_once
        self.journal = Journal(rows, news)
        self._rows = rows
        self._answering = answering
        self._items = items
        self._chance = chance
        self._bell = bell
        self._news = news
        self._announce = announce
        self._encode = msgspec.json.Encoder().encode
        self._body: Decoder[ResponseBody] = Decoder(ResponseBody)
        self._task = msgspec.json.Decoder(Task).decode

    async def start(self, who: Principal, body: ResponseBody, answer: Answer) -> Response:
        """Queue a response instead of answering, and return it; when this returns, it survives a crash."""
        await answer.events.aclose()
        first = [frame(one) for one in islice(answer.projection.start(), 2)]
        response: Response = answer.projection.result()
        now = self._chance.clock()
        row = ResponseRow(
            id=response.id,
            project=who.project,
            previous=answer.ask.previous,
            created=response.created_at,
            status=response.status,
            model=response.model,
            body=self._encode(response),
        )
        asked = self._encode(replace(body, model=response.model))
        task = Task(Raw(asked), who.key, self._chance.pad() if obfuscated(body) else None)
        job = JobRow(
            id=self._chance.mint("job_"),
            kind=KIND,
            subject=row.id,
            project=row.project,
            payload=self._encode(task),
            created=now,
        )
        await self._rows.begin(row, self._items.write((*answer.ask.before, *answer.ask.items)), first, job)
        self._bell.ring()
        return response

    async def cancel(self, who: Principal, response_id: str) -> None:
        """Have a background response end as cancelled, and wait for that a few seconds; no other is touched."""
        now = self._chance.clock()
        asked = await self._rows.end_early(who.project, response_id, KIND, now, self._cancelled)
        self._bell.ring()
        self._news.tell(response_id)
        if asked and not await self.journal.ended(who, response_id, CANCEL_SECONDS):
            log.warning("response %s was asked to end %g s ago and has not", response_id, CANCEL_SECONDS)

    async def run(self, job: Claimed) -> None:
        """Make a response, or the rest of it. Raises LeaseLost, and the fault that may pass."""
        while True:
            try:
                return await self._attempt(job)
            except EngineBusy as busy:
                await _unless_stopped(job, busy.retry_after)

    async def give_up(self, job: JobRow, reason: str) -> None:
        """End a response as failed."""
        telling = await self._told(job, None)
        await self._cut(job, telling, _failed(EngineFailed(f"The response could not be finished: {reason}.")))

    async def forget(self, now: float) -> None:
        """Delete the journals of responses that have ended and are a day old at the unix time `now`."""
        while await self._rows.forget(now - KEPT_SECONDS):
            continue

    async def _attempt(self, job: Claimed) -> None:
        row, task = job.row, self._task(job.row.payload)
        telling = await self._told(row, task.pad)
        if job.stopped():
            return await self._cut(row, telling, Ended(status="cancelled"))
        patience = _patience(telling)
        if row.attempts > patience:
            return await self.give_up(row, f"its worker died in every one of {patience} attempts")
        try:
            await self._make(job, Principal(row.project, task.key), self._body(task.body), telling)
        except LeaseLost:
            raise
        except Exception as error:  # whatever it is, whoever waits for the response must hear of it in the end
            fault = error if isinstance(error, Fault) else EngineFailed(_SORRY)
            if isinstance(fault, EngineBusy) or (_may_pass(fault) and row.attempts < patience):
                raise
            cause = error.__cause__ if isinstance(error, Fault) else error
            log.error("response %s failed: %s", row.subject, fault.message, exc_info=cause)
            await self._cut(row, telling, _failed(fault))

    async def _make(self, job: Claimed, who: Principal, body: ResponseBody, telling: Telling) -> None:
        """Tell the rest of a response. Raises the fault that it would end with, before that is told."""
        earlier = Earlier(job.row.subject, tuple(telling.events), job.stopped)
        answer = await self._answering.prepare(who, RESPONSES, body, earlier=earlier)
        await self._write(job.row, telling)
        async with (
            aclosing(answer.events) as events,
            aclosing(gathered(events, GATHER_SECONDS, GATHER_FRAMES)) as batches,
        ):
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Ended) and event.error is not None:
                        await self._write(job.row, telling)
                        raise event.error
                    telling.push(event)
                if batch and isinstance(batch[-1], Ended):
                    return await self._end(job.row, telling)
                await self._write(job.row, telling)
                if job.stopped() and not batch:
                    break
        await self._cut(job.row, telling, Ended(status="cancelled"))

    async def _told(self, job: JobRow, pad: str | None) -> Telling:
        begun = await self._rows.get(job.project, job.subject)
        if begun is None:
            raise LeaseLost(f"response {job.subject} was deleted")
        return Telling(begun, self._chance.clock, pad)

    async def _write(self, job: JobRow, telling: Telling) -> None:
        """Write what is sure of the response. Raises LeaseLost."""
        if frames := telling.frames:
            await self._rows.add(job, telling.number, frames)
            telling.written(len(frames))
            self._news.tell(job.subject)

    async def _cut(self, job: JobRow, telling: Telling, ended: Ended) -> None:
        """End a response where it is. Raises LeaseLost."""
        for event in ending(telling.events, ended, self._chance.mint):
            telling.push(event)
        await self._end(job, telling)

    async def _end(self, job: JobRow, telling: Telling) -> None:
        await self._rows.end(job, self._ending(job.project, telling))
        self._news.tell(job.subject)
        self._bell.ring()

    def _cancelled(self, begun: Begun) -> Ending:
        telling = Telling(begun, self._chance.clock, None)
        for event in ending(telling.events, Ended(status="cancelled"), self._chance.mint):
            telling.push(event)
        return self._ending(begun.row.project, telling)

    def _ending(self, project: str, telling: Telling) -> Ending:
        response = telling.result()
        place = response.conversation
        now = self._chance.clock()
        return Ending(
            status=response.status,
            body=self._encode(replace(response, output=())),
            outputs=self._items.write(response.output),
            first=telling.number,
            frames=telling.frames,
            conversation=place.id if isinstance(place, ConversationRef) and response.status in _TURNS else None,
            also=lambda connection: self._announce(connection, project, _TOLD[response.status], response.id, now),
        )


def _failed(fault: Fault) -> Ended:
    return Ended(status="failed", error=fault)


def _may_pass(fault: Fault) -> bool:
    """Whether the same request may be answered later, or by another process."""
    return not isinstance(fault, Invalid | NotFound | Unsupported) or fault.code == "model_not_found"


def _patience(telling: Telling) -> int:
    """How often a response may be begun: one that comes on is worth more attempts than one that does not."""
    return ATTEMPTS + telling.number // FRAMES_AN_ATTEMPT


async def _unless_stopped(job: Claimed, seconds: float) -> None:
    """Wait, until the job is asked to end."""
    for _ in range(math.ceil(seconds / _TICK_SECONDS)):
        if job.stopped():
            return
        await asyncio.sleep(_TICK_SECONDS)

"""Webhooks: the endpoints of a project, the events that are announced to them, and their delivery."""

import base64
import logging
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.errors import EngineFailed, NotFound
from freehold.core.ids import Clock, Mint
from freehold.core.principal import Principal
from freehold.services.jobs import Claimed
from freehold.services.sealing import Seals
from freehold.storage.repos.jobs import JobRow, enqueue
from freehold.storage.repos.webhooks import EndpointRow, WebhookRows, of_project
from freehold.surfaces.webhooks import (
    PREFIX,
    About,
    CreateBody,
    Endpoint,
    EndpointDeleted,
    EndpointPage,
    EndpointWithSecret,
    Event,
    EventType,
    EventTypeList,
    Tried,
    UpdateBody,
    hint,
    signed,
)
from freehold.tools.guard import Guard

log = logging.getLogger(__name__)

KIND = "webhook"
SECONDS = 10.0
GRACE_SECONDS = 24 * 3600
GONE = 410


class _Secret(Struct, frozen=True):
    """A signing secret, and the unix time at which it ends; 0 is never."""

    text: str
    until: int = 0


class Signing:
    """Keeps secrets sealed, and signs with those that are valid."""

    def __init__(self, seals: Seals, clock: Clock) -> None:
        self._seals = seals
        self._clock = clock

    def seal(self, row: EndpointRow, secrets: Sequence[_Secret]) -> bytes:
        """Return the secrets, the newest first, as they are stored for an endpoint."""
        return self._seals.seal(row.project, _sealed_as(row), msgspec.json.encode(secrets).decode()).encode()

    def valid(self, row: EndpointRow) -> list[_Secret]:
        """Return the secrets of an endpoint that have not ended, the newest first."""
        text = self._seals.open(row.project, _sealed_as(row), row.secrets.decode(), "secrets")
        secrets = msgspec.json.decode(text, type=list[_Secret])
        return [one for one in secrets if one.until == 0 or one.until > self._clock()]

    async def send(self, guard: Guard, row: EndpointRow, delivery_id: str, body: bytes) -> int:
        """Send an event to an endpoint and return the status of its answer. Raises Invalid when there is none."""
        endpoint, now = _endpoint(row), int(self._clock())
        headers = signed(body, delivery_id, now, [one.text for one in self.valid(row)])
        headers = {**headers, "content-type": "application/json"}
        return await guard.post(endpoint.url, body, headers, SECONDS, "url")


class Webhooks:
    """The webhook endpoints of every project, each seen by its own only."""

    def __init__(self, rows: WebhookRows, guard: Guard, seals: Seals, mint: Mint, clock: Clock) -> None:
        self._rows = rows
        self._guard = guard
        self._signing = Signing(seals, clock)
        self._mint = mint
        self._clock = clock

    def event_types(self) -> EventTypeList:
        """The events that an endpoint can be sent."""
        return EventTypeList()

    async def create(self, who: Principal, body: CreateBody) -> EndpointWithSecret:
        """Store an endpoint and return it with its new secret. Raises Invalid for a URL that will not be sent to."""
        await self._guard.check_target(body.url, "url")
        now, secret = int(self._clock()), self._new_secret()
        endpoint = Endpoint(
            id=self._mint("whe_"),
            created_at=now,
            updated_at=now,
            name=body.name,
            url=body.url,
            event_types=_once(body.event_types),
            signing_secret_hint=hint(secret),
        )
        row = EndpointRow(id=endpoint.id, project=who.project, secrets=b"", body=msgspec.json.encode(endpoint))
        await self._rows.add(replace(row, secrets=self._signing.seal(row, [_Secret(secret)])))
        return _with_secret(endpoint, secret)

    async def retrieve(self, who: Principal, endpoint_id: str) -> Endpoint:
        """Return an endpoint. Raises NotFound."""
        return _endpoint(await self._row(who, endpoint_id))

    async def list(self, who: Principal, after: str | None, limit: int) -> EndpointPage:
        """Return a page of the endpoints, the newest first. Raises Invalid when `after` is none of them."""
        rows, has_more = await self._rows.page(who.project, after, limit)
        return EndpointPage(
            data=tuple(map(_endpoint, rows)),
            first_id=rows[0].id if rows else None,
            last_id=rows[-1].id if rows else None,
            has_more=has_more,
        )

    async def update(self, who: Principal, endpoint_id: str, body: UpdateBody) -> Endpoint:
        """Change what the body names. Raises NotFound, and Invalid for a URL that will not be sent to."""
        if body.url is not UNSET:
            await self._guard.check_target(body.url, "url")

        def change(row: EndpointRow) -> EndpointRow:
            old = _endpoint(row)
            new = replace(
                old,
                name=old.name if body.name is UNSET else body.name,
                url=old.url if body.url is UNSET else body.url,
                event_types=old.event_types if body.event_types is UNSET else _once(body.event_types),
            )
            if new != old:
                new = replace(new, updated_at=int(self._clock()))
            return replace(row, body=msgspec.json.encode(new))

        return _endpoint(_found(await self._rows.change(who.project, endpoint_id, change), endpoint_id))

    async def delete(self, who: Principal, endpoint_id: str) -> EndpointDeleted:
        """Delete an endpoint; what waits for delivery to it is dropped. Raises NotFound."""
        if not await self._rows.delete(who.project, endpoint_id):
            raise missing(endpoint_id)
        return EndpointDeleted(endpoint_id)

    async def rotate_secret(self, who: Principal, endpoint_id: str, keep_old: bool) -> EndpointWithSecret:
        """Give an endpoint a new secret. The old one ends at once, or signs beside it for 24 hours. Raises NotFound."""
        now, secret = int(self._clock()), self._new_secret()

        def change(row: EndpointRow) -> EndpointRow:
            ends = now + GRACE_SECONDS
            old = [replace(one, until=one.until or ends) for one in self._signing.valid(row)] if keep_old else []
            endpoint = replace(_endpoint(row), updated_at=now, signing_secret_hint=hint(secret))
            secrets = self._signing.seal(row, [_Secret(secret), *old])
            return replace(row, secrets=secrets, body=msgspec.json.encode(endpoint))

        row = _found(await self._rows.change(who.project, endpoint_id, change), endpoint_id)
        return _with_secret(_endpoint(row), secret)

    async def test(self, who: Principal, endpoint_id: str, event_type: EventType) -> Tried:
        """Send an example of an event now, and return how the endpoint answered.

        Raises NotFound, and Invalid when the endpoint does not answer.
        """
        row = await self._row(who, endpoint_id)
        event = self._event(event_type, self._mint("batch_" if event_type.startswith("batch.") else "resp_"))
        status = await self._signing.send(self._guard, row, self._mint("wh_"), msgspec.json.encode(event))
        return Tried(webhook_endpoint_id=endpoint_id, event_type=event_type, status_code=status)

    def announce(self, connection: Connection, project: str, event_type: EventType, object_id: str, now: float) -> None:
        """Have every endpoint of the project that wants it told of an event, as part of the write that makes it true.

        `now` is a unix time.
        """
        wanting = [row for row in of_project(connection, project) if event_type in _endpoint(row).event_types]
        if not wanting:
            return
        payload = msgspec.json.encode(self._event(event_type, object_id, now))
        for row in wanting:
            job_id = self._mint("wh_")
            job = JobRow(id=job_id, kind=KIND, subject=row.id, project=project, payload=payload, created=now)
            enqueue(connection, job)

    def _event(self, event_type: EventType, object_id: str, now: float | None = None) -> Event:
        created = int(self._clock() if now is None else now)
        return Event(id=self._mint("evt_"), created_at=created, type=event_type, data=About(object_id))

    def _new_secret(self) -> str:
        return PREFIX + base64.b64encode(self._mint("").encode()).decode()

    async def _row(self, who: Principal, endpoint_id: str) -> EndpointRow:
        return _found(await self._rows.get(who.project, endpoint_id), endpoint_id)


class Deliveries:
    """Delivers events: the handler of jobs whose subject is an endpoint and whose payload is the event's JSON.

    The job's id is the delivery's, so a receiver can tell a repetition. With the worker's pauses, which double from a
    second up to four hours, the attempts spread over 69 hours.
    """

    kind = KIND
    most_at_once = 128
    most_attempts = 31

    def __init__(self, rows: WebhookRows, guard: Guard, seals: Seals, clock: Clock) -> None:
        self._rows = rows
        self._guard = guard
        self._signing = Signing(seals, clock)

    async def run(self, job: Claimed) -> None:
        """Deliver an event. Raises Invalid or EngineFailed when it is to be tried again."""
        row = await self._rows.get(job.row.project, job.row.subject)
        if row is not None:
            status = await self._signing.send(self._guard, row, job.row.id, job.row.payload)
            if status == GONE:
                log.warning("webhook endpoint %s is gone (410): delivery %s is dropped", row.id, job.row.id)
            elif not 200 <= status < 300:
                raise EngineFailed(f"the webhook endpoint answered {status}")
        await self._rows.finish(job.row)

    async def give_up(self, job: JobRow, reason: str) -> None:
        """Drop an event that could not be delivered."""
        log.warning("delivery %s to webhook endpoint %s is given up: %s", job.id, job.subject, reason)
        await self._rows.finish(job)


def missing(endpoint_id: str) -> NotFound:
    """The fault for an endpoint that this project does not have."""
    return NotFound(f"No webhook endpoint found with id '{endpoint_id}'.")


def _found(row: EndpointRow | None, endpoint_id: str) -> EndpointRow:
    if row is None:
        raise missing(endpoint_id)
    return row


def _endpoint(row: EndpointRow) -> Endpoint:
    return msgspec.json.decode(row.body, type=Endpoint)


def _with_secret(endpoint: Endpoint, secret: str) -> EndpointWithSecret:
    return EndpointWithSecret(**msgspec.structs.asdict(endpoint), signing_secret=secret)


def _once(event_types: tuple[EventType, ...]) -> tuple[EventType, ...]:
    return tuple(dict.fromkeys(event_types))


def _sealed_as(row: EndpointRow) -> str:
    return f"webhook secrets of {row.id}"

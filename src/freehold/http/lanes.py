"""WebSocket mode of `/v1/responses`: the lanes of one connection, each making its responses one after another."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from msgspec import Raw
from msgspec.structs import replace

from freehold.core.errors import EngineBusy, EngineFailed, Fault, Invalid, Limited
from freehold.core.ids import Mint
from freehold.http import errors
from freehold.http.body import ClientGone, check_values
from freehold.http.websocket import GOING_AWAY, Connection, SocketHandler
from freehold.services.answering import Answer, Answering
from freehold.services.recent import Recent
from freehold.surfaces.errors import status
from freehold.surfaces.responses import websocket as wire
from freehold.surfaces.responses.websocket import STEER, CreateEvent, LaneFrames, SteerEvent

log = logging.getLogger(__name__)

MOST_RUNNING = 16
MOST_STREAMS = 32
MOST_WAITING = 64
MOST_STEERS = 16
MOST_ENDED = 64
LIFE_SECONDS = 3600.0
_BROKEN = "The server had an error while processing your request. Sorry about that!"


class Steering(NamedTuple):
    """Input that was taken for the response that follows."""

    id: str
    event: SteerEvent
    messages: list[Raw]


class Waiting(NamedTuple):
    """A response that was asked for; `size` is that of its event, in bytes."""

    body: CreateEvent
    size: int


class Active(NamedTuple):
    """The response that a lane is making, and what is to begin the next one."""

    answer: Answer
    body: CreateEvent
    steering: list[Steering]


class Lane:
    """An ordered line of responses. The one without a `stream_id` is there from the beginning."""

    def __init__(self, stream_id: str | None) -> None:
        self.stream_id = stream_id
        self.frames = LaneFrames(stream_id)
        self.surface = wire.lane_surface(self.frames)
        self.waiting: deque[Waiting] = deque()
        self.working = False
        self.active: Active | None = None


class Parked(NamedTuple):
    """Steering that waits for the client to answer the calls of a response of `lane`."""

    lane: Lane
    steering: list[Steering]


def responses_socket(answering: Answering, mint: Mint, max_body: int, life: float = LIFE_SECONDS) -> SocketHandler:
    """Make the handler of the Responses API's WebSocket mode.

    `max_body` bounds, in bytes, what a connection may let wait and what is remembered for it; `life` is in seconds.
    """

    async def handle(connection: Connection) -> None:
        async with asyncio.TaskGroup() as tasks:
            lanes = Lanes(connection, answering, mint, max_body, tasks)
            ending = tasks.create_task(lanes.expire(life))
            try:
                async with aclosing(connection.socket.messages()) as messages:
                    async for message in messages:
                        await lanes.take(message)
            except ClientGone:
                log.debug("a WebSocket ended while it was written to")
            finally:
                ending.cancel()
                lanes.stop()

    return handle


class Lanes:
    """What happens on one connection."""

    def __init__(
        self, connection: Connection, answering: Answering, mint: Mint, max_body: int, tasks: asyncio.TaskGroup
    ) -> None:
        self._connection = connection
        self._answering = answering
        self._mint = mint
        self._max_body = max_body
        self._tasks = tasks
        self._recent = Recent(max_body)
        self._lanes: dict[str | None, Lane] = {None: Lane(None)}
        self._workers: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MOST_RUNNING)
        self._parked: dict[str, Parked] = {}
        self._ended: deque[str] = deque(maxlen=MOST_ENDED)
        self._refused: Fault | None = None

    async def take(self, message: bytes) -> None:
        """Act on a message of the client; one that is wrong is answered with an error event.

        Raises ClientGone when the connection has ended.
        """
        stream_id: str | None = None
        try:
            check_values(message)
            head = wire.read_head(message)
            if head.type == STEER:
                await self._steer(message)
                return
            stream_id = head.stream_id or None
            body = wire.read_create(message)
            self._line_up(self._lane(stream_id), Waiting(body, len(message)))
        except Fault as fault:
            await self._refuse(fault, stream_id)

    async def expire(self, seconds: float) -> None:
        """End the connection when it has lasted so long and nothing is made on it any more."""
        await asyncio.sleep(seconds)
        self._refused = Invalid(
            f"Responses websocket connection limit reached ({seconds / 60:g} minutes). "
            "Create a new websocket connection to continue.",
            "websocket_connection_limit_reached",
        )
        while self._workers:
            await asyncio.wait(self._workers)
        try:
            await self._refuse(self._refused, None)
            await self._connection.socket.close(GOING_AWAY)
        except ClientGone:
            log.debug("a WebSocket ended just before it expired")

    def stop(self) -> None:
        """Stop everything that is being made."""
        for worker in self._workers:
            worker.cancel()

    def _lane(self, stream_id: str | None) -> Lane:
        lane = self._lanes.get(stream_id)
        if lane is None:
            if len(self._lanes) > MOST_STREAMS:
                raise Invalid(
                    f"This WebSocket connection has reached its maximum number of distinct stream IDs ({MOST_STREAMS})."
                    " Reuse an existing stream_id or open a new WebSocket connection.",
                    "websocket_stream_limit_reached",
                    "stream_id",
                )
            lane = self._lanes[stream_id] = Lane(stream_id)
        return lane

    def _line_up(self, lane: Lane, waiting: Waiting) -> None:
        others = [one for line in self._lanes.values() for one in line.waiting]
        if len(others) >= MOST_WAITING or sum(one.size for one in others) + waiting.size > self._max_body:
            raise Limited(
                f"Too many responses wait on this WebSocket connection: at most {MOST_WAITING}, of {self._max_body} "
                "bytes together. Wait for one to finish.",
                "websocket_queue_full",
            )
        lane.waiting.append(waiting)
        if not lane.working:
            lane.working = True
            worker = self._tasks.create_task(self._work(lane))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self, lane: Lane) -> None:
        """Make what waits in a lane, in order."""
        try:
            while lane.waiting:
                async with self._slots:
                    await self._turn(lane, lane.waiting.popleft().body)
        except ClientGone:
            log.debug("a WebSocket ended while a response was made for it")
        finally:
            lane.working = False

    async def _turn(self, lane: Lane, body: CreateEvent) -> None:
        """Make a response, and those that follow from steering it."""
        parked = self._parked.get(body.previous_response_id or "")
        if parked is not None and parked.lane is lane:
            body = wire.followed(body, _messages(parked.steering))
        try:
            answer = await self._prepare(lane, body)
        except Fault as fault:
            await self._refuse(fault, lane.stream_id)
            return
        if parked is not None and parked.lane is lane:
            del self._parked[body.previous_response_id or ""]
        while (steering := await self._make(lane, answer, body)) is not None:
            body = replace(body, input=_messages(steering), previous_response_id=answer.id)
            try:
                answer = await self._prepare(lane, body)
            except Fault as fault:
                await self._drop(lane, steering, "successor_creation_failed", fault.message)
                return

    async def _prepare(self, lane: Lane, body: CreateEvent) -> Answer:
        if self._refused is not None:
            raise self._refused
        who = await self._connection.authenticate()
        if self._connection.draining():
            raise EngineBusy("The server is shutting down. Please retry your request.", retry_after=2.0)
        try:
            return await self._answering.prepare(who, lane.surface, body, self._recent)
        except Fault:
            raise
        except Exception as bug:
            log.exception("a response could not be begun")
            raise EngineFailed(_BROKEN) from bug

    async def _make(self, lane: Lane, answer: Answer, body: CreateEvent) -> list[Steering] | None:
        """Send the events of a response; return the steering that is to be followed at once, None without any."""
        steering: list[Steering] = []
        lane.active = Active(answer, body, steering)
        try:
            async with aclosing(answer.frames()) as frames:
                async for frame in frames:
                    await self._connection.socket.send(frame)
        except ClientGone:
            raise
        except Exception:
            log.exception("response %s failed", answer.id)
            await self._refuse(EngineFailed(_BROKEN), lane.stream_id)
        finally:
            lane.active = None
            self._ended.append(answer.id)
        return await self._follow(lane, answer.projection.result(), steering) if steering else None

    async def _follow(self, lane: Lane, response: Any, steering: list[Steering]) -> list[Steering] | None:
        if response.status not in ("completed", "incomplete"):
            reason = f"The response has ended as {response.status} and takes no more input."
            await self._drop(lane, steering, "response_not_active", reason)
            return None
        required = wire.required_input(response)
        if not required:
            return steering
        self._parked[response.id] = Parked(lane, steering)
        for one in steering:
            steer = wire.Steer(one.id, response.id)
            await self._connection.socket.send(lane.frames(wire.SteerPending(steer, required)))
        return None

    async def _steer(self, message: bytes) -> None:
        """Queue what the user says for the response that follows the one under way."""
        event = wire.read_steer(message)
        wanted = event.previous_response_id
        lane = next((one for one in self._lanes.values() if one.active and one.active.answer.id == wanted), None)
        frames = (lane or self._lanes[None]).frames
        code: str | None = "invalid_input"
        try:
            messages = wire.steered(message)
            code = None
            active = self._steerable(event, lane)
        except Fault as fault:
            error = wire.SteerError(code or fault.code or "", fault.message)
            failed = wire.SteerFailed(wire.FailedSteer(event.input, wanted), error)
            await self._connection.socket.send(frames(failed))
            return
        one = Steering(self._mint("steer_"), event, messages)
        active.steering.append(one)
        accepted = wire.SteerAccepted(wire.Steer(one.id, wanted))
        await self._connection.socket.send(frames(accepted))

    def _steerable(self, event: SteerEvent, lane: Lane | None) -> Active:
        if lane is None or lane.active is None:
            if event.previous_response_id in self._ended:
                raise Invalid("The response has ended and takes no more input.", "response_already_completed")
            raise Invalid(
                f"No response '{event.previous_response_id}' is made on this connection.", "response_not_found"
            )
        body = lane.active.body
        if body.conversation is not None or body.context_management is not None or not body.generate:
            raise Invalid(
                "A response that belongs to a conversation, compacts its context or generates nothing cannot be "
                "steered.",
                "steering_not_supported",
            )
        queued = [one for line in self._lanes.values() if line.active for one in line.active.steering]
        queued += [one for parked in self._parked.values() for one in parked.steering]
        if len(queued) >= MOST_STEERS or sum(len(bytes(one.event.input)) for one in queued) > self._max_body:
            raise Invalid(
                f"Too much input waits on this connection: at most {MOST_STEERS} inputs, of {self._max_body} bytes "
                "together. Wait for the response that follows, or answer the calls of the one that has ended.",
                "too_many_pending_steers",
            )
        return lane.active

    async def _drop(self, lane: Lane, steering: Sequence[Steering], code: str, message: str) -> None:
        """Give back steering that came to nothing."""
        for one in steering:
            steer = wire.FailedSteer(one.event.input, one.event.previous_response_id, one.id)
            failed = wire.SteerFailed(steer, wire.SteerError(code, message))
            await self._connection.socket.send(lane.frames(failed))

    async def _refuse(self, fault: Fault, stream_id: str | None) -> None:
        event = wire.failure(fault, status(fault), errors.waiting(fault), stream_id)
        await self._connection.socket.send(event)


def _messages(steering: Sequence[Steering]) -> list[Raw]:
    return [message for one in steering for message in one.messages]

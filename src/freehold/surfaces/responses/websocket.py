"""WebSocket mode of `/v1/responses`: the client's events, and those of the server's that no other stream has."""

import re
from dataclasses import replace as with_functions
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from freehold.core.errors import Fault, Invalid
from freehold.core.items import CustomToolCall, FunctionCall
from freehold.core.prompt import Ask
from freehold.core.surface import Surface
from freehold.surfaces.common import refuse
from freehold.surfaces.decode import Decoder
from freehold.surfaces.errors import envelope
from freehold.surfaces.responses import RESPONSES
from freehold.surfaces.responses.objects import Created, Response
from freehold.surfaces.responses.request import ResponseBody, parse

CREATE, STEER = "response.create", "response.steer"
_STREAM_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}")


class CreateEvent(ResponseBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`response.create`: a body of `POST /v1/responses`, and what is only said here.

    Without `generate` the model only reads. Responses of one `stream_id` are made one after another.
    """

    type: Literal["response.create"]
    stream_id: str | None = None
    generate: bool = True


class SteerEvent(Struct, frozen=True):
    """`response.steer`: what the user says while the response `previous_response_id` is made."""

    previous_response_id: str
    input: Raw


class Head(Struct, frozen=True):
    """What every event of the client is told apart by."""

    type: Any = None
    stream_id: Any = UNSET


class ErrorPayload(Struct, frozen=True):
    """What is wrong; `headers` are those that the answer to an HTTP request would have, beyond the usual ones."""

    type: str
    code: str | None
    message: str
    param: str | None
    headers: dict[str, str] | UnsetType = UNSET


class Failure(Struct, frozen=True, tag="error"):
    """An event of the client was refused, or a response broke off; `status` is that of HTTP."""

    status: int
    error: ErrorPayload
    stream_id: str | UnsetType = UNSET


class Steer(Struct, frozen=True):
    """Steering that was taken."""

    id: str
    previous_response_id: str


class FailedSteer(Struct, frozen=True):
    """Steering that came to nothing: the input as it was sent, and the id if it had been taken."""

    input: Raw
    previous_response_id: str
    id: str | UnsetType = UNSET


class SteerError(Struct, frozen=True):
    """Why steering came to nothing."""

    code: str
    message: str
    type: Literal["invalid_request_error"] = "invalid_request_error"


class SteerAccepted(Struct, frozen=True, tag="response.steer.accepted"):
    """The input is queued: it begins the next response."""

    steer: Steer
    sequence_number: int = 0


class SteerPending(Struct, frozen=True, tag="response.steer.pending"):
    """The input waits for the client to answer the calls of the response that has ended."""

    steer: Steer
    required_input: tuple[dict[str, str], ...]
    reason: Literal["waiting_for_required_input"] = "waiting_for_required_input"
    sequence_number: int = 0


class SteerFailed(Struct, frozen=True, tag="response.steer.failed"):
    """The input is not used, now or later."""

    steer: FailedSteer
    error: SteerError
    sequence_number: int = 0


class LaneFrames:
    """Writes the events of one lane as JSON, each with the lane's `stream_id` where it has one.

    It counts them itself, from 0 for each response, so that steering's own events leave no gap in the numbers.
    """

    def __init__(self, stream_id: str | None) -> None:
        self._tail = b"}" if stream_id is None else b',"stream_id":"' + stream_id.encode() + b'"}'
        self._encode = msgspec.json.Encoder().encode
        self._next = 0

    def __call__(self, event: Any) -> bytes:
        """Return an event's JSON; `event.sequence_number` is set to the next number."""
        if isinstance(event, Created):
            self._next = 0
        if event.sequence_number != self._next:
            event = replace(event, sequence_number=self._next)
        self._next += 1
        return self._encode(event)[:-1] + self._tail


class _SteerMessage(Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["user"]
    content: str | list[Raw]
    type: Literal["message"] = "message"


class _SteerFields(SteerEvent, frozen=True, forbid_unknown_fields=True):
    type: Literal["response.steer"]


_head: Decoder[Head] = Decoder(Head)
_create: Decoder[CreateEvent] = Decoder(CreateEvent)
_steer: Decoder[SteerEvent] = Decoder(SteerEvent)
_fields: Decoder[_SteerFields] = Decoder(_SteerFields)
_said: Decoder[str | list[Raw]] = Decoder(str | list[Raw])
_message: Decoder[_SteerMessage] = Decoder(_SteerMessage)


def lane_surface(frames: LaneFrames) -> Surface[CreateEvent]:
    """The Responses API as a surface that is written to a lane."""
    return with_functions(RESPONSES, body=CreateEvent, parse=parse_create, frame=frames)  # pyright: ignore[reportReturnType]


def read_head(raw: bytes) -> Head:
    """Read an event's type and lane. Raises Invalid for a type or a `stream_id` that cannot be."""
    head = _head(raw)
    if head.type is None:
        raise Invalid("Missing required parameter: 'type'.", "missing_required_parameter", "type")
    if head.type not in (CREATE, STEER):
        shown = msgspec.json.encode(head.type).decode()[:100]
        raise Invalid(
            f"Invalid value: {shown}. Supported values are: '{CREATE}' and '{STEER}'.", "invalid_value", "type"
        )
    given = head.stream_id
    if head.type == CREATE and given is not UNSET and not (isinstance(given, str) and _STREAM_ID.fullmatch(given)):
        raise Invalid(
            "The 'stream_id' field must be a non-empty string with at most 256 characters and may only contain "
            "letters, numbers, underscores, hyphens, and periods.",
            "invalid_stream_id",
            "stream_id",
        )
    return head


def read_create(raw: bytes) -> CreateEvent:
    """Read a `response.create`. Raises Invalid that names the parameter."""
    return _create(raw)


def parse_create(body: CreateEvent) -> Ask:
    """Read what a `response.create` asks for. Raises what `parse` raises; a stream is all that there is here."""
    refuse(body, {"background": (False,), "stream": (True,)})
    ask = parse(replace(body, stream=True))
    return ask if body.generate else replace(ask, warm=True)


def read_steer(raw: bytes) -> SteerEvent:
    """Read a `response.steer` as far as it can be given back. Raises Invalid where even that is not there."""
    return _steer(raw)


def steered(raw: bytes) -> list[Raw]:
    """Return the messages of a `response.steer`. Raises Invalid or Unsupported for all that steering cannot be."""
    said = _said(_fields(raw).input, "input")
    if isinstance(said, str):
        return [Raw(msgspec.json.encode({"role": "user", "content": said}))]
    for place, message in enumerate(said):
        _message(message, f"input[{place}]")
    parse(ResponseBody(input=said))
    return said


def followed(body: CreateEvent, steering: list[Raw]) -> CreateEvent:
    """A `response.create` that says `steering` before its own input."""
    own = body.input
    if isinstance(own, str):
        own = [Raw(msgspec.json.encode({"role": "user", "content": own}))]
    return replace(body, input=[*steering, *(own or [])])


def required_input(response: Response) -> tuple[dict[str, str], ...]:
    """What the client must answer before a response can be continued: each call, with all but its result."""
    stubs: list[dict[str, str]] = []
    for item in response.output:
        if isinstance(item, FunctionCall):
            stubs.append({"type": "function_call_output", "call_id": item.call_id, "name": item.name})
        elif isinstance(item, CustomToolCall):
            stubs.append({"type": "custom_tool_call_output", "call_id": item.call_id})
    return tuple(stubs)


def failure(fault: Fault, status: int, headers: dict[str, str], stream_id: str | None) -> bytes:
    """Write a fault as an error event."""
    inside = envelope(fault).error
    payload = ErrorPayload(inside.type, inside.code, inside.message, inside.param, headers or UNSET)
    return msgspec.json.encode(Failure(status, payload, stream_id or UNSET))

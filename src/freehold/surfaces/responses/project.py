"""Events to Response objects and stream events."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from freehold.core.deltas import Usage
from freehold.core.errors import EngineBusy, Limited
from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.ids import Clock
from freehold.core.items import FunctionCall, Message, Opening, OutputText
from freehold.core.surface import Projection, Stamp
from freehold.surfaces.common import padding
from freehold.surfaces.responses import objects
from freehold.surfaces.responses.objects import Response
from freehold.surfaces.responses.request import ResponseBody, functions_of

_LAST = {
    "completed": objects.Completed,
    "incomplete": objects.Incomplete,
    "failed": objects.Failed,
    "cancelled": objects.Incomplete,
}


def project(body: ResponseBody, stamp: Stamp) -> Projection:
    """Begin the projection of one request's run."""
    obfuscated = body.stream_options is None or body.stream_options.include_obfuscation
    return ResponseProjection(_begin(body, stamp), stamp.clock, stamp.pad if obfuscated else None)


def replay(response: Response, pad: str | None) -> Iterator[Struct]:
    """The stream events of a response that has ended, each text in one delta."""
    begun = msgspec.structs.replace(
        response,
        status="in_progress",
        output=(),
        usage=None,
        completed_at=None,
        error=None,
        incomplete_details=None,
    )
    projection = ResponseProjection(begun, lambda: 0.0, pad)
    yield from projection.start()
    for index, item in enumerate(response.output):
        opened, text = _begun(item)
        yield from projection.push(Opened(index, opened))
        yield from projection.push(Grew(index, text)) if text else ()
        yield from projection.push(Closed(index, item))
    yield projection.last(response)


class ResponseProjection:
    """The fold of a run into a Response; see `core.surface.Projection`."""

    def __init__(self, begun: Response, clock: Clock, pad: str | None) -> None:
        """`begun` is the Response as it begins; deltas are padded from `pad`, or not at all where it is None."""
        self._clock = clock
        self._pad = pad
        self._numbers = count().__next__
        self._output: list[Opening] = []
        self._calling = False
        self._item_id = ""
        self._response = begun

    def start(self) -> Iterable[Struct]:
        """`response.created` and `response.in_progress`."""
        return (
            objects.Created(self._response, self._numbers()),
            objects.InProgress(self._response, self._numbers()),
        )

    def push(self, event: Event) -> Iterable[Struct]:
        """Fold one event and return its stream events."""
        if isinstance(event, Grew):
            return (self._delta(event),)
        if isinstance(event, Opened):
            return self._open(event)
        if isinstance(event, Closed):
            return self._close(event)
        return self._end(event)

    def result(self) -> Response:
        """The Response as it stands."""
        return self._response

    def _delta(self, event: Grew) -> Struct:
        pad = UNSET if self._pad is None else padding(self._pad, len(event.delta))
        if self._calling:
            return objects.ArgumentsDelta(event.delta, self._item_id, event.index, self._numbers(), pad)
        return objects.TextDelta(0, event.delta, self._item_id, (), event.index, self._numbers(), pad)

    def _open(self, event: Opened) -> Iterable[Struct]:
        self._item_id = event.item.id or ""
        self._calling = isinstance(event.item, FunctionCall)
        return self._opening(event)

    def _opening(self, event: Opened) -> Iterable[Struct]:
        yield objects.ItemAdded(event.item, event.index, self._numbers())
        if isinstance(event.item, Message):
            yield objects.PartAdded(0, self._item_id, event.index, OutputText(""), self._numbers())

    def _close(self, event: Closed) -> Iterable[Struct]:
        self._output.append(event.item)
        return self._closing(event)

    def _closing(self, event: Closed) -> Iterable[Struct]:
        item, index = event.item, event.index
        if isinstance(item, FunctionCall):
            yield objects.ArgumentsDone(item.arguments, self._item_id, item.name, index, self._numbers())
        else:
            part = _only_part(item)
            yield objects.TextDone(0, self._item_id, (), index, self._numbers(), part.text)
            yield objects.PartDone(0, self._item_id, index, part, self._numbers())
        yield objects.ItemDone(item, index, self._numbers())

    def _end(self, event: Ended) -> Iterable[Struct]:
        error = event.error
        self._response = msgspec.structs.replace(
            self._response,
            status=event.status,
            output=tuple(self._output),
            usage=None if event.status == "failed" else _usage(event.usage),
            completed_at=int(self._clock()) if event.status == "completed" else None,
            incomplete_details=objects.IncompleteDetails(event.reason) if event.reason else None,
            error=None if error is None else objects.ResponseError(_error_code(error), error.message),
        )
        return (self.last(response) for response in (self._response,))

    def last(self, response: Response) -> Struct:
        """The event that ends the stream of a final response."""
        return _LAST[response.status](response, self._numbers())


def _begin(body: ResponseBody, stamp: Stamp) -> Response:
    served = stamp.served
    reasoning = body.reasoning
    return Response(
        id=stamp.id,
        created_at=stamp.created,
        status="in_progress",
        model=body.model or served.name,
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=body.max_tool_calls,
        metadata=body.metadata or {},
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        prompt_cache_key=body.prompt_cache_key,
        prompt_cache_retention=body.prompt_cache_retention,
        reasoning={"effort": None if reasoning is None else reasoning.effort, "summary": None},
        safety_identifier=body.safety_identifier,
        store=body.store is not False,
        temperature=served.temperature if body.temperature is None else body.temperature,
        text=_text(body),
        tool_choice=body.tool_choice or "auto",
        tools=_tools(body),
        top_p=served.top_p if body.top_p is None else body.top_p,
        user=body.user,
    )


def _text(body: ResponseBody) -> dict[str, Any]:
    given = None if body.text is None else body.text.format
    shown: dict[str, Any] = {"type": "text"} if given is None else msgspec.to_builtins(given)
    return {"format": shown, "verbosity": "medium"}


def _tools(body: ResponseBody) -> list[dict[str, Any]]:
    """The tools as given, each with the strictness that it has."""
    strict = {one.name: one.strict for one in functions_of(body)}
    blank = {"description": None, "parameters": None}
    return [{"type": "function", **blank, **tool, "strict": strict[tool["name"]]} for tool in body.tools or []]


def _begun(item: Opening) -> tuple[Opening, str]:
    """An item as it was when it opened, and what it then grew by."""
    if isinstance(item, FunctionCall):
        return msgspec.structs.replace(item, status="in_progress", arguments=""), item.arguments
    return msgspec.structs.replace(item, status="in_progress", content=()), _only_part(item).text


def _only_part(item: Message) -> OutputText:
    part = item.content[0]
    if not isinstance(part, OutputText):
        raise TypeError(f"a run closed a message with a part of type {type(part).__name__}")
    return part


def _usage(usage: Usage) -> objects.ResponseUsage:
    return objects.ResponseUsage(
        input_tokens=usage.input,
        input_tokens_details=objects.InputDetails(usage.cached, usage.input - usage.cached),
        output_tokens=usage.output,
        output_tokens_details=objects.OutputDetails(usage.reasoning),
        total_tokens=usage.input + usage.output,
    )


def _error_code(error: Exception) -> str:
    return "rate_limit_exceeded" if isinstance(error, EngineBusy | Limited) else "server_error"

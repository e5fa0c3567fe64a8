"""Events to Response objects and stream events."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count

from msgspec import UNSET, Struct, convert
from msgspec.structs import replace

from freehold.core.deltas import Usage
from freehold.core.errors import EngineBusy, Limited
from freehold.core.events import Annotated, Chosen, Closed, Ended, Event, Grew, Growth, Moved, Opened
from freehold.core.ids import Clock
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    FileCitation,
    FileSearchCall,
    FunctionCall,
    Logprob,
    Message,
    Opening,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    SummaryText,
)
from freehold.core.surface import Projection, Stamp
from freehold.surfaces.common import padding
from freehold.surfaces.responses import objects
from freehold.surfaces.responses.begin import begin
from freehold.surfaces.responses.include import RESULTS, without_results
from freehold.surfaces.responses.objects import Response
from freehold.surfaces.responses.request import ResponseBody

_LAST = {
    "completed": objects.Completed,
    "incomplete": objects.Incomplete,
    "failed": objects.Failed,
    "cancelled": objects.Incomplete,
}


_BLANK: Mapping[Growth, OutputText | Refusal | ReasoningText] = {
    "text": OutputText(""),
    "refusal": Refusal(""),
    "thought": ReasoningText(""),
}


def project(body: ResponseBody, stamp: Stamp) -> Projection:
    """Begin the projection of one request's run."""
    pad = stamp.pad if obfuscated(body) else None
    return ResponseProjection(begin(body, stamp), stamp.clock, pad, body.include or ())


def obfuscated(body: ResponseBody) -> bool:
    """Whether the deltas of the stream are padded."""
    return body.stream_options is None or body.stream_options.include_obfuscation


def replay(response: Response, pad: str | None) -> Iterator[Struct]:
    """The stream events of a response that has ended, each text in one delta."""
    begun = replace(
        response,
        status="queued" if response.background else "in_progress",
        output=(),
        usage=None,
        completed_at=None,
        error=None,
        incomplete_details=None,
    )
    projection = ResponseProjection(begun, lambda: 0.0, pad)
    yield from projection.start()
    for index, item in enumerate(response.output):
        for event in _replayed(index, item):
            yield from projection.push(event)
    yield projection.last(response)


class ResponseProjection:
    """The fold of a run into a Response; see `core.surface.Projection`."""

    def __init__(self, begun: Response, clock: Clock, pad: str | None, include: Collection[str] = (RESULTS,)) -> None:
        """`begun` is the Response as it begins; deltas are padded from `pad`, or not at all where it is None.

        What searches found is shown only where `include` says so.
        """
        self._clock = clock
        self._include = include
        self._pad = pad
        self._numbers = count().__next__
        self._output: list[Opening] = []
        self._item_id = ""
        self._custom = False
        self._kind: Growth | None = None
        self._part = 0
        self._text: list[str] = []
        self._logprobs: list[Logprob] = []
        self._annotations: list[FileCitation] = []
        self._response = begun

    def start(self) -> Iterable[Struct]:
        """`response.created` and `response.in_progress`; between them `response.queued`, where it is."""
        yield objects.Created(self._response, self._numbers())
        if self._response.status == "queued":
            yield objects.Queued(self._response, self._numbers())
            self._response = replace(self._response, status="in_progress")
        yield objects.InProgress(self._response, self._numbers())

    def push(self, event: Event) -> Iterable[Struct]:
        """Fold one event and return its stream events."""
        if isinstance(event, Grew):
            return self._delta(event)
        if isinstance(event, Opened):
            return self._open(event)
        if isinstance(event, Closed):
            return self._close(event)
        if isinstance(event, Annotated):
            return self._annotate(event)
        if isinstance(event, Moved):
            moved = objects.Searching if event.status == "searching" else objects.Searched
            return (moved(self._item_id, event.index, self._numbers()),)
        if isinstance(event, Chosen):
            raise TypeError("a response has one choice")
        return self._end(event)

    def result(self) -> Response:
        """The Response as it stands."""
        return shown(self._response, self._include)

    def kept(self) -> Response:
        """The Response as it stands, with all that searches found."""
        return self._response

    def _delta(self, event: Grew) -> Iterable[Struct]:
        if event.kind != self._kind:
            return [*self._switch(event.kind, event.index), self._grown(event)]
        return (self._grown(event),)

    def _annotate(self, event: Annotated) -> Iterable[Struct]:
        if self._kind != "text":
            yield from self._switch("text", event.index)
        place = len(self._annotations)
        self._annotations.append(event.annotation)
        yield objects.AnnotationAdded(event.annotation, place, self._part, self._item_id, event.index, self._numbers())

    def _grown(self, event: Grew) -> Struct:
        pad = UNSET if self._pad is None else padding(self._pad, len(event.delta))
        index, item_id, number = event.index, self._item_id, self._numbers()
        self._text.append(event.delta)
        if event.kind == "text":
            self._logprobs += event.logprobs
            return objects.TextDelta(self._part, event.delta, item_id, event.logprobs, index, number, pad)
        if event.kind == "arguments":
            delta = objects.InputDelta if self._custom else objects.ArgumentsDelta
            return delta(event.delta, item_id, index, number, pad)
        delta = objects.ThoughtDelta if event.kind == "thought" else objects.RefusalDelta
        return delta(self._part, event.delta, item_id, index, number, pad)

    def _switch(self, kind: Growth, index: int) -> Iterable[Struct]:
        """End the open part of a message or thought, and begin one of `kind`."""
        yield from self._end_part(index)
        self._kind = kind
        if kind != "arguments":
            yield objects.PartAdded(self._part, self._item_id, index, _BLANK[kind], self._numbers())

    def _end_part(self, index: int) -> Iterable[Struct]:
        if self._kind is None or self._kind == "arguments":
            return
        whole, logprobs = "".join(self._text), tuple(self._logprobs)
        place = (self._part, self._item_id)
        if self._kind == "text":
            part: OutputText | Refusal | ReasoningText = OutputText(whole, tuple(self._annotations), logprobs)
            yield objects.TextDone(*place, logprobs, index, self._numbers(), whole)
        elif self._kind == "refusal":
            part = Refusal(whole)
            yield objects.RefusalDone(*place, index, whole, self._numbers())
        else:
            part = ReasoningText(whole)
            yield objects.ThoughtDone(*place, index, self._numbers(), whole)
        yield objects.PartDone(*place, index, part, self._numbers())
        self._part += 1
        self._text, self._logprobs, self._annotations = [], [], []

    def _open(self, event: Opened) -> Iterable[Struct]:
        self._item_id = event.item.id or ""
        self._custom = isinstance(event.item, CustomToolCall)
        self._kind, self._part, self._text, self._logprobs, self._annotations = None, 0, [], [], []
        added = objects.ItemAdded(event.item, event.index, self._numbers())
        if isinstance(event.item, Compaction):
            return (added, objects.Compacting(self._item_id, event.index, self._numbers()))
        if isinstance(event.item, FileSearchCall):
            return (added, objects.SearchBegun(self._item_id, event.index, self._numbers()))
        return (added,)

    def _close(self, event: Closed) -> Iterable[Struct]:
        self._output.append(event.item)
        return self._closing(event)

    def _closing(self, event: Closed) -> Iterable[Struct]:
        item, index = event.item, event.index
        match item:
            case FunctionCall():
                yield objects.ArgumentsDone(item.arguments, self._item_id, item.name, index, self._numbers())
            case CustomToolCall():
                yield objects.InputDone(item.input, self._item_id, index, self._numbers())
            case Message():
                if self._kind is None:
                    yield from self._switch("text", index)
                yield from self._end_part(index)
            case Reasoning():
                yield from self._end_part(index)
                yield from self._summary(item, index)
        yield objects.ItemDone(without_results(item, self._include), index, self._numbers())

    def _summary(self, item: Reasoning, index: int) -> Iterable[Struct]:
        for number, part in enumerate(item.summary):
            place = (self._item_id, index, number)
            pad = UNSET if self._pad is None else padding(self._pad, len(part.text))
            yield objects.SummaryAdded(*place, SummaryText(""), self._numbers())
            yield objects.SummaryDelta(*place, part.text, self._numbers(), pad)
            yield objects.SummaryTextDone(*place, part.text, self._numbers())
            yield objects.SummaryDone(*place, part, self._numbers())

    def _end(self, event: Ended) -> Iterable[Struct]:
        error = event.error
        self._response = replace(
            self._response,
            status=event.status,
            output=tuple(self._output),
            usage=None if event.status == "failed" else usage_of(event.usage),
            completed_at=int(self._clock()) if event.status == "completed" else None,
            incomplete_details=objects.IncompleteDetails(event.reason) if event.reason else None,
            error=None if error is None else objects.ResponseError(_error_code(error), error.message),
        )
        return (self.last(response) for response in (self._response,))

    def last(self, response: Response) -> Struct:
        """The event that ends the stream of a final response."""
        return _LAST[response.status](shown(response, self._include), self._numbers())


def shown(response: Response, include: Collection[str]) -> Response:
    """Return the Response; with what searches found only where `include` names that."""
    if not any(isinstance(item, FileSearchCall) for item in response.output):
        return response
    return replace(response, output=tuple(without_results(item, include) for item in response.output))


def _replayed(index: int, item: Opening) -> Iterator[Event]:
    """The events of an item that has ended, each part in one delta."""
    if isinstance(item, FileSearchCall):
        yield from _searched(index, item)
        return
    grown: list[Event] = []
    match item:
        case FunctionCall():
            begun: Opening = replace(item, status="in_progress", arguments="")
            grown.append(Grew(index, item.arguments, "arguments"))
        case CustomToolCall():
            begun = replace(item, status="in_progress", input="")
            grown.append(Grew(index, item.input, "arguments"))
        case Reasoning():
            begun = replace(item, status="in_progress", content=(), summary=())
            for part in item.content:
                grown.append(Grew(index, part.text, "thought"))
        case Message():
            begun = replace(item, status="in_progress", content=())
            for part in item.content:
                if isinstance(part, Refusal):
                    grown.append(Grew(index, part.refusal, "refusal"))
                elif isinstance(part, OutputText):
                    grown.append(Grew(index, part.text, "text", part.logprobs))
                    grown += (Annotated(index, convert(one, FileCitation)) for one in part.annotations)
        case Compaction():
            begun = replace(item, encrypted_content="")
    yield Opened(index, begun)
    yield from (event for event in grown if not isinstance(event, Grew) or event.delta)
    yield Closed(index, item)


def _searched(index: int, item: FileSearchCall) -> Iterator[Event]:
    """The events of a search that has ended."""
    yield Opened(index, replace(item, status="in_progress", results=None))
    yield Moved(index, "searching")
    if item.status == "completed":
        yield Moved(index, "completed")
    yield Closed(index, item)


def usage_of(usage: Usage) -> objects.ResponseUsage:
    """Token counts as this surface writes them."""
    return objects.ResponseUsage(
        input_tokens=usage.input,
        input_tokens_details=objects.InputDetails(usage.cached, usage.cache_write),
        output_tokens=usage.output,
        output_tokens_details=objects.OutputDetails(usage.reasoning),
        total_tokens=usage.input + usage.output,
    )


def _error_code(error: Exception) -> str:
    return "rate_limit_exceeded" if isinstance(error, EngineBusy | Limited) else "server_error"

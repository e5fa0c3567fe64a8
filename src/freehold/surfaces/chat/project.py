"""Events to chat.completion objects and chunks."""

from collections.abc import Iterable

from msgspec import UNSET

from freehold.core.deltas import Usage
from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.items import FunctionCall, OutputText
from freehold.core.surface import Projection, Stamp
from freehold.surfaces.chat import objects
from freehold.surfaces.chat.objects import Chunk, ChunkChoice, ChunkDelta, FinishReason
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.common import padding
from freehold.surfaces.errors import Envelope, envelope


def project(body: ChatBody, stamp: Stamp) -> Projection:
    """Begin the projection of one request's run."""
    return ChatProjection(body, stamp)


class ChatProjection:
    """The fold of a run into a chat.completion; see `core.surface.Projection`."""

    def __init__(self, body: ChatBody, stamp: Stamp) -> None:
        options = body.stream_options
        self._model = body.model
        self._stamp = stamp
        self._wants_usage = options is not None and options.include_usage is True
        self._pad = None if options is not None and options.include_obfuscation is False else stamp.pad
        self._legacy = body.functions is not None
        self._content: list[str] = []
        self._calls: list[FunctionCall] = []
        self._call: FunctionCall | None = None
        self._finish: FinishReason = "stop"
        self._usage = Usage()

    def start(self) -> Iterable[Chunk]:
        """The chunk that names the role."""
        return (self._chunk(ChunkChoice(0, ChunkDelta("assistant", "", None)), 0),)

    def push(self, event: Event) -> Iterable[Chunk | Envelope]:
        """Fold one event and return its chunks."""
        if isinstance(event, Grew):
            return (self._chunk(ChunkChoice(0, self._grown(event.delta)), len(event.delta)),)
        if isinstance(event, Opened):
            self._call = event.item if isinstance(event.item, FunctionCall) else None
            return () if self._call is None else (self._chunk(ChunkChoice(0, self._begun(self._call)), 0),)
        if isinstance(event, Closed):
            if isinstance(event.item, FunctionCall):
                self._calls.append(event.item)
            else:
                self._content += [part.text for part in event.item.content if isinstance(part, OutputText)]
            return ()
        return self._end(event)

    def result(self) -> objects.ChatCompletion:
        """The completion as it stands."""
        text = "".join(self._content)
        called = [objects.CalledFunction(call.name, call.arguments) for call in self._calls]
        answer = objects.AssistantAnswer(
            "assistant",
            text if self._content or not called else None,
            tool_calls=tuple(map(objects.ToolCall, (call.call_id for call in self._calls), called))
            if called and not self._legacy
            else UNSET,
            function_call=called[0] if called and self._legacy else UNSET,
        )
        return objects.ChatCompletion(
            id=self._stamp.id,
            created=self._stamp.created,
            model=self._model,
            choices=(objects.Choice(0, answer, None, self._finish),),
            usage=_usage(self._usage),
            system_fingerprint=self._stamp.served.fingerprint,
        )

    def _begun(self, call: FunctionCall) -> ChunkDelta:
        piece = objects.CallPiece(call.name, "")
        if self._legacy:
            return ChunkDelta(function_call=piece)
        return ChunkDelta(tool_calls=(objects.ToolCallPiece(len(self._calls), call.call_id, "function", piece),))

    def _grown(self, delta: str) -> ChunkDelta:
        if self._call is None:
            return ChunkDelta(content=delta)
        piece = objects.CallPiece(arguments=delta)
        if self._legacy:
            return ChunkDelta(function_call=piece)
        return ChunkDelta(tool_calls=(objects.ToolCallPiece(len(self._calls), function=piece),))

    def _end(self, event: Ended) -> Iterable[Chunk | Envelope]:
        self._usage = event.usage
        if event.error is not None:
            return (envelope(event.error),)
        if event.reason == "max_output_tokens":
            self._finish = "length"
        elif self._calls:
            self._finish = "function_call" if self._legacy else "tool_calls"
        frames = [self._chunk(ChunkChoice(0, ChunkDelta(), None, self._finish), 0)]
        if self._wants_usage:
            frames.append(self._chunk(None, 0, _usage(event.usage)))
        return frames

    def _chunk(self, choice: ChunkChoice | None, length: int, usage: objects.ChatUsage | None = None) -> Chunk:
        stamp = self._stamp
        chunk = (
            stamp.id,
            "chat.completion.chunk",
            stamp.created,
            self._model,
            "default",
            stamp.served.fingerprint,
            () if choice is None else (choice,),
            usage,
        )
        return Chunk(*chunk) if self._pad is None else Chunk(*chunk, padding(self._pad, length))


def _usage(usage: Usage) -> objects.ChatUsage:
    return objects.ChatUsage(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=usage.input + usage.output,
        prompt_tokens_details=objects.PromptDetails(usage.cached, 0, usage.input - usage.cached),
        completion_tokens_details=objects.CompletionDetails(usage.reasoning),
    )

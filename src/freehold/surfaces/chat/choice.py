"""One choice of a chat completion: the fold of one run's events, and what each adds to the stream."""

from msgspec import UNSET

from freehold.core.events import Closed, Ended, Grew, Opened
from freehold.core.items import CustomToolCall, FunctionCall, Logprob, Message, OutputText, Refusal
from freehold.surfaces.chat import objects
from freehold.surfaces.chat.objects import ChoiceLogprobs, ChunkChoice, ChunkDelta, FinishReason

Call = FunctionCall | CustomToolCall


class ChoiceFold:
    """The fold of the run that makes the choice number `index`. Thoughts are not shown on this surface."""

    def __init__(self, index: int, legacy: bool, logprobs: bool) -> None:
        """`legacy` writes a call as `function_call`; `logprobs` says whether they were asked for."""
        self._index = index
        self._legacy = legacy
        self._wants_logprobs = logprobs
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._logprobs: list[Logprob] = []
        self._calls: list[Call] = []
        self._call: Call | None = None
        self._finish: FinishReason = "stop"

    def begin(self) -> ChunkChoice:
        """The piece that names the role."""
        return ChunkChoice(self._index, ChunkDelta("assistant", "", None))

    def open(self, event: Opened) -> ChunkChoice | None:
        """Begin an item; only a call shows."""
        self._call = event.item if isinstance(event.item, FunctionCall | CustomToolCall) else None
        return None if self._call is None else ChunkChoice(self._index, self._begun(self._call))

    def grow(self, event: Grew) -> ChunkChoice | None:
        """The piece that the open item grew by; None for a thought."""
        if event.kind == "text":
            logprobs = ChoiceLogprobs(event.logprobs) if self._wants_logprobs else None
            return ChunkChoice(self._index, ChunkDelta(content=event.delta), logprobs)
        if event.kind == "arguments":
            return ChunkChoice(self._index, self._argued(event.delta))
        if event.kind == "refusal":
            return ChunkChoice(self._index, ChunkDelta(refusal=event.delta))
        return None

    def close(self, event: Closed) -> None:
        """Take a whole item into the choice."""
        match event.item:
            case FunctionCall() | CustomToolCall() as call:
                self._calls.append(call)
            case Message(content=parts):
                for part in parts:
                    if isinstance(part, OutputText):
                        self._content.append(part.text)
                        self._logprobs += part.logprobs
                    elif isinstance(part, Refusal):
                        self._refusal.append(part.refusal)

    def end(self, event: Ended) -> ChunkChoice:
        """The piece that says why the choice ended."""
        if event.reason == "max_output_tokens":
            self._finish = "length"
        elif event.reason == "content_filter":
            self._finish = "content_filter"
        elif self._calls:
            self._finish = "function_call" if self._legacy else "tool_calls"
        return ChunkChoice(self._index, ChunkDelta(), None, self._finish)

    def result(self) -> objects.Choice:
        """The choice as it stands."""
        refusal = "".join(self._refusal) if self._refusal else None
        silent = not self._content and (self._calls or refusal is not None)
        calls = tuple(map(_call, self._calls))
        first = calls[0] if calls else None
        answer = objects.AssistantAnswer(
            "assistant",
            None if silent else "".join(self._content),
            refusal,
            tool_calls=calls if calls and not self._legacy else UNSET,
            function_call=first.function if self._legacy and isinstance(first, objects.ToolCall) else UNSET,
        )
        logprobs = ChoiceLogprobs(tuple(self._logprobs)) if self._wants_logprobs else None
        return objects.Choice(self._index, answer, logprobs, self._finish)

    def _begun(self, call: Call) -> ChunkDelta:
        number = len(self._calls)
        if isinstance(call, CustomToolCall):
            piece = objects.InputPiece(call.name, "")
            return ChunkDelta(tool_calls=(objects.ToolCallPiece(number, call.call_id, "custom", custom=piece),))
        piece = objects.CallPiece(call.name, "")
        if self._legacy:
            return ChunkDelta(function_call=piece)
        return ChunkDelta(tool_calls=(objects.ToolCallPiece(number, call.call_id, "function", piece),))

    def _argued(self, delta: str) -> ChunkDelta:
        number = len(self._calls)
        if isinstance(self._call, CustomToolCall):
            return ChunkDelta(tool_calls=(objects.ToolCallPiece(number, custom=objects.InputPiece(input=delta)),))
        piece = objects.CallPiece(arguments=delta)
        if self._legacy:
            return ChunkDelta(function_call=piece)
        return ChunkDelta(tool_calls=(objects.ToolCallPiece(number, function=piece),))


def _call(call: Call) -> objects.ToolCall | objects.CustomCall:
    if isinstance(call, CustomToolCall):
        return objects.CustomCall(call.call_id, objects.CalledTool(call.name, call.input))
    return objects.ToolCall(call.call_id, objects.CalledFunction(call.name, call.arguments))

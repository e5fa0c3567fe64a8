"""Deltas to events: which item is open, what it holds, and how it closes."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Text, Thought
from freehold.core.events import Closed, Event, Grew, Growth, Opened
from freehold.core.ids import Mint
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    FunctionCall,
    Logprob,
    Message,
    Opening,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    Status,
)

Said = Text | Thought | Declined | CallStart | CallArgs
Conclude = Callable[[Reasoning], Reasoning]


def same(thought: Reasoning) -> Reasoning:
    """A thought as it is."""
    return thought


class Assembler:
    """Builds the output items of one run from its deltas."""

    def __init__(self, mint: Mint, custom: frozenset[str] = frozenset(), conclude: Conclude = same) -> None:
        """`custom` are the names of the custom tools; `conclude` is given each thought when it is over."""
        self._mint = mint
        self._custom = custom
        self._conclude = conclude
        self._index = 0
        self._open: Opening | None = None
        self._parts: list[OutputText | Refusal] = []
        self._kind: Growth | None = None
        self._pieces: list[str] = []
        self._logprobs: list[Logprob] = []

    def resume(self, events: Iterable[Event]) -> None:
        """Come to where a run was that has begun with `events`."""
        for event in events:
            match event:
                case Opened():
                    self._open = event.item
                case Grew():
                    if event.kind != self._kind:
                        self._end_part()
                    self._logprobs += event.logprobs
                    self._grew(event.kind, event.delta)
                case Closed():
                    self._next()

    def take(self, delta: Said) -> tuple[Event, ...]:
        """Grow the open item by `delta`, or close it and open the one that `delta` begins."""
        match delta:
            case Text():
                return self._say("text", delta.text, delta.logprobs)
            case CallArgs():
                return (self._grew("arguments", delta.text),)
            case Declined():
                return self._say("refusal", delta.text)
            case Thought():
                if isinstance(self._open, Reasoning):
                    return (self._grew("thought", delta.text),)
                thought = Reasoning(id=self._mint("rs_"), status="in_progress")
                return (*self.abandon("completed"), self._opened(thought), self._grew("thought", delta.text))
            case CallStart():
                return (*self.abandon("completed"), self._opened(self._call(delta.name)))

    def finish(self, status: Status) -> tuple[Event, ...]:
        """Close what is open at the end of the run. A run that said nothing said an empty message."""
        silent = self._open is None and self._index == 0
        opened = (self._opened(self._message()),) if silent else ()
        return (*opened, *self.abandon(status))

    def abandon(self, status: Status = "incomplete") -> tuple[Event, ...]:
        """Close what is open; nothing when nothing is."""
        if self._open is None:
            return ()
        closed = Closed(self._index, self._whole(self._open, status))
        self._next()
        return (closed,)

    def _next(self) -> None:
        self._index += 1
        self._open, self._kind = None, None
        self._parts, self._pieces, self._logprobs = [], [], []

    def _whole(self, item: Opening, status: Status) -> Opening:
        whole = "".join(self._pieces)
        match item:
            case Message():
                self._end_part()
                return replace(item, status=status, content=tuple(self._parts) or (OutputText(""),))
            case FunctionCall():
                return replace(item, status=status, arguments=whole)
            case CustomToolCall():
                return replace(item, status=status, input=whole)
            case Reasoning():
                return self._conclude(replace(item, status=status, content=(ReasoningText(whole),)))
            case Compaction():
                raise TypeError("an engine does not compact")

    def _say(self, kind: Growth, piece: str, logprobs: tuple[Logprob, ...] = ()) -> tuple[Event, ...]:
        opened: tuple[Event, ...] = ()
        if not isinstance(self._open, Message):
            opened = (*self.abandon("completed"), self._opened(self._message()))
        if kind != self._kind:
            self._end_part()
        self._logprobs += logprobs
        return (*opened, self._grew(kind, piece, logprobs))

    def _end_part(self) -> None:
        """What was said so far in one kind is a part of the message."""
        if self._pieces:
            whole = "".join(self._pieces)
            text = OutputText(whole, logprobs=tuple(self._logprobs))
            self._parts.append(Refusal(whole) if self._kind == "refusal" else text)
            self._pieces, self._logprobs = [], []

    def _grew(self, kind: Growth, piece: str, logprobs: tuple[Logprob, ...] = ()) -> Grew:
        self._kind = kind
        self._pieces.append(piece)
        return Grew(self._index, piece, kind, logprobs)

    def _opened(self, item: Opening) -> Opened:
        self._open = item
        return Opened(self._index, item)

    def _message(self) -> Message:
        return Message(id=self._mint("msg_"), role="assistant", status="in_progress", content=())

    def _call(self, name: str) -> FunctionCall | CustomToolCall:
        call_id = self._mint("call_")
        if name in self._custom:
            item_id = self._mint("ctc_")
            return CustomToolCall(id=item_id, status="in_progress", call_id=call_id, name=name, input="")
        return FunctionCall(id=self._mint("fc_"), status="in_progress", call_id=call_id, name=name, arguments="")

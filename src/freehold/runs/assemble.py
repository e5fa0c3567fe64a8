"""Deltas to events: which item is open, what it holds, and how it closes."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Text, Thought
from freehold.core.errors import Fault
from freehold.core.events import Annotated, Closed, Event, Grew, Growth, Moved, Opened
from freehold.core.ids import Mint
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    FileCitation,
    FileResult,
    FileSearchCall,
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
        self._annotations: list[FileCitation] = []

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
                case Annotated():
                    self._kind = "text"
                    self._annotations.append(event.annotation)
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

    @property
    def text(self) -> str:
        """What is said so far in the open text."""
        return "".join(self._pieces) if self._kind == "text" else ""

    def cite(self, source: FileResult, index: int | None = None) -> tuple[Event, ...]:
        """Note at the open text that it is taken from `source`, up to `index` or as far as it is said; but once."""
        opened: tuple[Event, ...] = ()
        if not isinstance(self._open, Message):
            opened = (*self.abandon("completed"), self._opened(self._message()))
        if self._kind != "text":
            self._end_part()
            self._kind = "text"
        place = len(self.text) if index is None else index
        note = FileCitation(file_id=source.file_id, filename=source.filename, index=place)
        if note in self._annotations:
            return opened
        self._annotations.append(note)
        return (*opened, Annotated(self._index, note))

    async def search(
        self, call: FileSearchCall, carry_out: Callable[[FileSearchCall], Awaitable[FileSearchCall]]
    ) -> AsyncGenerator[Event, None]:
        """Close what is open and yield the events of a search while it is carried out.

        One that fails with a fault closes as failed.
        """
        for event in self.abandon("completed"):
            yield event
        yield self._opened(call)
        yield Moved(self._index, "searching")
        try:
            done = await carry_out(call)
        except Fault:
            done = replace(call, status="failed")
        else:
            yield Moved(self._index, "completed")
        yield Closed(self._index, done)
        self._next()

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
        self._parts, self._pieces, self._logprobs, self._annotations = [], [], [], []

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
            case FileSearchCall():
                return replace(item, status="incomplete")
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
        if self._pieces or self._annotations:
            whole = "".join(self._pieces)
            text = OutputText(whole, tuple(self._annotations), tuple(self._logprobs))
            self._parts.append(Refusal(whole) if self._kind == "refusal" else text)
            self._pieces, self._logprobs, self._annotations = [], [], []

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

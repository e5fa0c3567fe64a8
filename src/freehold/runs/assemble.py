"""Deltas to events: which item is open, what it holds, and how it closes."""

from freehold.core.deltas import CallArgs, CallStart, Text
from freehold.core.events import Closed, Event, Grew, Opened
from freehold.core.ids import Mint
from freehold.core.items import FunctionCall, Message, Opening, OutputText, Status


class Assembler:
    """Builds the output items of one run from its deltas."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint
        self._index = 0
        self._open: Opening | None = None
        self._pieces: list[str] = []

    def take(self, delta: Text | CallStart | CallArgs) -> tuple[Event, ...]:
        """Grow the open item by `delta`, or close it and open the one that `delta` begins."""
        if isinstance(delta, Text):
            if isinstance(self._open, Message):
                return (self._grew(delta.text),)
            return (*self.abandon("completed"), self._opened(self._message()), self._grew(delta.text))
        if isinstance(delta, CallArgs):
            return (self._grew(delta.json),)
        call = FunctionCall(
            id=self._mint("fc_"),
            status="in_progress",
            call_id=self._mint("call_"),
            name=delta.name,
            arguments="",
        )
        return (*self.abandon("completed"), self._opened(call))

    def finish(self, status: Status) -> tuple[Event, ...]:
        """Close what is open at the end of the run. A run that said nothing said an empty message."""
        silent = self._open is None and self._index == 0
        opened = (self._opened(self._message()),) if silent else ()
        return (*opened, *self.abandon(status))

    def abandon(self, status: Status = "incomplete") -> tuple[Event, ...]:
        """Close what is open; nothing when nothing is."""
        if self._open is None:
            return ()
        whole = "".join(self._pieces)
        if isinstance(self._open, Message):
            item: Opening = Message(id=self._open.id, role="assistant", status=status, content=(OutputText(whole),))
        else:
            call = self._open
            item = FunctionCall(id=call.id, status=status, call_id=call.call_id, name=call.name, arguments=whole)
        closed = Closed(self._index, item)
        self._index += 1
        self._open, self._pieces = None, []
        return (closed,)

    def _grew(self, piece: str) -> Grew:
        self._pieces.append(piece)
        return Grew(self._index, piece)

    def _opened(self, item: Opening) -> Opened:
        self._open = item
        return Opened(self._index, item)

    def _message(self) -> Message:
        return Message(id=self._mint("msg_"), role="assistant", status="in_progress", content=())

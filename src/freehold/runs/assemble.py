"""Deltas to events: which item is open, what it holds, and how it closes."""

from freehold.core.deltas import Text
from freehold.core.events import Closed, Event, Grew, Opened
from freehold.core.ids import Mint
from freehold.core.items import Message, OutputText


class Assembler:
    """Builds the output items of one run from its deltas."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint
        self._index = 0
        self._id: str | None = None
        self._text: list[str] = []

    def text(self, delta: Text) -> tuple[Event, ...]:
        """Grow the message by `delta`, opening one first where none is open."""
        self._text.append(delta.text)
        if self._id is not None:
            return (Grew(self._index, delta.text),)
        return (self._open(), Grew(self._index, delta.text))

    def close(self, complete: bool) -> tuple[Event, ...]:
        """Close what is open, as `completed` or `incomplete`. A run that said nothing said an empty message."""
        opened = () if self._id is not None else (self._open(),)
        message = Message(
            id=self._id,
            role="assistant",
            status="completed" if complete else "incomplete",
            content=(OutputText("".join(self._text)),),
        )
        self._id = None
        self._text = []
        return (*opened, Closed(self._index, message))

    def abandon(self) -> tuple[Event, ...]:
        """Close what is open as `incomplete`; nothing when nothing is."""
        return () if self._id is None else self.close(complete=False)

    def _open(self) -> Opened:
        self._id = self._mint("msg_")
        return Opened(self._index, Message(id=self._id, role="assistant", status="in_progress", content=()))

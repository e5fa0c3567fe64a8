"""The grammar of a Responses event stream, checked event by event.

stream  = created, in_progress, { item }, terminal
item    = output_item.added, { part }, output_item.done          (an item ends before the next one begins)
part    = content_part.added, { output_text.delta }, output_text.done, content_part.done
terminal = completed | incomplete | failed

Sequence numbers count up from 0 without a gap, indexes count up from 0, every event of an item carries its id, and the
object of the terminal event is the fold of all that came before.
"""

import json
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

TERMINAL = {
    "response.completed": {"completed"},
    "response.incomplete": {"incomplete", "cancelled"},
    "response.failed": {"failed"},
}


class StreamError(AssertionError):
    """The stream breaks the grammar; the message says at which event, and how."""


def read_frames(raw: bytes) -> list[tuple[str | None, str]]:
    """Split server-sent event bytes into (event name or None, data).

    Raises StreamError for a frame that is not an optional `event:` line and one `data:` line.
    """
    if not raw.endswith(b"\n\n"):
        raise StreamError("the last frame is not ended by an empty line")
    return [_read_frame(frame) for frame in raw.decode().removesuffix("\n\n").split("\n\n")]


def _read_frame(frame: str) -> tuple[str | None, str]:
    *names, data = frame.split("\n")
    if not data.startswith("data: ") or len(names) > 1 or not all(line.startswith("event: ") for line in names):
        raise StreamError(f"not a frame: {frame!r}")
    return (names[0].removeprefix("event: ") if names else None), data.removeprefix("data: ")


def read_events(raw: bytes) -> list[Json]:
    """The events of a Responses stream. Raises StreamError where an `event:` line is not its event's type."""
    events = []
    for name, data in read_frames(raw):
        event = json.loads(data)
        if event["type"] != name:
            raise StreamError(f"the line `event: {name}` precedes an event of type {event['type']}")
        events.append(event)
    return events


def check_stream(events: Iterable[Json]) -> Json:
    """Check a whole stream and return the Response of its terminal event. Raises StreamError."""
    checker = StreamChecker()
    for event in events:
        checker.push(event)
    return checker.finish()


class StreamChecker:
    """Follows one stream; `push` each event as it comes, then `finish`."""

    def __init__(self) -> None:
        self._count = 0
        self._response: Json | None = None
        self._output: list[Json] = []
        self._item: Json | None = None
        self._parts: list[Json] = []
        self._part: Json | None = None
        self._text: list[str] = []
        self._text_done = False
        self._ended = False

    def push(self, event: Json) -> None:
        """Check the next event. Raises StreamError."""
        kind = event["type"]
        where = f"event {self._count} ({kind})"
        if self._ended:
            raise StreamError(f"{where} comes after the terminal event")
        _equal(where, "sequence_number", event["sequence_number"], self._count)
        if self._count < 2:
            self._opening(event, where)
        elif kind in TERMINAL:
            self._terminal(event, where)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item_event(event, where)
        elif kind in ("response.content_part.added", "response.content_part.done"):
            self._part_event(event, where)
        elif kind in ("response.output_text.delta", "response.output_text.done"):
            self._text_event(event, where)
        else:
            raise StreamError(f"{where} is of a type that the grammar does not know")
        self._count += 1

    def finish(self) -> Json:
        """Return the terminal event's Response. Raises StreamError when there was no terminal event."""
        if not self._ended or self._response is None:
            raise StreamError(f"the stream stops after {self._count} events without a terminal event")
        return self._response

    def _opening(self, event: Json, where: str) -> None:
        _equal(where, "type", event["type"], ("response.created", "response.in_progress")[self._count])
        response = event["response"]
        _equal(where, "status", response["status"], "in_progress")
        _equal(where, "output", response["output"], [])
        if self._response is not None:
            _equal(where, "response", response, self._response)
        self._response = response

    def _item_event(self, event: Json, where: str) -> None:
        item = event["item"]
        if event["type"].endswith(".added"):
            if self._item is not None:
                raise StreamError(f"{where} comes before the item {self._item['id']} is done")
            _equal(where, "output_index", event["output_index"], len(self._output))
            _equal(where, "item.status", item["status"], "in_progress")
            _equal(where, "item.content", item["content"], [])
            if any(item["id"] == earlier["id"] for earlier in self._output):
                raise StreamError(f"{where} opens an item with an id that was used: {item['id']}")
            self._item, self._parts = item, []
            return
        opened = self._open_item(where)
        if self._part is not None:
            raise StreamError(f"{where} comes before its last part is done")
        _equal(where, "output_index", event["output_index"], len(self._output))
        _equal(where, "item.status", item["status"] in ("completed", "incomplete"), True)
        _equal(where, "item", item, {**opened, "status": item["status"], "content": self._parts})
        self._output.append(item)
        self._item = None

    def _part_event(self, event: Json, where: str) -> None:
        self._check_place(event, where)
        if event["type"].endswith(".added"):
            if self._part is not None:
                raise StreamError(f"{where} comes before the part before it is done")
            self._part, self._text, self._text_done = event["part"], [], False
            _equal(where, "part.text", event["part"]["text"], "")
            return
        opened = self._open_part(where)
        if not self._text_done:
            raise StreamError(f"{where} comes before response.output_text.done")
        _equal(where, "part", event["part"], {**opened, "text": "".join(self._text)})
        self._parts.append(event["part"])
        self._part = None

    def _text_event(self, event: Json, where: str) -> None:
        self._check_place(event, where)
        self._open_part(where)
        if self._text_done:
            raise StreamError(f"{where} comes after response.output_text.done")
        if event["type"].endswith(".delta"):
            if not event["delta"]:
                raise StreamError(f"{where} adds nothing")
            self._text.append(event["delta"])
            return
        _equal(where, "text", event["text"], "".join(self._text))
        self._text_done = True

    def _terminal(self, event: Json, where: str) -> None:
        if self._item is not None:
            raise StreamError(f"{where} comes before the item {self._item['id']} is done")
        response, begun = event["response"], self._response or {}
        if response["status"] not in TERMINAL[event["type"]]:
            raise StreamError(f"{where} carries the status {response['status']!r}")
        _equal(where, "response.output", response["output"], self._output)
        ending = ("status", "output", "usage", "completed_at", "incomplete_details", "error")
        for key in sorted(begun.keys() | response.keys()):
            if key not in ending:
                _equal(where, f"response.{key}", response.get(key), begun.get(key))
        _equal(where, "response has an error", response["error"] is not None, response["status"] == "failed")
        self._response = response
        self._ended = True

    def _check_place(self, event: Json, where: str) -> None:
        item = self._open_item(where)
        _equal(where, "item_id", event["item_id"], item["id"])
        _equal(where, "output_index", event["output_index"], len(self._output))
        _equal(where, "content_index", event["content_index"], len(self._parts))

    def _open_item(self, where: str) -> Json:
        if self._item is None:
            raise StreamError(f"{where} comes while no item is open")
        return self._item

    def _open_part(self, where: str) -> Json:
        if self._part is None:
            raise StreamError(f"{where} comes while no part is open")
        return self._part


def _equal(where: str, what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise StreamError(f"{where}: {what} is {found!r}, not {wanted!r}")

"""The grammar of a Responses event stream, checked event by event.

stream    = created, [ queued ], in_progress, { item }, terminal        (queued where the response is a background one)
item      = output_item.added, body, output_item.done               (an item ends before the next one begins)
body      = message | thought | call | custom | search | compaction (by the type of the item)
message   = part, { part }
thought   = { part }, { summary }
call      = { function_call_arguments.delta }, function_call_arguments.done
custom    = { custom_tool_call_input.delta }, custom_tool_call_input.done
compaction = compaction.compacting
search    = file_search_call.in_progress, .searching, [ .completed ]  (unless it failed or was cut short)
part      = content_part.added, { TEXT.delta | NOTE }, TEXT.done, content_part.done
            (NOTE is output_text.annotation.added, in output_text only)
            (TEXT is output_text or refusal in a message, reasoning_text in a thought)
summary   = reasoning_summary_part.added, { reasoning_summary_text.delta }, reasoning_summary_text.done,
            reasoning_summary_part.done
terminal  = completed | incomplete | failed

Sequence numbers count up from 0 without a gap, indexes count up from 0, every event of an item carries its id, the
log-probabilities of a text are those of its deltas, and the object of the terminal event is the fold of all that came
before.
"""

import json
from collections.abc import Iterable
from typing import Any, Protocol

Json = dict[str, Any]

OPENING = ("response.created", "response.queued", "response.in_progress")
TERMINAL = {
    "response.completed": {"completed"},
    "response.incomplete": {"incomplete", "cancelled"},
    "response.failed": {"failed"},
}
MESSAGE = {"output_text": ("text", "response.output_text"), "refusal": ("refusal", "response.refusal")}
THOUGHT = {"reasoning_text": ("text", "response.reasoning_text")}
NOTE = "response.output_text.annotation.added"
STAGES = tuple(f"response.file_search_call.{stage}" for stage in ("in_progress", "searching", "completed"))
SUMMARY = {"summary_text": ("text", "response.reasoning_summary_text")}


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


class Body(Protocol):
    """What may come between the beginning and the end of an item of one type."""

    def push(self, event: Json, where: str) -> None:
        """Check the next event of the item. Raises StreamError."""
        ...

    def fold(self, where: str) -> Json:
        """What the events came to: fields of the final item. Raises StreamError when some are missing."""
        ...


class StreamChecker:
    """Follows one stream; `push` each event as it comes, then `finish`."""

    def __init__(self) -> None:
        self._count = 0
        self._opening_events = 2
        self._response: Json | None = None
        self._output: list[Json] = []
        self._item: Json | None = None
        self._body: Body | None = None
        self._ended = False

    def push(self, event: Json) -> None:
        """Check the next event. Raises StreamError."""
        kind = event["type"]
        where = f"event {self._count} ({kind})"
        if self._ended:
            raise StreamError(f"{where} comes after the terminal event")
        _equal(where, "sequence_number", event["sequence_number"], self._count)
        if self._count < self._opening_events:
            self._opening(event, where)
        elif kind in TERMINAL:
            self._terminal(event, where)
        elif kind == "response.output_item.added":
            self._item_added(event, where)
        elif kind == "response.output_item.done":
            self._item_done(event, where)
        else:
            item, body = self._open_item(where)
            _equal(where, "item_id", event["item_id"], item["id"])
            _equal(where, "output_index", event["output_index"], len(self._output))
            body.push(event, where)
        self._count += 1

    def finish(self) -> Json:
        """Return the terminal event's Response. Raises StreamError when there was no terminal event."""
        if not self._ended or self._response is None:
            raise StreamError(f"the stream stops after {self._count} events without a terminal event")
        return self._response

    def _opening(self, event: Json, where: str) -> None:
        if event["type"] not in OPENING:
            raise StreamError(f"{where} comes before the stream is open")
        response = event["response"]
        if self._count == 0 and response["background"]:
            self._opening_events = 3
        last = self._count == self._opening_events - 1
        wanted = OPENING[-1] if last else OPENING[self._count]
        _equal(where, "type", event["type"], wanted)
        _equal(where, "status", response["status"], "queued" if response["background"] and not last else "in_progress")
        _equal(where, "output", response["output"], [])
        if self._response is not None:
            _equal(where, "response", response, {**self._response, "status": response["status"]})
        self._response = response

    def _item_added(self, event: Json, where: str) -> None:
        item = event["item"]
        if self._item is not None:
            raise StreamError(f"{where} comes before the item {self._item['id']} is done")
        _equal(where, "output_index", event["output_index"], len(self._output))
        if any(item["id"] == earlier["id"] for earlier in self._output):
            raise StreamError(f"{where} opens an item with an id that was used: {item['id']}")
        self._item, self._body = item, _body(item, where)

    def _item_done(self, event: Json, where: str) -> None:
        item = event["item"]
        opened, body = self._open_item(where)
        _equal(where, "output_index", event["output_index"], len(self._output))
        wanted = {**opened, **body.fold(where)}
        if "status" in opened:
            known = ("completed", "incomplete", *(["failed"] if item["type"] == "file_search_call" else []))
            _equal(where, "item.status", item["status"] in known, True)
            wanted["status"] = item["status"]
        if "encrypted_content" in item and item["type"] in ("reasoning", "compaction"):
            _equal(where, "item.encrypted_content is there", bool(item["encrypted_content"]), True)
            wanted["encrypted_content"] = item["encrypted_content"]
        if item["type"] == "file_search_call":
            _equal(where, "searched", item["status"] == "completed", body.fold(where)["results"])
            wanted["results"] = item["results"]
        _equal(where, "item", item, wanted)
        self._output.append(item)
        self._item = self._body = None

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
        self._check_statuses(response, where)
        self._response = response
        self._ended = True

    def _check_statuses(self, response: Json, where: str) -> None:
        """Only the last item of an answer that is not whole may be incomplete."""
        whole = self._output if response["status"] == "completed" else self._output[:-1]
        for item in whole:
            known = ("completed", "failed") if item["type"] == "file_search_call" else ("completed",)
            _equal(where, f"status of {item['id']}", item.get("status", "completed") in known, True)

    def _open_item(self, where: str) -> tuple[Json, Body]:
        if self._item is None or self._body is None:
            raise StreamError(f"{where} comes while no item is open")
        return self._item, self._body


def _body(item: Json, where: str) -> Body:
    """What the events of a new item come to; they begin with nothing."""
    kind = item["type"]
    if kind == "compaction":
        _equal(where, "item.encrypted_content", item["encrypted_content"], "")
        return Compacting()
    _equal(where, "item.status", item["status"], "in_progress")
    if kind == "message":
        _equal(where, "item.content", item["content"], [])
        return Content()
    if kind == "reasoning":
        _equal(where, "item.content", item["content"], [])
        _equal(where, "item.summary", item["summary"], [])
        return Thought()
    if kind == "function_call":
        _equal(where, "item.arguments", item["arguments"], "")
        return Input("response.function_call_arguments", "arguments", {"name": item["name"]})
    if kind == "custom_tool_call":
        _equal(where, "item.input", item["input"], "")
        return Input("response.custom_tool_call_input", "input", {})
    if kind == "file_search_call":
        _equal(where, "item.results", item["results"], None)
        return Search()
    raise StreamError(f"{where} opens an item of a type that the grammar does not know: {kind}")


class Parts:
    """Texts one after the other, each with its beginning, deltas, whole and end."""

    def __init__(self, part: str, index: str, kinds: dict[str, tuple[str, str]]) -> None:
        """`part` begins the names of the events of a part, `index` is the key of its place; `kinds` are by its type."""
        self._names = (f"{part}.added", f"{part}.done")
        self._index = index
        self._kinds = kinds
        self._part: Json | None = None
        self._text: list[str] = []
        self._logprobs: list[Json] = []
        self._notes: list[Json] = []
        self._text_done = False
        self.done: list[Json] = []

    def takes(self, kind: str) -> bool:
        """Whether events of this type may be of these parts."""
        if kind == NOTE:
            return "output_text" in self._kinds
        return kind in self._names or any(kind in (f"{text}.delta", f"{text}.done") for _, text in self._kinds.values())

    def push(self, event: Json, where: str) -> None:
        """Check the next event. Raises StreamError."""
        _equal(where, self._index, event[self._index], len(self.done))
        kind = event["type"]
        if kind == self._names[0]:
            self._begin(event, where)
        elif kind == self._names[1]:
            self._end(event, where)
        else:
            self._grow(event, where)

    def whole(self, where: str) -> list[Json]:
        """The parts. Raises StreamError when the last of them is not done."""
        if self._part is not None:
            raise StreamError(f"{where} comes before its last part is done")
        return self.done

    def _begin(self, event: Json, where: str) -> None:
        if self._part is not None:
            raise StreamError(f"{where} comes before the part before it is done")
        part = event["part"]
        if part["type"] not in self._kinds:
            raise StreamError(f"{where} begins a part that has no place here: {part['type']}")
        _equal(where, "part's text", part[self._kinds[part["type"]][0]], "")
        self._part, self._text, self._logprobs, self._notes, self._text_done = part, [], [], [], False

    def _grow(self, event: Json, where: str) -> None:
        part, key, text = self._open_part(where)
        if event["type"] == NOTE:
            return self._note(event, part, where)
        if event["type"] not in (f"{text}.delta", f"{text}.done"):
            raise StreamError(f"{where} is not of a part of type {part['type']}")
        if self._text_done:
            raise StreamError(f"{where} comes after {text}.done")
        if event["type"].endswith(".delta"):
            if not event["delta"]:
                raise StreamError(f"{where} adds nothing")
            self._text.append(event["delta"])
            self._logprobs += event.get("logprobs", [])
            return
        _equal(where, key, event[key], "".join(self._text))
        if "logprobs" in part:
            _equal(where, "logprobs", event["logprobs"], self._logprobs)
        self._text_done = True

    def _end(self, event: Json, where: str) -> None:
        part, key, text = self._open_part(where)
        if not self._text_done:
            raise StreamError(f"{where} comes before {text}.done")
        wanted = {**part, key: "".join(self._text)}
        if "logprobs" in part:
            wanted["logprobs"] = self._logprobs
        if "annotations" in part:
            wanted["annotations"] = self._notes
        _equal(where, "part", event["part"], wanted)
        self.done.append(event["part"])
        self._part = None

    def _note(self, event: Json, part: Json, where: str) -> None:
        if part["type"] != "output_text" or self._text_done:
            raise StreamError(f"{where} is not of a text that is open")
        _equal(where, "annotation_index", event["annotation_index"], len(self._notes))
        place = event["annotation"]["index"]
        _equal(where, "annotation.index is in the text", 0 <= place <= len("".join(self._text)), True)
        self._notes.append(event["annotation"])

    def _open_part(self, where: str) -> tuple[Json, str, str]:
        if self._part is None:
            raise StreamError(f"{where} comes while no part is open")
        return (self._part, *self._kinds[self._part["type"]])


class Content:
    """The body of a message."""

    def __init__(self) -> None:
        self._parts = Parts("response.content_part", "content_index", MESSAGE)

    def push(self, event: Json, where: str) -> None:
        """See Body."""
        if not self._parts.takes(event["type"]):
            raise StreamError(f"{where} has no place in a message")
        self._parts.push(event, where)

    def fold(self, where: str) -> Json:
        """See Body."""
        parts = self._parts.whole(where)
        if not parts:
            raise StreamError(f"{where} ends a message without a part")
        return {"content": parts}


class Thought:
    """The body of a reasoning item: what was thought, then its summary."""

    def __init__(self) -> None:
        self._content = Parts("response.content_part", "content_index", THOUGHT)
        self._summary = Parts("response.reasoning_summary_part", "summary_index", SUMMARY)
        self._summarised = False

    def push(self, event: Json, where: str) -> None:
        """See Body."""
        if self._summary.takes(event["type"]):
            self._content.whole(where)
            self._summarised = True
            self._summary.push(event, where)
        elif self._content.takes(event["type"]) and not self._summarised:
            self._content.push(event, where)
        else:
            raise StreamError(f"{where} has no place here in a thought")

    def fold(self, where: str) -> Json:
        """See Body."""
        return {"content": self._content.whole(where), "summary": self._summary.whole(where)}


class Input:
    """The body of a call: pieces of its arguments or input, then the whole."""

    def __init__(self, name: str, key: str, more: Json) -> None:
        """`name` begins the names of the events, the whole is at `key`; `more` is what else its event says."""
        self._name = name
        self._key = key
        self._more = more
        self._pieces: list[str] = []
        self._done = False

    def push(self, event: Json, where: str) -> None:
        """See Body."""
        if self._done:
            raise StreamError(f"{where} comes after {self._name}.done")
        if event["type"] == f"{self._name}.delta":
            if not event["delta"]:
                raise StreamError(f"{where} adds nothing")
            self._pieces.append(event["delta"])
        elif event["type"] == f"{self._name}.done":
            _equal(where, self._key, event[self._key], "".join(self._pieces))
            for key, value in self._more.items():
                _equal(where, key, event[key], value)
            self._done = True
        else:
            raise StreamError(f"{where} has no place in this call")

    def fold(self, where: str) -> Json:
        """See Body."""
        if not self._done:
            raise StreamError(f"{where} comes before {self._name}.done")
        return {self._key: "".join(self._pieces)}


class Search:
    """The body of a search: its stages."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def push(self, event: Json, where: str) -> None:
        """See Body."""
        if [*self._told, event["type"]] != list(STAGES[: len(self._told) + 1]):
            raise StreamError(f"{where} has no place here in a search")
        self._told.append(event["type"])

    def fold(self, where: str) -> Json:
        """See Body."""
        if len(self._told) < len(STAGES) - 1:
            raise StreamError(f"{where} comes before {STAGES[len(self._told)]}")
        return {"results": len(self._told) == len(STAGES)}


class Compacting:
    """The body of a compaction."""

    def __init__(self) -> None:
        self._told = False

    def push(self, event: Json, where: str) -> None:
        """See Body."""
        if event["type"] != "response.compaction.compacting" or self._told:
            raise StreamError(f"{where} has no place here in a compaction")
        self._told = True

    def fold(self, where: str) -> Json:
        """See Body."""
        if not self._told:
            raise StreamError(f"{where} comes before response.compaction.compacting")
        return {}


def _equal(where: str, what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise StreamError(f"{where}: {what} is {found!r}, not {wanted!r}")

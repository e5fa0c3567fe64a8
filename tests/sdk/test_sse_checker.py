"""The stream checker itself: it takes a good stream and refuses every way to spoil one."""

import copy
from collections.abc import Callable

import httpx2
import pytest

from tests.sse_checker import Json, StreamError, check_stream, read_events, read_frames

Spoil = Callable[[list[Json]], object]


@pytest.fixture
def events(raw: httpx2.Client) -> list[Json]:
    """A good stream with three deltas: 11 events."""
    body = {"model": "gpt-5", "input": "one two three", "stream": True}
    return read_events(raw.post("/responses", json=body).content)


def test_a_good_stream(events: list[Json]) -> None:
    assert check_stream(events)["output"][0]["content"][0]["text"] == "one two three"


def renumber(events: list[Json]) -> None:
    for number, event in enumerate(events):
        event["sequence_number"] = number


@pytest.mark.parametrize("place", range(11))
def test_a_missing_event(events: list[Json], place: int) -> None:
    with pytest.raises(StreamError):
        check_stream(events[:place] + events[place + 1 :])
    spoilt = copy.deepcopy(events)
    del spoilt[place]
    renumber(spoilt)
    with pytest.raises(StreamError):
        check_stream(spoilt)


@pytest.mark.parametrize("place", range(10))
def test_two_events_in_the_wrong_order(events: list[Json], place: int) -> None:
    events[place], events[place + 1] = events[place + 1], events[place]
    renumber(events)
    with pytest.raises(StreamError):
        check_stream(events)


@pytest.mark.parametrize("place", range(11))
def test_an_event_twice(events: list[Json], place: int) -> None:
    events.insert(place, copy.deepcopy(events[place]))
    renumber(events)
    with pytest.raises(StreamError):
        check_stream(events)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda events: events[4].update(sequence_number=5),
        lambda events: events[4].update(item_id="msg_other"),
        lambda events: events[4].update(output_index=1),
        lambda events: events[4].update(content_index=1),
        lambda events: events[4].update(delta=""),
        lambda events: events[4].update(type="response.surprise"),
        lambda events: events[7].update(text="one two"),
        lambda events: events[8]["part"].update(text="one two"),
        lambda events: events[9]["item"].update(id="msg_other"),
        lambda events: events[9]["item"].update(status="in_progress"),
        lambda events: events[10]["response"].update(output=[]),
        lambda events: events[10]["response"].update(status="failed"),
        lambda events: events[10]["response"].update(id="resp_other"),
        lambda events: events[10]["response"].update(error={"code": "server_error", "message": ""}),
        lambda events: events[1]["response"].update(model="gpt-4"),
        lambda events: events[0]["response"].update(status="queued"),
    ],
)
def test_a_spoilt_event(events: list[Json], spoil: Spoil) -> None:
    spoil(events)
    with pytest.raises(StreamError):
        check_stream(events)


SHELL = {"type": "custom", "name": "shell"}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}}
THINKING = {"effort": "low", "summary": "detailed"}
STREAMS: list[Json] = [
    {"input": "!refuse not that", "reasoning": THINKING},
    {"input": "One.\n\nTwo.", "reasoning": THINKING, "include": ["reasoning.encrypted_content"], "store": False},
    {"input": "!call shell ls -l", "tools": [SHELL]},
    {"input": '!call add {"a": 1}', "tools": [ADD]},
    {"input": "a b c", "include": ["message.output_text.logprobs"], "top_logprobs": 1},
    {"input": " ".join(map(str, range(20))), "reasoning": THINKING, "max_output_tokens": 16},
    {"input": "a b", "background": True},
]


@pytest.mark.parametrize("body", STREAMS)
def test_every_kind_of_item_is_followed_and_nothing_may_be_missing_twice_or_early(
    raw: httpx2.Client, body: Json
) -> None:
    events = read_events(raw.post("/responses", json={"model": "gpt-5.2", "stream": True, **body}).content)
    assert check_stream(events)["output"]
    for place in range(len(events)):
        swapped = [*events[:place], *events[place : place + 2][::-1], *events[place + 2 :]]
        spoilt = [events[:place] + events[place + 1 :], events[: place + 1] + events[place:], swapped]
        for stream in spoilt[: 2 if place + 1 == len(events) else 3]:
            numbered = copy.deepcopy(stream)
            renumber(numbered)
            with pytest.raises(StreamError):
                check_stream(numbered)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("response.reasoning_text.delta", {"delta": "other "}),
        ("response.reasoning_text.done", {"content_index": 1}),
        ("response.reasoning_summary_part.added", {"summary_index": 1}),
        ("response.reasoning_summary_text.delta", {"delta": ""}),
        ("response.reasoning_summary_text.done", {"text": "other"}),
        ("response.reasoning_summary_part.done", {"part": {"type": "summary_text", "text": "other"}}),
        ("response.output_text.delta", {"logprobs": []}),
        ("response.output_text.done", {"logprobs": []}),
        ("response.content_part.done", {"part": {"type": "refusal", "refusal": "a b"}}),
        ("response.output_item.added", {"item": {"type": "web_search_call", "id": "ws_1", "status": "in_progress"}}),
    ],
)
def test_a_spoilt_event_of_a_thought_or_of_logprobs(raw: httpx2.Client, kind: str, change: Json) -> None:
    wanted = {"include": ["message.output_text.logprobs"], "reasoning": THINKING}
    body = {"model": "gpt-5.2", "input": "a b", "stream": True, **wanted}
    events = read_events(raw.post("/responses", json=body).content)
    next(event for event in events if event["type"] == kind).update(change)
    with pytest.raises(StreamError):
        check_stream(events)


@pytest.mark.parametrize(
    "raw_bytes",
    [
        b'event: a\ndata: {"type":"a"}\n',
        b"event: a\n\n",
        b'event: a\nevent: a\ndata: {"type":"a"}\n\n',
        b'id: 1\ndata: {"type":"a"}\n\n',
    ],
)
def test_bytes_that_are_no_frames(raw_bytes: bytes) -> None:
    with pytest.raises(StreamError):
        read_frames(raw_bytes)


def test_an_event_line_that_names_another_event() -> None:
    with pytest.raises(StreamError):
        read_events(b'event: a\ndata: {"type":"b"}\n\n')

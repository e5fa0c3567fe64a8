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

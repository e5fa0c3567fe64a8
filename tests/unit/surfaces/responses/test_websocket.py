import json
from typing import Any

import pytest
from msgspec import Raw

from freehold.core.errors import Fault, Invalid
from freehold.core.items import CustomToolCall, FunctionCall, InputText, Message, OutputText
from freehold.surfaces.responses import websocket
from freehold.surfaces.responses.objects import Created, Response, TextDelta
from freehold.surfaces.responses.websocket import LaneFrames, Steer, SteerAccepted


def create(**body: Any) -> websocket.CreateEvent:
    return websocket.read_create(json.dumps({"type": "response.create", **body}).encode())


def response(*output: Any) -> Response:
    return Response(id="resp_1", created_at=0, status="completed", model="m", output=output, reasoning={}, text={})


def test_an_event_is_asked_for_as_a_body_is() -> None:
    ask = websocket.parse_create(create(model="m", input="a", previous_response_id="resp_1", store=False))
    assert (ask.model, ask.previous, ask.keep, ask.warm) == ("m", "resp_1", False, False)
    assert ask.items == (Message(role="user", content=(InputText("a"),)),)
    assert websocket.parse_create(create(generate=False)).warm


def test_a_stream_is_all_that_there_is() -> None:
    for body in ({}, {"stream": True}, {"stream": None}, {"background": False}):
        assert websocket.parse_create(create(stream_options={"include_obfuscation": False}, **body)).items == ()
    for name, value in (("stream", False), ("background", True)):
        with pytest.raises(Fault) as refused:
            websocket.parse_create(create(**{name: value}))
        assert refused.value.param == name


@pytest.mark.parametrize("stream_id", ["", "a b", "é", "a" * 257, None, 1, "a\n"])
def test_a_stream_id_that_cannot_be(stream_id: Any) -> None:
    with pytest.raises(Invalid) as refused:
        websocket.read_head(json.dumps({"type": "response.create", "stream_id": stream_id}).encode())
    assert (refused.value.code, refused.value.param) == ("invalid_stream_id", "stream_id")


@pytest.mark.parametrize("stream_id", ["a", "A-z_0.9", "a" * 256])
def test_a_stream_id_that_can_be(stream_id: str) -> None:
    head = websocket.read_head(json.dumps({"type": "response.create", "stream_id": stream_id}).encode())
    assert head.stream_id == stream_id


def test_a_lane_numbers_its_events_without_a_gap() -> None:
    frames = LaneFrames("x")
    begun = response(OutputText("a"))
    steer = SteerAccepted(Steer("steer_1", "resp_1"))
    delta = TextDelta(0, "a", "msg_1", (), 0, 1)
    sent = [json.loads(frames(event)) for event in (Created(begun, 0), steer, delta, Created(begun, 0))]
    assert [event["sequence_number"] for event in sent] == [0, 1, 2, 0]
    assert {event["stream_id"] for event in sent} == {"x"}
    assert "stream_id" not in json.loads(LaneFrames(None)(steer))


def test_steering_comes_before_the_input_of_its_own() -> None:
    said = [Raw(b'{"role":"user","content":"first"}')]
    for own in ("last", [{"role": "user", "content": "last"}]):
        ask = websocket.parse_create(websocket.followed(create(input=own), said))
        assert [part.text for item in ask.items if isinstance(item, Message) for part in item.content] == [  # type: ignore[union-attr]
            "first",
            "last",
        ]
    assert len(websocket.parse_create(websocket.followed(create(), said)).items) == 1


def test_only_calls_need_an_answer() -> None:
    called = response(
        Message(role="assistant", content=(OutputText("a"),)),
        FunctionCall(call_id="call_1", name="look", arguments="{}"),
        CustomToolCall(call_id="call_2", name="write", input="a"),
    )
    assert websocket.required_input(called) == (
        {"type": "function_call_output", "call_id": "call_1", "name": "look"},
        {"type": "custom_tool_call_output", "call_id": "call_2"},
    )
    assert websocket.required_input(response()) == ()

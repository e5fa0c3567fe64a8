"""WebSocket mode over the script engine, in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from freehold.core.errors import Invalid
from freehold.core.principal import Principal
from freehold.http.app import App
from freehold.http.body import MOST_VALUES
from freehold.http.lanes import MOST_STEERS, MOST_STREAMS, MOST_WAITING, responses_socket
from freehold.http.websocket import SocketPath
from freehold.services.answering import Answering
from freehold.wiring import House
from tests.house import KEY, house
from tests.sockets import LAST, Json, Peer, connected
from tests.sse_checker import check_stream

Use = Callable[[House, Peer], Awaitable[None]]
STORY = " ".join(f"word{number}" for number in range(40))
TOOLS = [{"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}]


def inside(folder: Path, use: Use, **spec: object) -> None:
    async def main() -> None:
        async with house(folder, **spec) as (built, _), connected(built.app) as peer:
            await use(built, peer)

    asyncio.run(asyncio.wait_for(main(), 20))


def text_of(events: list[Json]) -> str:
    return events[-1]["response"]["output"][0]["content"][0]["text"]


def roles(items: Json) -> list[str]:
    return [item["role"] for item in items["data"]]


def test_turns_follow_each_other_and_each_is_a_whole_stream(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        for text in ("one", "two", "three"):
            events = await peer.turn(text)
            assert check_stream(events)["output"][0]["content"][0]["text"] == text
            assert "stream_id" not in events[0]

    inside(tmp_path, use)


def test_what_is_not_stored_can_be_continued_on_its_connection_only(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        first = (await peer.turn("My name is Ann.", store=False))[-1]["response"]
        second = (await peer.turn("What is it?", store=False, previous_response_id=first["id"]))[-1]["response"]
        assert second["usage"]["input_tokens"] == 4 + 4 + 3
        assert second["previous_response_id"] == first["id"]
        third = (await peer.turn("And now?", store=False, previous_response_id=second["id"]))[-1]["response"]
        assert third["usage"]["input_tokens"] == 11 + 3 + 2
        async with connected(built.app) as other:
            (error,) = await other.turn("Hm?", previous_response_id=first["id"])
            assert (error["status"], error["error"]["code"]) == (400, "previous_response_not_found")

    inside(tmp_path, use)


def test_a_stored_turn_after_turns_that_are_not_holds_them(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, client), connected(built.app) as peer:
            stored = (await peer.turn("one"))[-1]["response"]["id"]
            loose = (await peer.turn("two", store=False, previous_response_id=stored))[-1]["response"]["id"]
            kept = (await peer.turn("three", previous_response_id=loose))[-1]["response"]
            page = (await client.get(f"/responses/{kept['id']}/input_items?order=asc")).json()
            assert roles(page) == ["user", "assistant"] * 2 + ["user"]
            assert (await client.get(f"/responses/{loose}")).status_code == 404
            again = await client.post("/responses", json={"input": "four", "previous_response_id": kept["id"]})
            assert again.json()["usage"]["input_tokens"] == 7

    asyncio.run(asyncio.wait_for(main(), 20))


def test_without_generation_the_prompt_is_read_and_can_be_continued(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        events = await peer.turn("Read this first.", generate=False, store=False)
        response = check_stream(events)
        assert (response["status"], response["output"]) == ("completed", [])
        assert (response["usage"]["input_tokens"], response["usage"]["output_tokens"]) == (3, 0)
        following = await peer.turn("Now speak.", previous_response_id=response["id"])
        assert following[-1]["response"]["usage"]["input_tokens"] == 5

    inside(tmp_path, use)


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        (b"{", None, None),
        (b"\xff\xfe", None, None),
        (b'{"a":' * 5000, None, None),
        (b"[]", "invalid_type", None),
        (b"{}", "missing_required_parameter", "type"),
        (b'{"type": 1}', "invalid_value", "type"),
        (b'{"type": "response.cancel"}', "invalid_value", "type"),
        (b'{"type": "response.create", "wish": 1}', "unknown_parameter", "wish"),
        (b'{"type": "response.create", "generate": 1}', "invalid_type", "generate"),
        (b'{"type": "response.create", "input": 1}', "invalid_type", "input"),
        (b'{"type": "response.create", "input": "a", "stream": false}', "unsupported_value", "stream"),
        (b'{"type": "response.create", "input": "a", "background": true}', "unsupported_value", "background"),
        (b'{"type": "response.create", "input": "a", "stream_id": ""}', "invalid_stream_id", "stream_id"),
        (b'{"type": "response.create", "input": "a", "stream_id": null}', "invalid_stream_id", "stream_id"),
        (b'{"type": "response.create", "input": "a", "stream_id": "a b"}', "invalid_stream_id", "stream_id"),
        (b'{"type": "response.create", "model": "nope", "input": "a"}', "model_not_found", "model"),
        (b'{"type": "response.steer", "input": "a"}', "missing_required_parameter", "previous_response_id"),
    ],
)
def test_a_wrong_message_is_answered_and_the_connection_goes_on(
    tmp_path: Path, message: bytes, code: str | None, param: str | None
) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.send_raw(message)
        answer = await peer.event()
        assert (answer["type"], answer["status"]) == ("error", 400)
        error = answer["error"]
        assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
        assert error["message"]
        assert text_of(await peer.turn("still here")) == "still here"

    inside(tmp_path, use)


def test_events_may_come_as_binary_and_name_a_stream(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.send_raw(b'{"type": "response.create", "input": "a b", "stream": true, "stream_id": "x-1"}')
        events = await peer.until(*LAST)
        assert {event["stream_id"] for event in events} == {"x-1"}
        assert text_of(events) == "a b"
        (error,) = await peer.turn("c", stream_id="x-1", temperature=9)
        assert (error["stream_id"], error["error"]["param"]) == ("x-1", "temperature")

    inside(tmp_path, use)


def test_one_lane_is_in_order_and_lanes_run_side_by_side(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        for text, more in (("a a a a a a", {}), ("b", {}), ("c", {"stream_id": "other"})):
            peer.create(text, **more)
        ended: list[str] = []
        lanes: dict[str | None, list[Json]] = {None: [], "other": []}
        while len(ended) < 3:
            event = await peer.event()
            lanes[event.pop("stream_id", None)].append(event)
            if event["type"] == "response.completed":
                ended.append(text_of([event]))
        assert ended == ["c", "a a a a a a", "b"]
        check_stream(lanes["other"])
        starts = [place for place, event in enumerate(lanes[None]) if event["type"] == "response.created"]
        check_stream(lanes[None][: starts[1]])
        check_stream(lanes[None][starts[1] :])

    inside(tmp_path, use, rate=50)


def test_lanes_and_waiting_responses_are_bounded(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        for number in range(MOST_STREAMS):
            await peer.turn("a", stream_id=f"s{number}")
        (error,) = await peer.turn("a", stream_id="one-more")
        assert (error["stream_id"], error["error"]["code"]) == ("one-more", "websocket_stream_limit_reached")
        assert text_of(await peer.turn("a")) == "a"
        for _ in range(MOST_WAITING + 2):
            peer.create("word " * 20)
        (*_, full) = await peer.until("error")
        assert (full["status"], full["error"]["code"]) == (429, "websocket_queue_full")
        assert full["error"]["headers"]["retry-after"] == "1"

    inside(tmp_path, use, rate=20)


def test_a_client_that_leaves_stops_what_is_made_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, rate=5) as (built, client):
            async with connected(built.app) as peer:
                peer.create(STORY)
                peer.create(STORY, stream_id="b")
                peer.create(STORY, stream_id="b")
                while len(built.running) < 2:
                    await peer.event()
            assert len(built.running) == 0
            answer = await client.post("/responses", json={"input": "hi"})
            assert answer.headers["x-ratelimit-remaining-requests"] == answer.headers["x-ratelimit-limit-requests"]

    asyncio.run(asyncio.wait_for(main(), 5))


def test_a_failing_engine_ends_its_response_and_not_the_connection(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        events = await peer.turn("!crash after 2", store=False)
        assert events[-1]["type"] == "response.failed"
        (error,) = await peer.turn("go on", previous_response_id=events[-1]["response"]["id"])
        assert error["error"]["code"] == "previous_response_not_found"
        assert text_of(await peer.turn("still here")) == "still here"

    inside(tmp_path, use)


def test_a_server_that_stops_finishes_what_runs_and_refuses_what_waits(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.create("a b c d")
        peer.create("later")
        await peer.until("response.in_progress")
        built.app.draining = True
        *_, done = await peer.until(*LAST)
        assert done["type"] == "response.completed"
        refused = await peer.event()
        assert (refused["status"], refused["error"]["code"]) == (503, "server_overloaded")
        assert refused["error"]["headers"] == {"retry-after": "2", "retry-after-ms": "2000"}

    inside(tmp_path, use, rate=50)


def test_a_key_that_is_revoked_meanwhile_makes_nothing_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, _):
            row, secret = await built.keys.create("short")
            async with connected(built.app, secret) as peer:
                assert text_of(await peer.turn("hi")) == "hi"
                await built.keys.revoke(row.id)
                (error,) = await peer.turn("hi")
                assert (error["status"], error["error"]["code"]) == (401, "invalid_api_key")

    asyncio.run(asyncio.wait_for(main(), 20))


class Broken:
    """Has a bug."""

    async def prepare(self, who: Principal, surface: object, body: object, recent: object) -> None:
        raise RuntimeError("a bug")


def test_a_bug_is_told_as_an_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async def anyone(secret: str | None) -> Principal:
        return Principal("default", "key_1")

    async def main() -> None:
        handler = responses_socket(cast(Answering, Broken()), str, 1024)
        app = App([], [SocketPath("/v1/responses", handler)], anyone, str)
        async with connected(app) as peer:
            for _ in range(2):
                (error,) = await peer.turn("a", stream_id="x")
                assert (error["status"], error["error"]["type"]) == (500, "server_error")

    asyncio.run(asyncio.wait_for(main(), 20))
    assert "a bug" in caplog.text


class Unhurried:
    """Answers nobody, and takes until `done` to say so."""

    def __init__(self) -> None:
        self.asked, self.done = asyncio.Event(), asyncio.Event()

    async def prepare(self, who: Principal, surface: object, body: object, recent: object) -> None:
        self.asked.set()
        await self.done.wait()
        raise Invalid("No.", "nothing_today")


def test_a_connection_ends_after_its_time_when_nothing_runs_any_more() -> None:
    async def anyone(secret: str | None) -> Principal:
        return Principal("default", "key_1")

    async def main() -> None:
        answering = Unhurried()
        handler = responses_socket(cast(Answering, answering), str, 1024, life=0.05)
        app = App([], [SocketPath("/v1/responses", handler)], anyone, str)
        async with connected(app) as peer:
            peer.create("under way")
            peer.create("waiting")
            await answering.asked.wait()
            await asyncio.sleep(0.1)
            answering.done.set()
            codes = [(await peer.event())["error"]["code"] for _ in range(3)]
            assert codes == ["nothing_today", *["websocket_connection_limit_reached"] * 2]
            assert await peer.closed() == 1001

    asyncio.run(asyncio.wait_for(main(), 20))


def steer(response_id: str, said: Any, **more: Any) -> Json:
    return {"type": "response.steer", "previous_response_id": response_id, "input": said, **more}


def test_steering_begins_the_next_response_with_the_settings_of_this_one(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.create("a b c", store=False, stream_id="x", metadata={"k": "v"}, instructions="Be kind.")
        created, *_ = await peer.until("response.created")
        first = created["response"]["id"]
        peer.send(steer(first, "d e"))
        peer.send(steer(first, [{"role": "user", "content": [{"type": "input_text", "text": "f"}]}]))
        events = [created, *await peer.until("response.completed")]
        accepted = [event["steer"] for event in events if event["type"] == "response.steer.accepted"]
        assert [one["previous_response_id"] for one in accepted] == [first, first]
        assert accepted[0]["id"].startswith("steer_") and accepted[0]["id"] != accepted[1]["id"]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        following = await peer.until("response.completed")
        response = check_stream([{k: v for k, v in event.items() if k != "stream_id"} for event in following])
        assert response["previous_response_id"] == first
        assert (response["metadata"], response["instructions"]) == ({"k": "v"}, "Be kind.")
        assert response["usage"]["input_tokens"] == 2 + 3 + 3 + 2 + 1
        assert text_of(following) == "f"

    inside(tmp_path, use, rate=50)


def test_steering_waits_for_the_answers_to_calls(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.create('!call look {"a": 1}', tools=TOOLS)
        created, *_ = await peer.until("response.created")
        first = created["response"]["id"]
        peer.send(steer(first, "and be brief"))
        *_, done = await peer.until("response.completed")
        call = done["response"]["output"][0]
        pending = await peer.event()
        assert (pending["type"], pending["reason"]) == ("response.steer.pending", "waiting_for_required_input")
        stub = {"type": "function_call_output", "call_id": call["call_id"], "name": "look"}
        assert pending["required_input"] == [stub]
        assert pending["sequence_number"] == done["sequence_number"] + 1
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}
        events = await peer.turn("", input=[result], previous_response_id=first, metadata={"own": "settings"})
        response = events[-1]["response"]
        assert response["metadata"] == {"own": "settings"}
        assert text_of(events) == "and be brief"
        (*_, again) = await peer.turn("", input=[result], previous_response_id=first)
        assert again["response"]["usage"]["input_tokens"] == response["usage"]["input_tokens"] - 3

    inside(tmp_path, use, rate=20)


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ([], {}),
        (1, {}),
        ([{"role": "system", "content": "a"}], {}),
        ([{"role": "user", "content": "a", "id": "msg_1"}], {}),
        ([{"role": "user", "content": [{"type": "output_text", "text": "a"}]}], {}),
        ([{"type": "function_call_output", "call_id": "c", "output": "a"}], {}),
        ("a", {"stream_id": "x"}),
    ],
)
def test_steering_that_is_none_is_given_back(tmp_path: Path, said: Any, more: Json) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.create("a b c d")
        created, *_ = await peer.until("response.created")
        first = created["response"]["id"]
        peer.send(steer(first, said, **more))
        *_, failed = await peer.until("response.steer.failed")
        assert failed["steer"] == {"input": said, "previous_response_id": first}
        assert (failed["error"]["code"], failed["error"]["type"]) == ("invalid_input", "invalid_request_error")
        *_, last = await peer.until("response.completed")
        assert last["response"]["id"] == first
        assert text_of(await peer.turn("next")) == "next"

    inside(tmp_path, use, rate=50)


def test_steering_needs_a_response_under_way_that_can_be_steered(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        async def refusal(response_id: str) -> str:
            peer.send(steer(response_id, "b"))
            return (await peer.until("response.steer.failed"))[-1]["error"]["code"]

        assert await refusal("resp_nowhere") == "response_not_found"
        ended = (await peer.turn("a"))[-1]["response"]["id"]
        assert await refusal(ended) == "response_already_completed"
        peer.create(STORY, context_management=[{"type": "compaction"}], stream_id="x")
        *_, created = await peer.until("response.created")
        assert await refusal(created["response"]["id"]) == "steering_not_supported"
        peer.create(STORY, stream_id="y")
        *_, created = await peer.until("response.created")
        for _ in range(MOST_STEERS):
            peer.send(steer(created["response"]["id"], "more"))
        assert await refusal(created["response"]["id"]) == "too_many_pending_steers"

    inside(tmp_path, use, rate=50)


def test_steering_of_a_response_that_breaks_is_given_back(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.create("!crash after 3")
        created, *_ = await peer.until("response.created")
        peer.send(steer(created["response"]["id"], "b"))
        await peer.until("response.failed")
        failed = await peer.event()
        assert (failed["type"], failed["error"]["code"]) == ("response.steer.failed", "response_not_active")
        assert failed["steer"]["id"].startswith("steer_") and failed["steer"]["input"] == "b"

    inside(tmp_path, use, rate=50)


def test_steering_whose_response_cannot_be_made_is_given_back(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.create("a b c")
        created, *_ = await peer.until("response.created")
        peer.send(steer(created["response"]["id"], "word " * 40_000))
        await peer.until("response.completed")
        failed = await peer.event()
        assert (failed["type"], failed["error"]["code"]) == ("response.steer.failed", "successor_creation_failed")
        assert "maximum context length" in failed["error"]["message"]

    inside(tmp_path, use, rate=50)


def test_the_upgrade_is_refused_as_any_request_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path) as (built, _):
            cases = [
                ("sk-wrong-0123456789", "/v1/responses", 401, "invalid_api_key"),
                (None, "/v1/responses", 401, None),
                (KEY, "/v1/models", 404, "unknown_url"),
            ]
            for key, path, status, code in cases:
                async with connected(built.app, key, path) as peer:
                    assert (peer.answer["type"], peer.answer["status"]) == ("websocket.http.response.start", status)
                    assert b"x-request-id" in dict(peer.answer["headers"])
                    assert (await peer.refusal())["error"]["code"] == code
            built.app.draining = True
            async with connected(built.app) as peer:
                assert peer.answer["status"] == 503

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_message_of_too_many_values_is_not_read(tmp_path: Path) -> None:
    async def use(built: House, peer: Peer) -> None:
        peer.send_raw(b'{"type":"response.create","input":[' + b"{}," * MOST_VALUES + b"{}]}")
        answer = await peer.event()
        assert (answer["status"], answer["error"]["code"]) == (413, "request_too_large")
        assert text_of(await peer.turn("still here")) == "still here"

    inside(tmp_path, use)

"""WebSocket mode through the official client: every event is one that the SDK's types know."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets
from openai import AsyncOpenAI, OpenAI
from openai.resources.responses.responses import ResponsesConnection
from openai.types.responses import ResponsesServerEvent
from pydantic import TypeAdapter
from websockets.sync.client import connect

from tests.servers import Server, http_client, running_server, strict_client
from tests.sse_checker import check_stream

LAST = ("response.completed", "response.incomplete", "response.failed", "error")
KNOWN: TypeAdapter[Any] = TypeAdapter(ResponsesServerEvent)
pytestmark = pytest.mark.filterwarnings(  # the SDK connects in a way that newer versions of the library advise against
    r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"
)
STORY = " ".join(f"word{number}" for number in range(200))


def known(event: Any) -> dict[str, Any]:
    """The event as JSON. Raises where it is none of the SDK's types."""
    found = event.to_dict()
    KNOWN.validate_python(found, strict=True)
    return found


def until_last(connection: ResponsesConnection) -> list[dict[str, Any]]:
    events = [known(connection.recv())]
    while events[-1]["type"] not in LAST:
        events.append(known(connection.recv()))
    return events


@pytest.fixture
def connection(client: OpenAI) -> Iterator[ResponsesConnection]:
    with client.responses.connect() as opened:
        yield opened


def test_turns_that_are_not_stored_continue_each_other(client: OpenAI, connection: ResponsesConnection) -> None:
    connection.response.create(model="gpt-5", input="My name is Ann.", store=False)
    first = check_stream(until_last(connection))
    connection.response.create(model="gpt-5", input="Hm?", store=False, previous_response_id=first["id"])
    second = check_stream(until_last(connection))
    connection.response.create(model="gpt-5", input="Keep this.", previous_response_id=second["id"])
    third = check_stream(until_last(connection))
    counts = [one["usage"]["input_tokens"] for one in (first, second, third)]
    assert counts == [4, 9, 12]
    assert client.responses.retrieve(third["id"]).output_text == "Keep this."
    over_http = client.responses.create(model="gpt-5", input="More.", previous_response_id=third["id"])
    assert over_http.usage and over_http.usage.input_tokens == 15


def test_a_stored_response_of_http_goes_on_here(client: OpenAI, connection: ResponsesConnection) -> None:
    first = client.responses.create(model="gpt-5", input="one two")
    connection.response.create(model="gpt-5", input="three", previous_response_id=first.id)
    assert check_stream(until_last(connection))["usage"]["input_tokens"] == 5


def test_an_error_leaves_the_connection_as_it_was(connection: ResponsesConnection) -> None:
    connection.response.create(model="gpt-5", input="one", temperature=9)
    (error,) = until_last(connection)
    assert (error["status"], error["error"]["param"]) == (400, "temperature")
    connection.send_raw("{not json")
    assert "could not parse" in known(connection.recv())["error"]["message"]
    connection.response.create(model="gpt-5", input="two")
    assert check_stream(until_last(connection))["output"][0]["content"][0]["text"] == "two"


def test_steering_is_followed(slow_server: Server) -> None:
    with strict_client(slow_server) as client, client.responses.connect() as connection:
        connection.response.create(model="gpt-5", input="one two three four five", stream_id="lane")
        created = connection.recv()
        assert created.type == "response.created"
        connection.response.steer(input="six", previous_response_id=created.response.id)
        events = until_last(connection)
        assert "response.steer.accepted" in [event["type"] for event in events]
        following = until_last(connection)
        assert following[-1]["response"]["previous_response_id"] == created.response.id
        assert {event["stream_id"] for event in events + following} == {"lane"}
        connection.response.steer(input="six", previous_response_id="resp_nowhere")
        assert known(connection.recv())["error"]["code"] == "response_not_found"


def test_the_asynchronous_client(server: Server) -> None:
    async def main() -> None:
        async with AsyncOpenAI(base_url=server.base_url, api_key=server.key, max_retries=0) as client:
            async with client.responses.connect() as connection:
                lanes: dict[str | None, list[dict[str, Any]]] = {"a": [], "b": []}
                for lane in lanes:
                    await connection.response.create(model="gpt-5", input=f"I am {lane}", stream_id=str(lane))
                async for event in connection:
                    found = known(event)
                    lanes[found.pop("stream_id")].append(found)
                    if all(events and events[-1]["type"] in LAST for events in lanes.values()):
                        break
            for lane, events in lanes.items():
                assert check_stream(events)["output"][0]["content"][0]["text"] == f"I am {lane}"

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_wrong_key_is_a_401_before_the_upgrade(server: Server) -> None:
    with OpenAI(base_url=server.base_url, api_key="sk-wrong-0123456789", max_retries=0) as client:
        with pytest.raises(websockets.InvalidStatus) as refused, client.responses.connect():
            pass
        assert refused.value.response.status_code == 401
        assert b"invalid_api_key" in refused.value.response.body
    assert "without completing" not in server.log.read_text()


def test_a_message_over_the_limit_ends_the_connection_with_1009(server: Server) -> None:
    headers = {"authorization": f"Bearer {server.key}"}
    url = server.base_url.replace("http", "ws") + "/responses"
    with connect(url, additional_headers=headers, compression="deflate", proxy=None) as raw:
        assert raw.protocol.extensions == []
        # The head of a masked text frame: its length is enough.
        raw.socket.sendall(b"\x81\xff" + (64 * 2**20 + 1).to_bytes(8, "big") + b"mask")
        with pytest.raises(websockets.ConnectionClosedError) as ended:
            raw.recv(timeout=20)
        assert ended.value.rcvd is not None and ended.value.rcvd.code == 1009


def test_a_client_that_dies_frees_the_engine_at_once(slow_server: Server) -> None:
    with (
        http_client(slow_server) as raw,
        strict_client(slow_server) as client,
        client.responses.connect() as connection,
    ):
        for lane in ("a", "b"):
            connection.response.create(model="gpt-5", input=STORY, stream_id=lane)
        while connection.recv().type != "response.output_text.delta":
            pass
        assert _running(raw) == 2
        connection._connection.socket.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 2
        while (running := _running(raw)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert running == 0


def _running(raw: httpx2.Client) -> int:
    """How many answers the engine works on, beside the one that asks."""
    headers = raw.post("/responses", json={"input": "a"}).headers
    return int(headers["x-ratelimit-limit-requests"]) - int(headers["x-ratelimit-remaining-requests"])


def test_sigterm_lets_a_response_finish_and_closes_with_1012(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, "--engine", "script", "--script-rate", "20") as server,
        strict_client(server) as client,
    ):
        with client.responses.connect() as idle, client.responses.connect() as connection:
            connection.response.create(model="gpt-5", input=" ".join(STORY.split()[:30]))
            assert connection.recv().type == "response.created"
            server.signal(signal.SIGTERM)
            time.sleep(0.2)
            connection.response.create(model="gpt-5", input="too late", stream_id="other")
            events = until_last(connection)
            refused = next(event for event in events if event["type"] == "error")
            assert (refused["status"], refused["stream_id"]) == (503, "other")
            assert until_last(connection)[-1]["type"] == "response.completed"
            for one in (connection, idle):
                with pytest.raises(websockets.ConnectionClosed) as ended:
                    one.recv()
                assert ended.value.rcvd is not None and ended.value.rcvd.code == 1012
        assert server.exit_code() == 0

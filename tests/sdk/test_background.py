"""Background responses with the official client: created, polled, streamed, resumed, cancelled."""

import time

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from tests.servers import Server, http_client, strict_client
from tests.sse_checker import check_stream, read_events

MANY = " ".join(f"word{number}" for number in range(200))
SECONDS = 20.0


def ended(client: OpenAI, response: Response) -> Response:
    """Poll until the response has ended."""
    deadline = time.monotonic() + SECONDS
    while response.status in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
        response = client.responses.retrieve(response.id)
    return response


def test_created_and_polled(client: OpenAI) -> None:
    created = client.responses.create(model="gpt-5", input="Hello there", background=True, metadata={"a": "b"})
    assert (created.status, created.background, created.output, created.metadata) == ("queued", True, [], {"a": "b"})
    done = ended(client, created)
    assert (done.status, done.output_text, done.background) == ("completed", "Hello there", True)
    assert done.usage is not None and done.usage.output_tokens == 2
    following = client.responses.create(model="gpt-5", input="And?", previous_response_id=done.id)
    listed = client.responses.input_items.list(following.id, order="asc")
    assert [item.type for item in listed] == ["message"] * 3


def test_a_stream_is_that_of_a_response_that_is_waited_for(client: OpenAI) -> None:
    waited = list(client.responses.create(model="gpt-5", input="one two three", stream=True))
    events = list(client.responses.create(model="gpt-5", input="one two three", stream=True, background=True))
    assert [one.type for one in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert [one.type for one in events[2:]] == [one.type for one in waited[1:]]
    assert [one.sequence_number for one in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    assert client.responses.retrieve(events[-1].response.id) == events[-1].response


def test_a_client_that_leaves_comes_back_where_it_was(slow_server: Server) -> None:
    with strict_client(slow_server) as client:
        seen = []
        with client.responses.create(model="gpt-5", input=MANY[:200], stream=True, background=True) as stream:
            for event in stream:
                seen.append(event)
                if event.type == "response.output_text.delta" and len(seen) > 6:
                    break
        first = seen[0]
        assert first.type == "response.created"
        seen += client.responses.retrieve(first.response.id, stream=True, starting_after=seen[-1].sequence_number)
        assert [one.sequence_number for one in seen] == list(range(len(seen)))
        text = "".join(one.delta for one in seen if one.type == "response.output_text.delta")
        assert text == MANY[:200] == client.responses.retrieve(first.response.id).output_text
        assert list(client.responses.retrieve(first.response.id, stream=True)) == seen


def test_every_follower_reads_the_same_bytes(slow_server: Server) -> None:
    with strict_client(slow_server) as client, http_client(slow_server) as raw:
        created = client.responses.create(model="gpt-5", input=MANY[:100], background=True)
        path = f"/responses/{created.id}"
        live = raw.get(path, params={"stream": "true"}).content
        after = raw.get(path, params={"stream": "true"}).content
        bare = raw.get(path, params={"stream": "true", "include_obfuscation": "false"}).content
        final = check_stream(read_events(live))
        assert after == live
        assert check_stream(read_events(bare)) == final == raw.get(path).json()
        assert b"obfuscation" in live and b"obfuscation" not in bare
        assert raw.get(path, params={"stream": "true", "starting_after": "10000"}).content == b""


def test_cancelled_while_it_runs(slow_server: Server) -> None:
    with strict_client(slow_server) as client:
        stream = client.responses.create(model="gpt-5", input=MANY, stream=True, background=True)
        events = [next(stream) for _ in range(8)]
        first = events[0]
        assert first.type == "response.created"
        start = time.monotonic()
        cancelled = client.responses.cancel(first.response.id)
        assert time.monotonic() - start < 1.0
        assert cancelled.status == "cancelled" and cancelled.output_text
        events += stream
        assert events[-1].type == "response.incomplete" and events[-1].response == cancelled
        assert client.responses.cancel(first.response.id) == cancelled == client.responses.retrieve(first.response.id)


def test_cancelled_while_it_is_queued(slow_server: Server) -> None:
    with strict_client(slow_server) as client:
        running = [client.responses.create(model="gpt-5", input=MANY, background=True) for _ in range(8)]
        time.sleep(1.0)
        queued = client.responses.create(model="gpt-5", input="Hello", background=True)
        time.sleep(0.2)
        assert client.responses.retrieve(queued.id).status == "queued"
        cancelled = client.responses.cancel(queued.id)
        assert (cancelled.status, cancelled.output) == ("cancelled", [])
        assert {client.responses.cancel(one.id).status for one in running} == {"cancelled"}


def test_deleted_while_it_runs(slow_server: Server) -> None:
    with strict_client(slow_server) as client:
        created = client.responses.create(model="gpt-5", input=MANY, background=True)
        client.responses.delete(created.id)
        for call in (client.responses.retrieve, client.responses.cancel):
            with pytest.raises(openai.NotFoundError):
                call(created.id)


def test_a_stranger_sees_nothing_of_it(client: OpenAI, stranger: OpenAI) -> None:
    created = client.responses.create(model="gpt-5", input="Hello", background=True)
    for call in (stranger.responses.retrieve, stranger.responses.cancel, stranger.responses.delete):
        with pytest.raises(openai.NotFoundError):
            call(created.id)
    with pytest.raises(openai.NotFoundError):
        stranger.responses.retrieve(created.id, stream=True)
    assert ended(client, created).status == "completed"


def test_one_that_has_not_ended_cannot_be_continued(slow_server: Server) -> None:
    with strict_client(slow_server) as client:
        created = client.responses.create(model="gpt-5", input=MANY, background=True)
        with pytest.raises(openai.ConflictError) as caught:
            client.responses.create(model="gpt-5", input="And?", previous_response_id=created.id)
        assert caught.value.param == "previous_response_id"
        client.responses.cancel(created.id)

"""What survives the server's end, and how it ends: restart, kill -9, SIGTERM while a stream runs."""

import signal
import time
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from tests.servers import Server, running_server, strict_client
from tests.sse_checker import StreamChecker

SCRIPT = ("--engine", "script")


def test_a_restart_keeps_what_was_stored(tmp_path: Path) -> None:
    with running_server(tmp_path, *SCRIPT) as server, strict_client(server) as client:
        first = client.responses.create(model="gpt-5", input="Remember me.")
    assert server.process.returncode == 0
    with running_server(tmp_path, *SCRIPT) as server, strict_client(server) as client:
        assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
        second = client.responses.create(model="gpt-5", input="And me.", previous_response_id=first.id)
        assert [item.role for item in client.responses.input_items.list(second.id)] == ["user", "assistant", "user"]


def test_kill_9_keeps_what_was_answered(tmp_path: Path) -> None:
    with running_server(tmp_path, *SCRIPT, "--script-rate", "50") as server, strict_client(server) as client:
        stored = [client.responses.create(model="gpt-5", input=f"number {number}") for number in range(5)]
        with client.responses.create(model="gpt-5", input="word " * 500, stream=True) as stream:
            created = next(iter(stream))
            assert created.type == "response.created"
            server.signal(signal.SIGKILL)
            assert server.exit_code() == -signal.SIGKILL
            with pytest.raises(openai.APIConnectionError):
                list(stream)
    with running_server(tmp_path, *SCRIPT) as server, strict_client(server) as client:
        assert [client.responses.retrieve(one.id).to_dict() for one in stored] == [one.to_dict() for one in stored]
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(created.response.id)


def test_kill_9_keeps_the_turns_of_a_conversation(tmp_path: Path) -> None:
    with running_server(tmp_path, *SCRIPT, "--script-rate", "50") as server, strict_client(server) as client:
        conversation = client.conversations.create(metadata={"topic": "kills"})
        client.responses.create(model="gpt-5", input="one", conversation=conversation.id, store=False)
        completion = client.chat.completions.create(
            model="gpt-5", store=True, messages=[{"role": "user", "content": "two"}]
        )
        with client.responses.create(
            model="gpt-5", input="word " * 500, conversation=conversation.id, stream=True
        ) as stream:
            assert next(iter(stream)).type == "response.created"
            server.signal(signal.SIGKILL)
            assert server.exit_code() == -signal.SIGKILL
            with pytest.raises(openai.APIConnectionError):
                list(stream)
    with running_server(tmp_path, *SCRIPT) as server, strict_client(server) as client:
        assert client.conversations.retrieve(conversation.id) == conversation
        items = list(client.conversations.items.list(conversation.id, order="asc"))
        assert [item.role for item in items if item.type == "message"] == ["user", "assistant"]
        assert client.chat.completions.retrieve(completion.id).choices[0].message.content == "two"
        client.responses.create(model="gpt-5", input="three", conversation=conversation.id)
        assert len(list(client.conversations.items.list(conversation.id))) == 4


def test_sigterm_lets_a_stream_finish_and_refuses_new_requests(tmp_path: Path) -> None:
    story = " ".join(f"word{number}" for number in range(60))
    with running_server(tmp_path, *SCRIPT, "--script-rate", "20") as server, strict_client(server) as client:
        checker = StreamChecker()
        with client.responses.create(model="gpt-5", input=story, stream=True) as stream:
            for event in stream:
                checker.push(event.to_dict())
                if event.type == "response.content_part.added":
                    server.signal(signal.SIGTERM)
                    refused = _refusal(server)
        assert checker.finish()["output"][0]["content"][0]["text"] == story
        assert refused.status_code == 503
        assert "shutting down" in refused.message
        assert float(refused.response.headers["retry-after"]) > 0
        assert server.exit_code() == 0


def _refusal(server: Server) -> openai.InternalServerError:
    """The first refusal of a new request; the server needs a moment to notice the signal."""
    with OpenAI(base_url=server.base_url, api_key=server.key, max_retries=0) as newcomer:
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            try:
                newcomer.models.list()
            except openai.InternalServerError as refused:
                return refused
    raise AssertionError("new requests are still taken 2 s after SIGTERM")

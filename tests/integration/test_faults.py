"""Engines that die and clients that vanish: each is felt only by whom it concerns, and nothing has to be restarted."""

import json
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from openai import OpenAI
from openai.types.responses import ResponseCompletedEvent, ResponseFailedEvent

from tests.servers import KEY, Server, running_server, strict_client

WORKER = "freehold.engines.worker.host"
ONE_SLOT = """
[[engines]]
name = "slow"
kind = "script"
models = ["slow"]
slots = 1
rate = 2.0

[[engines]]
name = "quick"
kind = "script"
models = ["quick"]
"""
TWO_ENGINES = """
[[engines]]
name = "local"
kind = "{kind}"
models = ["{model}"]
slots = 4

[[engines]]
name = "other"
kind = "script"
models = ["other"]
rate = 20.0
"""


@contextmanager
def serving(folder: Path, config: str) -> Iterator[tuple[Server, OpenAI]]:
    """A server with these settings, and a client of it."""
    file = folder / "freehold.toml"
    file.write_text(config)
    with running_server(folder, "--config", str(file)) as server, strict_client(server) as client:
        yield server, client


def connect(server: Server, buffer: int | None = None) -> socket.socket:
    """A bare connection; with a `buffer`, its kernel takes about that many bytes before they are read."""
    host, _, port = server.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    connection = socket.socket()
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(60)
    connection.connect((host, int(port)))
    return connection


def request(model: str, text: str) -> bytes:
    """A streamed chat request as it stands on the wire."""
    asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": text}]}
    body = json.dumps(asked).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def chat(client: OpenAI, model: str, text: str, **more: Any) -> str:
    """What is answered."""
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)
    return answer.choices[0].message.content or ""


def until_said(connection: socket.socket) -> None:
    """Read until the model has said something."""
    read = b""
    while b'"content":"word' not in read:
        read += (more := connection.recv(65_536))
        assert more, read


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["llama", "openvino"])
def test_a_killed_engine_ends_its_own_answers_only_and_comes_back(smollm2: Path, tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, TWO_ENGINES.format(kind=kind, model=smollm2)) as (server, client):
        name = smollm2.stem
        words = "word " * 60
        untouched = client.responses.create(model="other", input=words, stream=True)
        told = client.responses.create(model=name, input="Count to 9999.", max_output_tokens=2000, stream=True)
        chunks = client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": "Count to 9999."}], max_tokens=2000, stream=True
        )
        next(iter(untouched))
        next(event for event in told if event.type == "response.output_text.delta")
        next(chunk for chunk in chunks if chunk.choices[0].delta.content)
        (worker,) = (one for one in psutil.Process(server.process.pid).children() if WORKER in one.cmdline())
        os.kill(worker.pid, signal.SIGKILL)
        last = list(told)[-1]
        assert isinstance(last, ResponseFailedEvent)
        assert last.response.error is not None
        assert last.response.error.code == "server_error"
        with pytest.raises(openai.APIError, match="ended in the middle of the request") as failed:
            list(chunks)
        assert failed.value.type == "server_error"
        end = list(untouched)[-1]
        assert isinstance(end, ResponseCompletedEvent)
        assert end.response.output_text.split() == words.split()
        assert chat(client.with_options(max_retries=10), name, "Say hello.", max_tokens=8)
        assert client.responses.retrieve(last.response.id).status == "failed"


def test_who_reads_nothing_holds_nobody_up_and_misses_nothing(tmp_path: Path) -> None:
    words = " ".join(f"word{number}" for number in range(16_000))
    with serving(tmp_path, ONE_SLOT) as (server, client), connect(server, 4096) as lazy:
        lazy.sendall(request("quick", words))
        until_said(lazy)
        for number in range(20):
            assert chat(client, "quick", f"number {number}") == f"number {number}"
        read = b""
        while more := lazy.recv(1 << 20):
            read += more
        assert b"word15999" in read
        assert read.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def reset(connection: socket.socket) -> None:
    """Be gone as a process is that was killed: the connection is reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_close(connection: socket.socket) -> None:
    """Say that nothing more will be said, and stay."""
    connection.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [socket.socket.close, reset, half_close])
def test_the_slot_of_a_client_that_leaves_is_free_at_once(
    tmp_path: Path, leave: Callable[[socket.socket], None]
) -> None:
    with serving(tmp_path, ONE_SLOT) as (server, client), connect(server) as leaving, connect(server) as queued:
        leaving.sendall(request("slow", "word " * 10_000))
        until_said(leaving)
        queued.sendall(request("slow", "word " * 10_000))
        leave(leaving)
        until_said(queued)
        leave(queued)
        assert chat(client, "slow", "still there") == "still there"


def test_connections_that_stop_half_way_hold_nobody_up(tmp_path: Path) -> None:
    whole = request("quick", "never sent")
    with serving(tmp_path, ONE_SLOT) as (server, client):
        silent = [connect(server) for _ in range(200)]
        for number, connection in enumerate(silent):
            connection.sendall(whole[: number * len(whole) // 200])
        for number in range(20):
            assert chat(client, "quick", f"number {number}") == f"number {number}"
        for connection in silent:
            connection.close()
        assert chat(client, "quick", "still there") == "still there"

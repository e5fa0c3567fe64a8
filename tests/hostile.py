"""Requests that are made to break a server, what each may cost it, and what every answer to one must be."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import psutil

from tests.servers import Server

SECONDS = 10.0
MEGABYTES = 300.0
FIELDS = {"message", "type", "param", "code"}
LONGEST_FAULT = 10_000
_EVERY_SECONDS = 0.02

Json = dict[str, Any]
Ask = tuple[str, Json | bytes]
Answer = tuple[int, Json | None]


class Cost:
    """`seconds` that passed, and by how many `megabytes` the processes grew at their largest."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.megabytes = 0.0


@contextmanager
def watched(pid: int) -> Iterator[Cost]:
    """Measure a process and those that it starts while the block runs; complete when it has ended."""
    process, cost, over = psutil.Process(pid), Cost(), threading.Event()
    before, started = _resident(process), time.monotonic()

    def look() -> None:
        while not over.wait(_EVERY_SECONDS):
            cost.megabytes = max(cost.megabytes, (_resident(process) - before) / 1e6)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield cost
    finally:
        cost.seconds = time.monotonic() - started
        over.set()
        looking.join()


def post(server: Server, client: httpx2.Client, asked: Ask) -> Answer:
    """Send a body and hold the answer to what every answer must be; return the status, and the error if any."""
    path, body = asked
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with within_bounds(server):
        answer = client.post(path, content=content, headers={"content-type": "application/json"})
    assert client.get("/models/script").status_code == 200
    assert answer.headers["content-type"] == "application/json"
    if answer.status_code == 200:
        return 200, None
    error = answer.json()["error"]
    assert answer.status_code in (400, 404, 413), answer.text
    assert error.keys() == FIELDS
    assert error["message"] and error["type"] == "invalid_request_error"
    assert len(answer.content) < LONGEST_FAULT
    return answer.status_code, error


@contextmanager
def within_bounds(server: Server) -> Iterator[None]:
    """Check that the block takes no more than SECONDS, and the server no more than MEGABYTES for it."""
    with watched(server.process.pid) as cost:
        yield
    assert cost.seconds < SECONDS
    assert cost.megabytes < MEGABYTES


def check_log(server: Server) -> None:
    """Check that nothing went wrong that the server did not expect."""
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def response(**more: Any) -> Ask:
    """A request for a response."""
    return "/responses", {"input": "x"} | more


def chat(**more: Any) -> Ask:
    """A request for a chat completion."""
    return "/chat/completions", {"model": "gpt-5", "messages": [{"role": "user", "content": "x"}]} | more


def said(*parts: Any, **more: Any) -> Ask:
    """A request for a response to a message of several parts."""
    return response(input=[{"role": "user", "content": list(parts), **more}])


def image(url: str) -> Ask:
    """A request for a response to an image."""
    return said({"type": "input_image", "image_url": url})


def _resident(process: psutil.Process) -> int:
    """The resident memory of a process and its children, in bytes."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total

"""Bytes that are hardly HTTP, or never end: each is answered, or hung up on, and nothing grows."""

import json
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from tests.hostile import FIELDS, SECONDS, Json, check_log, within_bounds
from tests.servers import KEY, Server, running_server

_WHOLE = re.compile(rb"content-length: (\d+).*?\r\n\r\n(.*)", re.IGNORECASE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Repeats what it is told."""
    with running_server(tmp_path_factory.mktemp("server"), "--engine", "script") as running:
        yield running
        check_log(running)


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    host, _, port = re.sub(r"^http://|/v1$", "", server.base_url).partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        yield connection


def told(connection: socket.socket) -> bytes:
    """The first answer on a connection, with its status line; less where it is closed before."""
    answer = b""
    while not (found := _WHOLE.search(answer)) or len(found[2]) < int(found[1]):
        more = connection.recv(65_536)
        if not more:
            break
        answer += more
    return answer


def exchange(server: Server, begin: bytes, more: Iterable[bytes] = ()) -> tuple[int, Json]:
    """Send bytes until they end or the server has had enough; return the status and the error of its answer."""
    with within_bounds(server), connected(server) as connection:
        connection.sendall(begin)
        answering = threading.Event()

        def push() -> None:
            for chunk in more:
                if answering.is_set():
                    return
                try:
                    connection.sendall(chunk)
                except OSError:  # the server has hung up, as it should
                    return

        pushing = threading.Thread(target=push)
        pushing.start()
        answer = told(connection)
        answering.set()
        connection.shutdown(socket.SHUT_RDWR)
        pushing.join()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    error = json.loads(body)["error"]
    assert error.keys() == FIELDS
    return int(head.split()[1]), error


POST = b"POST /v1/responses HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " + KEY.encode() + b"\r\n"
BODY = b'{"input":"x"}'
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


def endless(chunk: bytes) -> Iterator[bytes]:
    while True:
        yield chunk


@pytest.mark.parametrize(
    ("begin", "chunk", "status"),
    [
        pytest.param(POST + CHUNKED, b"100000\r\n" + b" " * (1 << 20) + b"\r\n", 413, id="body"),
        pytest.param(POST.replace(b"responses", b"nothing") + CHUNKED, b"4\r\nabcd\r\n" * 1_000, 404, id="unread body"),
        pytest.param(POST + b"content-length: 99999999999999\r\n\r\n", b" " * 65_536, 413, id="declared"),
        pytest.param(POST + CHUNKED + b"1;", b"x" * 65_536, 400, id="chunk extension"),
        pytest.param(POST + CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000, 400, id="trailers"),
        pytest.param(POST + b"a: ", b"x" * 65_536, 431, id="header"),
        pytest.param(POST, b"a: b\r\n" * 10_000, 431, id="headers"),
        pytest.param(b"GET /", b"x" * 65_536, 431, id="url"),
    ],
)
def test_what_never_ends_is_cut(server: Server, begin: bytes, chunk: bytes, status: int) -> None:
    assert exchange(server, begin, endless(chunk))[0] == status


DECLARED = b"content-length: 13\r\n"
MODELS = POST.replace(b"POST /v1/responses", b"GET /v1/models")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (POST + b"content-type: text/plain\r\n" + DECLARED + b"\r\n" + BODY, 400),
        (POST + b"content-type: \xff\xfe;;=\r\n" + DECLARED + b"\r\n" + BODY, 400),
        (POST + b"content-type: multipart/form-data; boundary=\r\n" + DECLARED + b"\r\n" + BODY, 400),
        (POST + b"content-type: application/json; charset=utf-16\r\ncontent-length: 2\r\n\r\n\xff\xfe", 400),
        (POST + b"content-length: -1\r\n\r\n" + BODY, 400),
        (POST + b"content-length: " + b"9" * 5_000 + b"\r\n\r\n" + BODY, 400),
        (POST + DECLARED + b"content-length: 12\r\n\r\n" + BODY, 400),
        (POST + DECLARED + b"transfer-encoding: chunked\r\n\r\nd\r\n" + BODY + b"\r\n0\r\n\r\n", 400),
        (POST + CHUNKED + b"zz\r\n", 400),
        (POST + b"a: b\x00c\r\n" + DECLARED + b"\r\n" + BODY, 400),
        (POST + b"a: b\r\n c\r\n" + DECLARED + b"\r\n" + BODY, 400),
        (POST.replace(KEY.encode(), b"\xff\xfe") + DECLARED + b"\r\n" + BODY, 401),
        (POST.replace(b"Bearer", b"Basic") + DECLARED + b"\r\n" + BODY, 401),
        (POST.replace(b"Bearer ", b"Bearer no\r\nauthorization: Bearer ") + DECLARED + b"\r\n" + BODY, 401),
        (POST.replace(KEY.encode(), b"x" * 50_000) + DECLARED + b"\r\n" + BODY, 401),
        (POST.replace(b"POST", b"TRACE") + b"\r\n", 405),
        (POST.replace(b"POST", b"HACK") + b"\r\n", 400),
        (POST.replace(b"/v1/responses", b"/v1/../v1/responses") + b"\r\n", 404),
        (POST.replace(b"/v1/responses", b"//v1/responses") + b"\r\n", 404),
        (POST.replace(b"/v1/responses", b"/v1/responses/%00%ff%2f%zz/cancel") + b"\r\n", 404),
        (POST.replace(b"/v1/responses", b"/v1/responses/\xc3\xa9/cancel") + b"\r\n", 400),
        (POST.replace(b"/v1/responses", b"*") + b"\r\n", 404),
        (MODELS.replace(b"models", b"chat/completions?limit=" + b"9" * 5_000) + b"\r\n", 400),
        (MODELS.replace(b"models", b"chat/completions?metadata[%ff]=%00&&=&limit=%zz") + b"\r\n", 400),
        (MODELS.replace(b"HTTP/1.1", b"HTTP/9.9") + b"\r\n", 400),
        (MODELS.replace(b"\r\n", b"\n") + b"\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"x" * 160, 400),
        (b"\r\n" * 3 + b"\x00\x00\x00\x00", 400),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_strange_heads_are_refused(server: Server, sent: bytes, status: int) -> None:
    found, error = exchange(server, sent)
    assert (found, error["type"]) == (status, "invalid_request_error")
    assert error["message"]

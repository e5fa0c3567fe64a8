"""The content of a file as an answer, whole and in ranges."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.requests import Request

from freehold.core.errors import StorageFailed
from freehold.http.body import ClientGone
from freehold.http.download import Content, download

DATA = bytes(range(100))
Answer = tuple[int, dict[str, str], bytes]


async def stored(start: int, end: int) -> AsyncGenerator[bytes, None]:
    for place in range(start, end, 7):
        yield DATA[place : min(place + 7, end)]


async def never() -> Any:
    await asyncio.Event().wait()


def answer(content: Content | None = None, **headers: str) -> Answer:
    async def main() -> Answer:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        response = await download(
            Request({"type": "http", "headers": raw}), content or Content("a.bin", len(DATA), "tag", stored)
        )
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await response({"type": "http"}, never, send)
        start, *rest = sent
        assert [message.get("more_body", False) for message in rest][-1] is False
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], told, b"".join(message["body"] for message in rest)

    return asyncio.run(main())


def test_a_file_comes_whole() -> None:
    status, headers, body = answer()
    assert (status, body) == (200, DATA)
    assert headers == {
        "etag": '"tag"',
        "accept-ranges": "bytes",
        "content-disposition": "attachment; filename=\"a.bin\"; filename*=UTF-8''a.bin",
        "x-content-type-options": "nosniff",
        "content-length": "100",
        "content-type": "application/octet-stream",
    }


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=90-", 90, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-999", 0, 100),
        ("bytes=50-999", 50, 100),
        ("bytes = 0 - 99", 0, 100),
    ],
)
def test_a_range_comes_alone(asked: str, start: int, end: int) -> None:
    status, headers, body = answer(range=asked)
    assert (status, body) == (206, DATA[start:end])
    assert headers["content-range"] == f"bytes {start}-{end - 1}/100"
    assert headers["content-length"] == str(end - start)


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=5-4", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=" + "9" * 30 + "-", ""]
)
def test_what_is_not_one_range_is_not_heeded(asked: str) -> None:
    assert answer(range=asked)[::2] == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_outside_cannot_be_given(asked: str) -> None:
    status, headers, body = answer(range=asked)
    assert (status, headers["content-range"]) == (416, "bytes */100")
    assert json.loads(body)["error"]["param"] == "range"


def test_what_the_client_has_is_not_sent_again() -> None:
    for known in ('"tag"', 'W/"tag"', '"other", "tag"'):
        assert answer(if_none_match=known)[::2] == (304, b"")
    assert answer(if_none_match='"other"')[0] == 200


def test_a_range_of_another_version_is_not_given() -> None:
    assert answer(range="bytes=0-9", if_range='"tag"')[0] == 206
    assert answer(range="bytes=0-9", if_range='"other"')[::2] == (200, DATA)


def test_names_are_told_so_that_they_cannot_break_out() -> None:
    told = answer(Content('ü" \\%\n.txt', 1, "t", stored))[1]["content-disposition"]
    assert told == "attachment; filename=\"__ ___.txt\"; filename*=UTF-8''%C3%BC%22%20%5C%25%0A.txt"


def test_what_fails_before_the_first_byte_is_an_error_of_its_own() -> None:
    async def broken(start: int, end: int) -> AsyncGenerator[bytes, None]:
        raise StorageFailed("gone")
        yield b""

    with pytest.raises(StorageFailed):
        answer(Content("a", 1, "t", broken))


def test_reading_stops_when_the_client_goes_away() -> None:
    closed: list[bool] = []

    async def endless(start: int, end: int) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def main() -> None:
        response = await download(Request({"type": "http", "headers": []}), Content("a", 10**9, "t", endless))

        async def gone() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            return None

        with pytest.raises(ClientGone):
            await response({"type": "http"}, gone, send)

    asyncio.run(main())
    assert closed == [True]

import asyncio

import pytest
from starlette.requests import Request

from freehold.core.errors import Invalid, TooLarge
from freehold.http.body import MOST_VALUES, ClientGone, read_json


def read(chunks: list[bytes], limit: int = 10, gone: bool = False, **headers: str) -> bytes:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if gone:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    left = iter(messages)

    async def receive() -> dict:
        return next(left)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(read_json(Request({"type": "http", "headers": raw}, receive), limit))


def test_chunks_are_joined() -> None:
    assert read([b"{", b"}"], content_type="application/json; charset=utf-8") == b"{}"


def test_a_body_without_a_declared_type_is_taken_as_json() -> None:
    assert read([b"{}"]) == b"{}"


def test_a_declared_length_over_the_limit_is_refused_before_reading() -> None:
    with pytest.raises(TooLarge, match="at most 10 bytes"):
        read([], content_length="11", gone=True)


def test_a_chunked_body_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        read([b"12345", b"678901"])


def test_another_content_type_is_refused_with_a_hint() -> None:
    with pytest.raises(Invalid, match="application/x-www-form-urlencoded") as caught:
        read([b"{}"], content_type="application/x-www-form-urlencoded")
    assert caught.value.code == "unsupported_content_type"


def test_a_client_that_leaves_in_the_middle_is_gone() -> None:
    with pytest.raises(ClientGone):
        read([b"{"], gone=True)


def test_values_are_counted_before_they_are_decoded() -> None:
    most = [b"[", b"1," * (MOST_VALUES - 2), b"1]"]
    assert read(most, limit=2**30) == b"".join(most)
    for too_many in ([b"[", *most, b"]", b","], [b"[" * (MOST_VALUES + 1)], [b'{"a":' * (MOST_VALUES + 1)]):
        with pytest.raises(TooLarge, match="at most 1000000 values") as caught:
            read(too_many, limit=2**30)
        assert caught.value.code == "request_too_large"
    assert read([b'"' + b"x" * 2 * MOST_VALUES + b'"'], limit=2**30)

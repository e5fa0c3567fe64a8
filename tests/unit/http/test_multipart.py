"""Forms that bring a file, well and badly made."""

import asyncio
from collections.abc import AsyncIterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from starlette.requests import Request

from freehold.core.errors import Fault, Invalid, TooLarge
from freehold.http.body import ClientGone
from freehold.http.multipart import MOST_FIELD_BYTES, Form, read_fields, read_form

Pairs = list[tuple[str, str]]


def body(*parts: tuple[str, bytes], boundary: str = "xYz") -> bytes:
    """A form of parts: each what stands behind `form-data; ` in its header, and its content."""
    made = [
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), content)
        for head, content in parts
    ]
    return b"".join(made) + b"--%s--\r\n" % boundary.encode()


async def whole(chunks: AsyncIterable[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def read(*chunks: bytes, limit: int = 1000, gone: bool = False, **headers: str) -> Form[bytes]:
    """Read a form that comes in `chunks`, and whose file is `file`."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if gone else {"type": "http.request"})
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    sent = {"content_type": "multipart/form-data; boundary=xYz", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    return asyncio.run(read_form(Request({"type": "http", "headers": raw}, receive), "file", limit, whole))


def fault(*chunks: bytes, **headers: str) -> Fault:
    with pytest.raises(Fault) as caught:
        read(*chunks, limit=1000, gone=False, **headers)
    return caught.value


GOOD = body(
    ('name="purpose"', b"vision"),
    ('name="file"; filename="a.txt"', b"--xYz\r\n-\n\r--xY\r\n--xY\r\n"),
    ('name="b[c]"', b"1"),
)
READ = Form({"purpose": "vision", "file": "a.txt", "b[c]": "1"}, b"--xYz\r\n-\n\r--xY\r\n--xY\r\n")


@pytest.mark.parametrize("place", range(len(GOOD) + 1))
def test_wherever_the_body_is_cut_the_form_is_the_same(place: int) -> None:
    assert read(GOOD[:place], GOOD[place:]) == READ


def test_byte_by_byte_the_form_is_the_same() -> None:
    assert read(*(bytes([one]) for one in GOOD)) == READ


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.binary(max_size=300), st.lists(st.integers(0, 600), max_size=6))
def test_any_content_comes_through(content: bytes, places: list[int]) -> None:
    sent = body(('name="file"; filename="a"', content), boundary="a-boundary-that-no-content-has")
    cuts = [0, *sorted(places), len(sent)]
    chunks = [sent[start:end] for start, end in pairwise(cuts)]
    kind = "multipart/form-data; boundary=a-boundary-that-no-content-has"
    assert read(*chunks, content_type=kind).file == content


def test_what_stands_around_the_parts_is_skipped() -> None:
    assert read(GOOD, b"\r\n", b"epilogue") == READ
    assert read(b"preamble\r\n" + GOOD) == READ


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('name="file"; filename="données 数据.txt"', "données 数据.txt"),
        ('name="file"; filename="a%22b.txt"', 'a"b.txt'),
        ('name="file"; filename="a\\"b.txt"', 'a"b.txt'),
        ('name="file"; filename="../../etc/passwd"', "../../etc/passwd"),
        ('name="file"; filename=""', ""),
        ("name=file; filename=a.txt", "a.txt"),
        ('filename="a.txt"; name="file"', "a.txt"),
    ],
)
def test_file_names(header: str, name: str) -> None:
    assert read(body((header, b"x"))).fields == {"file": name}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("application/json", r"Invalid Content-Type header \(application/json\), expected multipart/form-data"),
        ("", r"Invalid Content-Type header \(none\)"),
        ("multipart/form-data", "Empty boundary"),
        ("multipart/form-data; boundary=", "Empty boundary"),
        ("multipart/form-data; boundary=other", "ends before its last boundary"),
    ],
)
def test_a_body_that_is_declared_as_something_else(kind: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read(GOOD, content_type=kind)


MANY = body(*((f'name="f{number}"', b"1") for number in range(10_000)))
NESTED = (
    b"--xYz\r\nContent-Disposition: form-data; name=file\r\n"
    b"Content-Type: multipart/mixed; boundary=in\r\n\r\n--in--\r\n--xYz--"
)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "ends before its last boundary"),
        (GOOD[:-6], "ends before its last boundary"),
        (b"no form at all", "ends before its last boundary"),
        (b"--xYz\r\nX: " + b"a" * 5000, "header length exceeded; at most 32 parts"),
        (b"--xYz\r\n" + b"X: 1\r\n" * 9 + b"\r\n", "header count exceeded"),
        (b"--xYz\r\nno colon\r\n\r\n", "Malformed segment header"),
        (b"--xYz\r\nX: \xff\r\n\r\n", "failed to decode"),
        (b"--xYz\r\nContent-Type: text/plain\r\n\r\nx\r\n--xYz--", "Missing Content-Disposition"),
        (MANY, "segment count exceeded"),
        (NESTED, "expected a file"),
        (body(('filename="a"', b"1")), "a part has no name"),
    ],
)
def test_a_body_that_is_no_good(sent: bytes, words: str) -> None:
    assert words in fault(sent).message


def test_what_is_wrong_with_a_field_names_it() -> None:
    twice = fault(body(('name="a"', b"1"), ('name="a"', b"2")))
    assert (twice.code, twice.param) == ("duplicate_parameter", "a")
    assert fault(body(('name="file"; filename="a"', b"1"), ('name="file"; filename="b"', b"2"))).param == "file"
    plain = fault(body(('name="file"', b"1")))
    assert (plain.code, plain.param) == ("invalid_type", "file")
    assert fault(body(('name="a"', b"\xff"), ('name="file"; filename="a"', b"1"))).param == "a"
    none = fault(body(('name="a"', b"1")))
    assert (none.message, none.param) == ("Missing required parameter: 'file'.", "file")


def test_what_is_too_large_is_refused_as_soon_as_it_is_seen() -> None:
    over = body(('name="file"; filename="a"', b"x" * 1001))
    assert isinstance(fault(over), TooLarge)
    assert len(read(over, limit=1001).file) == 1001
    assert fault(body(('name="a"', b"x" * (MOST_FIELD_BYTES + 1)))).param == "a"
    assert isinstance(fault(content_length="9999999"), TooLarge)
    assert isinstance(fault(GOOD, *[b"epilogue" * 100_000] * 6), TooLarge)


def test_a_client_that_leaves_in_the_middle_is_gone() -> None:
    with pytest.raises(ClientGone):
        read(GOOD[:100], gone=True)


class Inner(Struct, forbid_unknown_fields=True):
    number: int


class Wanted(Struct, forbid_unknown_fields=True):
    name: str
    inner: Inner | None = None


def test_fields_become_a_struct() -> None:
    assert read_fields({"name": "a", "inner[number]": "12"}, Wanted) == Wanted("a", Inner(12))
    assert read_fields({"name": "1"}, Wanted) == Wanted("1")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "name"),
        ({"name": "a", "x]": "b"}, "x]"),
        ({"name": "a", "inner": "b"}, "inner"),
        ({"name": "a", "inner[number]": "b"}, "inner.number"),
        ({"name": "a", "inner[x]": "b"}, "inner.x"),
        ({"name": "a", "name[x]": "b"}, "name"),
        ({"name[x]": "b", "name": "a"}, "name"),
        ({"name": "a", "inner[a][b]": "b"}, "inner.a][b"),
    ],
)
def test_what_is_wrong_in_the_fields_names_them(fields: dict[str, str], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_fields(fields, Wanted)
    assert caught.value.param == param

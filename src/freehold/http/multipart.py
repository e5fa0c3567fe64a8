"""Forms that bring a file: the file goes on as it comes, in constant memory; the other fields are few and small."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from starlette.requests import Request
from starlette.types import Receive

from freehold.core.errors import Invalid, TooLarge
from freehold.http.body import ClientGone
from freehold.surfaces.decode import explain

F = TypeVar("F")
B = TypeVar("B")
Parts = AsyncGenerator[MultipartSegment | bytes | None, None]

FORM = "multipart/form-data"
MOST_FIELDS = 32
MOST_FIELD_BYTES = 64 * 1024
MOST_HEADERS = 8
MOST_HEADER_BYTES = 4096
_MALFORMED = "We could not parse the multipart body of your request: {reason}."
_AROUND = 4 * 1024 * 1024
"""The bytes that a body may have beside its file."""


class Form(Struct, Generic[F], frozen=True):
    """The fields of a form by name, the file's name among them, and what came of the file."""

    fields: dict[str, str]
    file: F


async def read_form(
    request: Request, file: str, limit: int, take: Callable[[AsyncIterable[bytes]], Awaitable[F]]
) -> Form[F]:
    """Read a form whose field `file` is a file of up to `limit` bytes, and hand its content to `take`.

    Raises Invalid for what is no such form, TooLarge, ClientGone, and what `take` raises.
    """
    parser = _parser(request, limit)
    fields: dict[str, str] = {}
    taken: list[F] = []
    async with aclosing(_parts(request.receive, parser, limit)) as parts:
        async for part in parts:
            if not isinstance(part, MultipartSegment):
                raise RuntimeError("content outside of a part")
            name = part.name
            if not name:
                raise Invalid(_MALFORMED.format(reason="a part has no name"), "invalid_multipart")
            if name in fields:
                raise _duplicate(name)
            if name == file:
                if part.filename is None:
                    raise Invalid(
                        f"Invalid type for '{file}': expected a file, but got a plain field instead. (HINT: If you're "
                        f"using curl, you can pass -F {file}=@FILE.)",
                        "invalid_type",
                        file,
                    )
                fields[file] = part.filename
                taken.append(await take(_content(parts, file, limit)))
            else:
                fields[name] = await _text(parts, name)
    if not taken:
        raise Invalid(f"Missing required parameter: '{file}'.", "missing_required_parameter", file)
    return Form(fields, taken[0])


def read_fields(fields: dict[str, str], wanted: type[B]) -> B:
    """Read the fields of a form as a struct; `outer[inner]` is a field of an object.

    Raises Invalid that names the parameter.
    """
    values: dict[str, object] = {}
    for name, value in fields.items():
        outer, bracket, inner = name.partition("[")
        if bracket and inner.endswith("]"):
            there = values.setdefault(outer, {})
            if not isinstance(there, dict):
                raise _duplicate(outer)
            there[inner[:-1]] = value
        elif name in values:
            raise _duplicate(name)
        else:
            values[name] = value
    try:
        return msgspec.convert(values, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise explain(str(error), msgspec.json.encode(values), wanted) from None


def _parser(request: Request, limit: int) -> PushMultipartParser:
    kind = request.headers.get("content-type", "")
    media_type, options = parse_options_header(kind)
    if media_type != FORM:
        raise Invalid(
            f"Invalid Content-Type header ({media_type or 'none'}), expected {FORM}. (HINT: If you're "
            "using curl, you can pass -H 'Content-Type: multipart/form-data')",
            "unsupported_content_type",
        )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit + _AROUND:
        raise _too_large(limit)
    try:
        return PushMultipartParser(
            options.get("boundary", ""),
            max_header_size=MOST_HEADER_BYTES,
            max_header_count=MOST_HEADERS,
            max_segment_count=MOST_FIELDS,
        )
    except MultipartError as error:
        raise _malformed(error) from None


async def _parts(receive: Receive, parser: PushMultipartParser, limit: int) -> Parts:
    """Yield each part: a segment, then its content in chunks, then None. What follows the last part is skipped."""
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > limit + _AROUND:
            raise _too_large(limit)
        try:
            for event in parser.parse(chunk) if chunk and not parser.closed else ():
                yield event
        except MultipartError as error:
            raise _malformed(error) from None
    try:
        parser.close()
    except MultipartError:
        raise Invalid(_MALFORMED.format(reason="it ends before its last boundary"), "invalid_multipart") from None


async def _content(parts: Parts, name: str, limit: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in parts:
        if not isinstance(chunk, bytes | bytearray):
            return
        size += len(chunk)
        if size > limit:
            raise _too_large(limit, name)
        yield chunk


async def _text(parts: Parts, name: str) -> str:
    gathered = b""
    async for chunk in _content(parts, name, MOST_FIELD_BYTES):
        gathered += chunk
    try:
        return gathered.decode()
    except UnicodeDecodeError:
        raise Invalid(f"Invalid '{name}': expected text in UTF-8.", "invalid_value", name) from None


def _duplicate(name: str) -> Invalid:
    return Invalid(f"Duplicate parameter: '{name}'.", "duplicate_parameter", name)


def _malformed(error: MultipartError) -> Invalid:
    if isinstance(error, ParserLimitReached):
        limits = (
            f"at most {MOST_FIELDS} parts, with {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes each, are taken"
        )
        return Invalid(f"The multipart body of your request is too complex: {error}; {limits}.", "invalid_multipart")
    return Invalid(_MALFORMED.format(reason=error), "invalid_multipart")


def _too_large(limit: int, name: str | None = None) -> TooLarge:
    what = f"'{name}'" if name is not None else "The request"
    return TooLarge(f"{what} is too large: at most {limit} bytes are taken.", "request_too_large", name)

"""`/v1/batches`: the body, the object, and the lines of the files that a batch makes."""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from freehold.core.deltas import Usage
from freehold.core.errors import Fault
from freehold.surfaces.common import Metadata
from freehold.surfaces.errors import envelope, status
from freehold.surfaces.files import ExpiresAfter

Endpoint = Literal[
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
]
"""The endpoints that the real API takes batches for."""

Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]

SECONDS = 24 * 3600
"""The completion window."""
MOST_REQUESTS = 50_000
MOST_BYTES = 200 * 1024 * 1024
OUTPUT_PURPOSE = "batch_output"

_WHY_NOT = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "The batch was cancelled before this request executed.",
    "batch_failed": "The batch failed before this request executed.",
}


class CreateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `batches.create`."""

    input_file_id: str
    endpoint: Endpoint
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None


class BatchError(Struct, frozen=True, kw_only=True):
    """What is wrong with a line of the input, or with all of it."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class BatchErrors(Struct, frozen=True, kw_only=True):
    """What is wrong with the input, in the order of the lines."""

    object: Literal["list"] = "list"
    data: tuple[BatchError, ...]


class RequestCounts(Struct, frozen=True, kw_only=True):
    """How many requests there are, and how many were answered, with an answer or with an error."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class InputDetails(Struct, frozen=True):
    """What of the input was read from the prompt cache; in tokens."""

    cached_tokens: int = 0


class OutputDetails(Struct, frozen=True):
    """What of the output was thinking; in tokens."""

    reasoning_tokens: int = 0


class BatchUsage(Struct, frozen=True, kw_only=True):
    """Token counts of all answers together."""

    input_tokens: int = 0
    input_tokens_details: InputDetails = InputDetails()
    output_tokens: int = 0
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int = 0


class Batch(Struct, frozen=True, kw_only=True):
    """A batch; times are unix times. `usage` is counted when it ends."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    model: str | None = None
    errors: BatchErrors | None = None
    input_file_id: str
    completion_window: str
    status: Status
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts = RequestCounts()
    usage: BatchUsage = BatchUsage()
    metadata: dict[str, str] | None = None


class BatchPage(Struct, frozen=True, kw_only=True):
    """A page of batches."""

    object: Literal["list"] = "list"
    data: tuple[Batch, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class LineResponse(Struct, frozen=True):
    """What a request would have been answered with over HTTP; `body` is its JSON."""

    status_code: int
    request_id: str
    body: Raw


class LineError(Struct, frozen=True):
    """Why a request was not answered at all."""

    code: str
    message: str


class OutputLine(Struct, frozen=True, kw_only=True):
    """A line of the output file or of the error file: what became of the request `custom_id`."""

    id: str
    custom_id: str
    response: LineResponse | None = None
    error: LineError | None = None


class _Details(Struct, frozen=True):
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class _Counted(Struct, frozen=True):
    """The usage of any surface."""

    input_tokens: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    completion_tokens: int = 0
    input_tokens_details: _Details | None = None
    prompt_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class _Answer(Struct, frozen=True):
    usage: _Counted | None = None


class _Response(Struct, frozen=True):
    body: _Answer


class _Line(Struct, frozen=True):
    response: _Response


_encode = msgspec.json.Encoder().encode
_line = msgspec.json.Decoder(_Line).decode


def answered(line_id: str, request_id: str, custom_id: str, body: bytes) -> bytes:
    """The line of a request that was answered with the JSON `body`; without the end of the line."""
    response = LineResponse(200, request_id, Raw(body))
    return _encode(OutputLine(id=line_id, custom_id=custom_id, response=response))


def refused(line_id: str, request_id: str, custom_id: str, fault: Fault) -> bytes:
    """The line of a request that was answered with a fault."""
    response = LineResponse(status(fault), request_id, Raw(_encode(envelope(fault))))
    return _encode(OutputLine(id=line_id, custom_id=custom_id, response=response))


def unanswered(line_id: str, custom_id: str, code: str) -> bytes:
    """The line of a request that was not executed: `batch_expired`, `batch_cancelled` or `batch_failed`."""
    return _encode(OutputLine(id=line_id, custom_id=custom_id, error=LineError(code, _WHY_NOT[code])))


def usage_in(line: bytes) -> Usage:
    """The token counts of an answer, from its line."""
    counted = _line(line).response.body.usage or _Counted()
    read = counted.input_tokens_details or counted.prompt_tokens_details or _Details()
    written = counted.output_tokens_details or counted.completion_tokens_details or _Details()
    return Usage(
        input=counted.input_tokens + counted.prompt_tokens,
        cached=read.cached_tokens,
        output=counted.output_tokens + counted.completion_tokens,
        reasoning=written.reasoning_tokens,
    )


def usage_of(usage: Usage) -> BatchUsage:
    """Token counts as a batch writes them."""
    return BatchUsage(
        input_tokens=usage.input,
        input_tokens_details=InputDetails(usage.cached),
        output_tokens=usage.output,
        output_tokens_details=OutputDetails(usage.reasoning),
        total_tokens=usage.input + usage.output,
    )

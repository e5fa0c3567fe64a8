"""`/v1/files`: the body, what may be uploaded for what, and the objects as they stand on the wire."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Invalid

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
"""What a file can be uploaded for; the server itself makes files for others, such as `batch_output`."""

MOST_BYTES = 512 * 1024 * 1024
LONGEST_NAME = 255
_BATCH_SECONDS = 30 * 24 * 3600
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LINES: dict[str, str] = {"batch": "Batch API", "fine-tune": "Fine-Tuning API"}


class ExpiresAfter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a file expires: `seconds` after it was made."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Meta(ge=3600, le=2_592_000)]


class CreateFileBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `files.create`; `file` is the name of the file that came with it."""

    file: str
    purpose: Purpose
    expires_after: ExpiresAfter | None = None


class File(Struct, frozen=True, kw_only=True):
    """A file; times are unix times. It is ready as soon as it is stored, so its `status` is always the same."""

    object: Literal["file"] = "file"
    id: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int | None
    status: Literal["processed"] = "processed"
    status_details: None = None


class FilePage(Struct, frozen=True, kw_only=True):
    """A page of files."""

    object: Literal["list"] = "list"
    data: tuple[File, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(Struct, frozen=True):
    """The answer to a deletion."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


def lifetime(purpose: str, expires_after: ExpiresAfter | None) -> int | None:
    """The seconds after which a file expires; None for a file that stays. Input for batches stays 30 days unasked."""
    if expires_after is not None:
        return expires_after.seconds
    return _BATCH_SECONDS if purpose == "batch" else None


def file_name(given: str, purpose: str, param: str) -> str:
    """The name of a file without the folders that it came from.

    Raises Invalid, also for a name that does not fit the purpose.
    """
    name = given.replace("\\", "/").rpartition("/")[2]
    if not name.strip() or _CONTROL.search(name):
        raise Invalid(
            "Invalid file name: expected a name without control characters, such as 'data.txt'.", "invalid_value", param
        )
    if len(name) > LONGEST_NAME:
        raise Invalid(
            f"Invalid file name: expected at most {LONGEST_NAME} characters, but got {len(name)} instead.",
            "string_above_max_length",
            param,
        )
    if purpose in _LINES and not name.lower().endswith(".jsonl"):
        raise Invalid(f"Invalid file format for {_LINES[purpose]}. Must be .jsonl", None, param)
    return name

"""`/v1/uploads`: the bodies, and the objects as they stand on the wire."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from freehold.surfaces.files import ExpiresAfter, File, Purpose

MOST_BYTES = 8 * 1024 * 1024 * 1024
MOST_PART_BYTES = 64 * 1024 * 1024
MOST_PARTS = 10_000
SECONDS = 3600
"""How long an upload may take."""

Status = Literal["pending", "completed", "cancelled", "expired"]


class CreateUploadBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `uploads.create`; `bytes` is the size of the whole file."""

    filename: str
    purpose: Purpose
    bytes: Annotated[int, Meta(ge=0, le=MOST_BYTES)]
    mime_type: Annotated[str, Meta(max_length=255, pattern="^[ -~]*$")]
    expires_after: ExpiresAfter | None = None


class AddPartBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `uploads.parts.create`; `data` is the name of the file that came with it."""

    data: str


class CompleteUploadBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `uploads.complete`; `md5` is that of the whole file, in hexadecimal digits."""

    part_ids: Annotated[list[str], Meta(max_length=MOST_PARTS)]
    md5: str | None = None


class Upload(Struct, frozen=True, kw_only=True):
    """A file that is uploaded in parts; times are unix times. `file` is what came of it, once it is completed."""

    id: str
    object: Literal["upload"] = "upload"
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Status
    expires_at: int
    file: File | None = None


class UploadPart(Struct, frozen=True, kw_only=True):
    """A part of an upload; `created_at` is a unix time."""

    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int
    upload_id: str

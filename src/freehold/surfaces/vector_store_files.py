"""`/v1/vector_stores/{id}/files` and `…/file_batches`: the bodies and objects."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Invalid
from freehold.core.filters import Whole

_WITHOUT_NUL = r"^[^\x00]*$"  # which PostgreSQL cannot keep
Key = Annotated[str, Meta(min_length=1, max_length=64, pattern=_WITHOUT_NUL)]
Text = Annotated[str, Meta(max_length=512, pattern=_WITHOUT_NUL)]
Attributes = Annotated[dict[Key, Text | bool | Whole | float], Meta(max_length=16)]
FileStatus = Literal["in_progress", "completed", "cancelled", "failed"]
ErrorCode = Literal["server_error", "unsupported_file", "invalid_file"]


class Static(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long pieces of a file are, and how much of each is repeated in the next; in tokens."""

    max_chunk_size_tokens: Annotated[int, Meta(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Meta(ge=0)]


AUTO = Static(max_chunk_size_tokens=800, chunk_overlap_tokens=400)
"""What `auto` stands for, as in the real API."""


class AutoChunking(Struct, frozen=True, tag_field="type", tag="auto", forbid_unknown_fields=True):
    """Leaves the lengths to the server."""


class StaticChunking(Struct, frozen=True, tag_field="type", tag="static", forbid_unknown_fields=True):
    """Names the lengths."""

    static: Static


ChunkingParam = AutoChunking | StaticChunking


class AddFileBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `vector_stores.files.create`."""

    file_id: str
    attributes: Attributes | None = None
    chunking_strategy: ChunkingParam | None = None


class UpdateFileBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `vector_stores.files.update`."""

    attributes: Attributes | None


class AddBatchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `vector_stores.file_batches.create`."""

    attributes: Attributes | None = None
    chunking_strategy: ChunkingParam | None = None
    file_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=2000)] | None = None
    files: Annotated[tuple[AddFileBody, ...], Meta(min_length=1, max_length=2000)] | None = None


class FileCounts(Struct, frozen=True, kw_only=True):
    """How many files are in each state."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class LastError(Struct, frozen=True):
    """Why a file could not be taken in."""

    code: ErrorCode
    message: str


class VectorStoreFile(Struct, frozen=True, kw_only=True):
    """A file in a store; `id` is the file's, `usage_bytes` are those of its pieces."""

    id: str
    object: Literal["vector_store.file"] = "vector_store.file"
    usage_bytes: int
    created_at: int
    vector_store_id: str
    status: FileStatus
    last_error: LastError | None
    chunking_strategy: StaticChunking
    attributes: Attributes


class VectorStoreFilePage(Struct, frozen=True, kw_only=True):
    """A page of files."""

    object: Literal["list"] = "list"
    data: tuple[VectorStoreFile, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VectorStoreFileDeleted(Struct, frozen=True):
    """The answer to the removal of a file from a store."""

    id: str
    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"
    deleted: bool = True


class FileContent(Struct, frozen=True):
    """A piece of what was read in a file."""

    text: str
    type: Literal["text"] = "text"


class FileContentPage(Struct, frozen=True, kw_only=True):
    """What was read in a file."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: tuple[FileContent, ...]
    has_more: bool = False
    next_page: str | None = None


class VectorStoreFileBatch(Struct, frozen=True, kw_only=True):
    """Files that were put into a store together."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int
    vector_store_id: str
    status: FileStatus
    file_counts: FileCounts


def chunking(given: ChunkingParam | None, path: str = "chunking_strategy") -> Static:
    """Return the lengths that a strategy stands for. Raises Invalid for too much repetition."""
    if not isinstance(given, StaticChunking):
        return AUTO
    static = given.static
    if static.chunk_overlap_tokens * 2 > static.max_chunk_size_tokens:
        where = f"{path}.static.chunk_overlap_tokens"
        raise Invalid(
            f"Invalid '{where}': {static.chunk_overlap_tokens} is more than half of max_chunk_size_tokens "
            f"({static.max_chunk_size_tokens}).",
            "invalid_value",
            where,
        )
    return static


def files_of(body: AddBatchBody) -> tuple[AddFileBody, ...]:
    """Return the files of a batch, each with its own settings. Raises Invalid, naming the parameter."""
    if (body.file_ids is None) == (body.files is None):
        what = "either" if body.files is None else "only one of"
        raise Invalid(f"You must provide {what} 'file_ids' or 'files'.", "invalid_value", "file_ids")
    if body.files is not None:
        for name in ("attributes", "chunking_strategy"):
            if getattr(body, name) is not None:
                raise Invalid(
                    f"'{name}' cannot be given together with 'files': each of them has its own.", "invalid_value", name
                )
        return body.files
    return tuple(
        AddFileBody(file_id=one, attributes=body.attributes, chunking_strategy=body.chunking_strategy)
        for one in body.file_ids or ()
    )

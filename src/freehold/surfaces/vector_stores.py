"""`/v1/vector_stores`: the bodies and objects of stores, and of searches in them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from freehold.core.filters import Filter
from freehold.surfaces.common import Metadata
from freehold.surfaces.vector_store_files import Attributes, ChunkingParam, FileCounts

DAY_SECONDS = 24 * 3600


class ExpiresAfter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store expires so many days after it was last searched or changed."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Meta(ge=1, le=365)]


class CreateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `vector_stores.create`."""

    chunking_strategy: ChunkingParam | None = None
    description: Annotated[str, Meta(max_length=512)] | None = None
    expires_after: ExpiresAfter | None = None
    file_ids: Annotated[tuple[str, ...], Meta(max_length=500)] | None = None
    metadata: Metadata | None = None
    name: Annotated[str, Meta(max_length=256)] | None = None


class UpdateBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Every documented parameter of `vector_stores.update`; what is null is left as it is."""

    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None
    name: Annotated[str, Meta(max_length=256)] | None = None


class VectorStore(Struct, frozen=True, kw_only=True):
    """A vector store; times are unix times."""

    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: int
    name: str
    description: str | None = None
    usage_bytes: int = 0
    file_counts: FileCounts = FileCounts()
    status: Literal["expired", "in_progress", "completed"] = "completed"
    expires_after: ExpiresAfter | None = None
    expires_at: int | None = None
    last_active_at: int | None
    metadata: dict[str, str]


class VectorStorePage(Struct, frozen=True, kw_only=True):
    """A page of stores."""

    object: Literal["list"] = "list"
    data: tuple[VectorStore, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VectorStoreDeleted(Struct, frozen=True):
    """The answer to a deletion."""

    id: str
    object: Literal["vector_store.deleted"] = "vector_store.deleted"
    deleted: bool = True


class HybridSearch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the likeness of meaning and that of words weigh against each other."""

    embedding_weight: Annotated[float, Meta(ge=0)]
    text_weight: Annotated[float, Meta(ge=0)]


class RankingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How what was found is ranked: `none` leaves out the step that reads each passage again."""

    ranker: Literal["none", "auto", "default-2024-11-15", "default_2024_08_21"] = "auto"
    score_threshold: Annotated[float, Meta(ge=0, le=1)] = 0.0
    hybrid_search: HybridSearch | None = None


class SearchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `vector_stores.search`."""

    query: str | Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1, max_length=16)]
    filters: Filter | None = None
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: bool | None = None


class SearchContent(Struct, frozen=True):
    """The text of a passage."""

    text: str
    type: Literal["text"] = "text"


class SearchResult(Struct, frozen=True, kw_only=True):
    """A passage that was found; `score` is from 0 to 1, `page` where it begins in a file that has pages."""

    file_id: str
    filename: str
    score: float
    attributes: Attributes
    content: tuple[SearchContent, ...]
    page: int | UnsetType = UNSET


class SearchPage(Struct, frozen=True, kw_only=True):
    """What a search found, the best first; `search_query` is what was searched for."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: tuple[str, ...]
    data: tuple[SearchResult, ...]
    has_more: bool = False
    next_page: str | None = None

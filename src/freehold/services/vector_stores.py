"""Vector stores: create, find, list, change and delete."""

from collections.abc import Callable

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.errors import NotFound
from freehold.core.ids import Clock, Mint
from freehold.core.principal import Principal
from freehold.services.jobs import Bell
from freehold.services.vector_store_files import StoreFiles, counts
from freehold.storage.repos import vector_store_files
from freehold.storage.repos.vector_stores import Found, StoreRow, StoreRows, check_alive, has_expired
from freehold.storage.repos.windows import Window
from freehold.surfaces.vector_store_files import AddFileBody, chunking
from freehold.surfaces.vector_stores import (
    DAY_SECONDS,
    CreateBody,
    ExpiresAfter,
    UpdateBody,
    VectorStore,
    VectorStoreDeleted,
    VectorStorePage,
)

_AT_ONCE = 20


class Kept(Struct, frozen=True, kw_only=True):
    """What a store's row holds of its object; times are unix times."""

    created_at: int
    name: str
    description: str | None = None
    expires_after: ExpiresAfter | None = None
    last_active_at: int
    metadata: dict[str, str] = {}


class VectorStores:
    """The stores of every project, each seen by its own only."""

    def __init__(
        self, rows: StoreRows, files: StoreFiles, model: Callable[[], str], mint: Mint, clock: Clock, bell: Bell
    ) -> None:
        """`model` names the embedding model of new stores."""
        self._rows = rows
        self._files = files
        self._model = model
        self._mint = mint
        self._clock = clock
        self._bell = bell

    async def create(self, who: Principal, body: CreateBody) -> VectorStore:
        """Make a store and put files into it; when this returns, both survive a crash.

        Raises NotFound for a file that is not there, Invalid for a chunking that makes no sense.
        """
        now = int(self._clock())
        chunking(body.chunking_strategy)
        kept = Kept(
            created_at=now,
            name=body.name or "",
            description=body.description,
            expires_after=body.expires_after,
            last_active_at=now,
            metadata=body.metadata or {},
        )
        store_id = self._mint("vs_")
        row = StoreRow(
            id=store_id,
            project=who.project,
            expires=_expiry(kept),
            model=self._model(),
            body=msgspec.json.encode(kept),
        )
        added = [
            AddFileBody(file_id=one, chunking_strategy=body.chunking_strategy)
            for one in dict.fromkeys(body.file_ids or ())
        ]
        wanted = self._files.wanted(who, store_id, added, "file_ids")

        def then(connection: Connection) -> None:
            vector_store_files.put(connection, who.project, self._clock(), wanted)

        found = await self._rows.add(row, then)
        self._bell.ring()
        return self._shown(found)

    async def retrieve(self, who: Principal, store_id: str) -> VectorStore:
        """Return a store, its files counted as of now. Raises NotFound."""
        found = await self._rows.get(who.project, store_id)
        if found is None:
            raise missing(store_id)
        return self._shown(found)

    async def list(self, who: Principal, window: Window) -> VectorStorePage:
        """Return a page of the stores. Raises Invalid when a cursor is none of them."""
        found, has_more = await self._rows.page(who.project, window)
        data = tuple(map(self._shown, found))
        return VectorStorePage(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=has_more,
        )

    async def update(self, who: Principal, store_id: str, body: UpdateBody, given: frozenset[str]) -> VectorStore:
        """Change what is `given` of a store. Raises NotFound, Invalid for one that has expired."""
        now = int(self._clock())

        def new(row: StoreRow) -> StoreRow:
            check_alive(row, now)
            kept = replace(read(row), last_active_at=now)
            if body.name is not None:
                kept = replace(kept, name=body.name)
            if body.metadata is not None:
                kept = replace(kept, metadata=body.metadata)
            if "expires_after" in given:
                kept = replace(kept, expires_after=body.expires_after)
            return written(row, kept)

        found = await self._rows.update(who.project, store_id, new)
        if found is None:
            raise missing(store_id)
        return self._shown(found)

    async def delete(self, who: Principal, store_id: str) -> VectorStoreDeleted:
        """Delete a store: what was in it is found no more. Raises NotFound."""
        if not await self._rows.delete(who.project, store_id):
            raise missing(store_id)
        return VectorStoreDeleted(store_id)

    async def sweep(self, now: float) -> None:
        """Empty the stores that have expired."""
        while await self._rows.empty_expired(now, _AT_ONCE) == _AT_ONCE:
            pass

    def _shown(self, found: Found) -> VectorStore:
        row, tally = found
        kept, expired = read(row), has_expired(row, self._clock())
        file_counts = counts(tally.counts)
        return VectorStore(
            id=row.id,
            created_at=kept.created_at,
            name=kept.name,
            description=kept.description,
            usage_bytes=tally.bytes,
            file_counts=file_counts,
            status="expired" if expired else "in_progress" if file_counts.in_progress else "completed",
            expires_after=kept.expires_after,
            expires_at=row.expires,
            last_active_at=kept.last_active_at,
            metadata=kept.metadata,
        )


def read(row: StoreRow) -> Kept:
    """What a store's row holds of its object."""
    return msgspec.json.decode(row.body, type=Kept)


def written(row: StoreRow, kept: Kept) -> StoreRow:
    """The row of a store whose object has changed."""
    return replace(row, expires=_expiry(kept), body=msgspec.json.encode(kept))


def active(row: StoreRow, now: float) -> StoreRow:
    """The row of a store that is used at the unix time `now`: the time until it expires begins again."""
    return written(row, replace(read(row), last_active_at=int(now)))


def missing(store_id: str) -> NotFound:
    """The fault for a store that this project does not have."""
    return NotFound(f"No vector store found with id '{store_id}'.", None, "vector_store_id")


def _expiry(kept: Kept) -> int | None:
    return None if kept.expires_after is None else kept.last_active_at + kept.expires_after.days * DAY_SECONDS

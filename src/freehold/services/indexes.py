"""The indexes of stores that are searched: kept in memory within a bound, and brought up to date before each search."""

import asyncio
from collections import OrderedDict
from weakref import WeakValueDictionary

from freehold.storage.repos.chunks import ChunkRows, State
from freehold.storage.vectors.index import StoreIndex

ENTRIES_AT_ONCE = 64
"""How many files' chunks are read from the database together."""


class Indexes:
    """Gives the index of a store as it is now. One that was not used for longest is forgotten first."""

    def __init__(self, rows: ChunkRows, most_bytes: int) -> None:
        """`most_bytes` is the memory of all indexes together; the one that is searched may alone take more."""
        self._rows = rows
        self._most = most_bytes
        self._kept: OrderedDict[str, StoreIndex] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of those that are searched now

    def version(self, store_id: str) -> int | None:
        """The version of a store's index; None where there is none."""
        index = self._kept.get(store_id)
        return None if index is None else index.version

    async def current(self, state: State) -> StoreIndex:
        """Return the index of a store, with what can be searched in this state, or later. Raises StorageFailed."""
        store_id = state.row.id
        async with self._locks.setdefault(store_id, asyncio.Lock()):
            index = self._kept.get(store_id)
            if index is None or index.version < state.row.version:
                index = await self._updated(index, state)
                self._kept[store_id] = index
            self._kept.move_to_end(store_id)
            self._forget()
            return index

    async def _updated(self, old: StoreIndex | None, state: State) -> StoreIndex:
        """Return a new index, so that a search in the old one is not disturbed."""
        marks = state.marks
        if marks is None:  # the index that had them was forgotten meanwhile
            state = await self._rows.state(state.row.project, state.row.id, None) or state
            marks = state.marks or {}
        index = StoreIndex() if old is None or old.scattered else old.copy()
        index.forget([entry for entry, mark in index.marks.items() if marks.get(entry) != mark])
        new = [entry for entry in marks if entry not in index.marks]
        loaded = []
        for start in range(0, len(new), ENTRIES_AT_ONCE):
            loaded += await self._rows.load(new[start : start + ENTRIES_AT_ONCE])
        await asyncio.to_thread(index.add, loaded, {entry: marks[entry] for entry in new})
        index.version = state.row.version
        return index

    def _forget(self) -> None:
        while len(self._kept) > 1 and sum(index.size for index in self._kept.values()) > self._most:
            self._kept.popitem(last=False)

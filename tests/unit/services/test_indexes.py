"""Indexes: kept within a bound, whatever is searched at once."""

import asyncio
from pathlib import Path

from freehold.core.ports import Vectors
from freehold.services.indexes import Indexes
from freehold.services.search import Search
from tests.library import OURS, Library, in_library

ONE_BYTE = 1


def bounded(library: Library) -> tuple[Indexes, Search]:
    """Indexes of which no two fit, and a search in them."""
    indexes = Indexes(library.chunks, ONE_BYTE)
    return indexes, Search(library.chunks, library.rows, library.encoders, indexes, lambda: library.now[0])


def test_many_searches_at_once_in_more_stores_than_fit(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        names = [f"{number}.txt" for number in range(4)]
        stores = [await library.store() for _ in names]
        for store, name in zip(stores, names, strict=True):
            await library.put(store, name, f"Brown eggs in {name}.")
        _, search = bounded(library)

        async def name_of(place: int) -> str:
            (hit,) = await search.find(OURS, [stores[place]], "brown eggs", None, None, 10, False)
            return hit.filename

        for _ in range(5):
            order = [number % 4 for number in range(24)] + [number // 6 for number in range(24)]
            assert await asyncio.gather(*map(name_of, order)) == [names[place] for place in order]

    in_library(tmp_path, work)


def test_an_index_is_built_once_for_all_who_wait(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        await library.put(store, "a.txt", "Brown eggs.")
        state = await library.chunks.state(OURS.project, store, None)
        assert state is not None
        one, two = await asyncio.gather(library.indexes.current(state), library.indexes.current(state))
        assert one is two
        assert await library.indexes.current(state) is one

    in_library(tmp_path, work)


def test_only_what_was_used_last_is_kept_when_nothing_else_fits(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        states = []
        for number in range(2):
            store = await library.store()
            await library.put(store, f"{number}.txt", "Brown eggs.")
            state = await library.chunks.state(OURS.project, store, None)
            assert state is not None
            states.append(state)
        indexes, _ = bounded(library)
        first = await indexes.current(states[0])
        second = await indexes.current(states[1])
        assert await indexes.current(states[1]) is second
        assert await indexes.current(states[0]) is not first

    in_library(tmp_path, work)


def test_a_search_goes_on_in_what_it_began_with(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.put(store, "a.txt", "Brown eggs.")
        before = await library.chunks.state(OURS.project, store, None)
        assert before is not None
        index = await library.indexes.current(before)
        vectors: Vectors = await library.encoders.vectors(before.row.model, ["brown eggs"])
        await library.inside.delete(OURS, store, file_id)
        after = await library.chunks.state(OURS.project, store, None)
        assert after is not None
        newer = await library.indexes.current(after)
        assert len(index.nearest(vectors.rows[0], 5)) == 1
        assert newer.nearest(vectors.rows[0], 5) == []
        assert await library.indexes.current(before) is newer

    in_library(tmp_path, work)

"""The index of a store against brute force, and as files come and go."""

import struct
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.storage.vectors import segment
from freehold.storage.vectors.index import MOST_SEGMENTS, StoreIndex
from freehold.storage.vectors.segment import ChunkVector

DIMENSIONS = 16


def packed(terms: Sequence[int]) -> bytes:
    counted = sorted(Counter(terms).items())
    return struct.pack(f"<{len(counted)}I", *(term for term, _ in counted)) + bytes(count for _, count in counted)


def random_chunks(count: int, entries: int, seed: int = 1, first: int = 1) -> list[ChunkVector]:
    chance = np.random.default_rng(seed)
    rows = chance.standard_normal((count, DIMENSIONS)).astype("<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [
        ChunkVector(
            number=first + place,
            entry=1 + place % entries,
            vector=row.tobytes(),
            terms=packed(chance.integers(1, 30, size=chance.integers(1, 20)).tolist()),
        )
        for place, row in enumerate(rows)
    ]


def index_of(*parts: list[ChunkVector]) -> StoreIndex:
    index = StoreIndex()
    for part in parts:
        index.add(part, {chunk.entry: 1 for chunk in part})
    return index


def brute(chunks: Sequence[ChunkVector], query: bytes, most: int, kept: set[int] | None) -> list[int]:
    sought = np.frombuffer(query, "<f4").astype(np.float64)
    scored = [
        (-float(np.frombuffer(chunk.vector, "<f4").astype(np.float64) @ sought), chunk.number)
        for chunk in chunks
        if kept is None or chunk.entry in kept
    ]
    return [number for _, number in sorted(scored)[:most]]


@pytest.mark.parametrize("alone", [8_000_000, 1_000])
@pytest.mark.parametrize("kept", [None, {3}, {1, 4, 7}, set[int]()])
def test_nearest_finds_what_brute_force_finds(
    kept: set[int] | None, alone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "_ALONE", alone)  # above it, the cores share the work
    chunks = random_chunks(2_000, entries=20)
    index = index_of(chunks[:700], chunks[700:1500], chunks[1500:])
    for query in random_chunks(20, 1, seed=2):
        found = index.nearest(query.vector, 10, kept)
        assert [number for number, _ in found] == brute(chunks, query.vector, 10, kept)


def test_a_chunk_is_nearest_to_itself() -> None:
    chunks = random_chunks(50, 5)
    ((number, score),) = index_of(chunks).nearest(chunks[17].vector, 1)
    assert (number, round(score, 5)) == (chunks[17].number, 1.0)


def test_the_segments_make_no_difference_to_words() -> None:
    chunks = random_chunks(300, 10)
    whole, parts = index_of(chunks), index_of(chunks[:10], chunks[10:200], chunks[200:])
    for terms in ((1,), (2, 3), (4, 4, 29), (31,)):
        assert whole.matching(terms, 20) == parts.matching(terms, 20)


def test_rare_words_weigh_more_and_long_texts_less() -> None:
    index = StoreIndex()
    vector = bytes(4 * DIMENSIONS)
    rows = [(1, [7, 1]), (2, [8, 1]), (3, [7, 2]), (4, [7, 3, 4, 5, 6, 9, 10, 11])]
    index.add([ChunkVector(number, number, vector, packed(terms)) for number, terms in rows], {})
    ranked = index.matching((7, 8), 4)
    assert [number for number, _ in ranked] == [2, 1, 3, 4]
    assert index.matching((99,), 4) == []


def test_what_is_forgotten_is_not_found_and_copies_are_apart() -> None:
    chunks = random_chunks(100, 10)
    index = index_of(chunks)
    before = index.copy()
    index.forget([3])
    assert 3 not in index.marks
    assert 3 in before.marks
    gone = {chunk.number for chunk in chunks if chunk.entry == 3}
    query = next(chunk for chunk in chunks if chunk.entry == 3)
    assert not gone & {number for number, _ in index.nearest(query.vector, 100)}
    assert before.nearest(query.vector, 1)[0][0] == query.number
    assert not gone & {number for number, _ in index.matching(range(1, 30), 100)}


def test_an_empty_index_finds_nothing() -> None:
    index = StoreIndex()
    assert index.nearest(bytes(4 * DIMENSIONS), 5) == []
    assert index.matching((1,), 5) == []
    assert (index.size, index.scattered) == (0, False)


def test_many_small_parts_are_better_built_anew() -> None:
    chunks = random_chunks(MOST_SEGMENTS + 1, MOST_SEGMENTS + 1)
    index = index_of(*([chunk] for chunk in chunks))
    assert index.scattered
    assert index_of(chunks).size > 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), max_size=12), min_size=1, max_size=20), st.lists(st.integers(1, 9)))
def test_words_are_found_where_they_are(texts: list[list[int]], sought: list[int]) -> None:
    vector = bytes(4 * DIMENSIONS)
    chunks = [ChunkVector(place + 1, place + 1, vector, packed(terms)) for place, terms in enumerate(texts)]
    found = {number for number, _ in index_of(chunks).matching(sought, 100)}
    assert found == {place + 1 for place, terms in enumerate(texts) if set(terms) & set(sought)}

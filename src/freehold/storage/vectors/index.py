"""The index of a store: segments that are searched one after the other."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import log

import numpy as np

from freehold.storage.vectors.segment import ChunkVector, Segment

MOST_SEGMENTS = 12
Ranked = list[tuple[int, float]]
"""Numbers of chunks with their scores, the best first."""


class StoreIndex:
    """What of a store can be searched. `marks` are those of the files in it; it is changed by one task at a time."""

    def __init__(self) -> None:
        self.version = -1
        self.marks: dict[int, int] = {}
        self._segments: list[Segment] = []

    @property
    def size(self) -> int:
        """The memory that it takes, in bytes."""
        return sum(segment.size for segment in self._segments)

    @property
    def widths(self) -> set[int]:
        """The dimensions of its vectors: one number, unless the model was exchanged while the store grew."""
        return {segment.width for segment in self._segments if segment.alive.any()}

    @property
    def scattered(self) -> bool:
        """Whether it has so many segments, or passes over so much, that it is better built anew."""
        whole = sum(len(segment.alive) for segment in self._segments)
        alive = sum(int(segment.alive.sum()) for segment in self._segments)
        return len(self._segments) > MOST_SEGMENTS or alive * 2 < whole

    def copy(self) -> "StoreIndex":
        """Return an index of the same chunks that can be changed while this one is searched."""
        other = StoreIndex()
        other.version, other.marks = self.version, dict(self.marks)
        other._segments = [segment.copy() for segment in self._segments]
        return other

    def forget(self, entries: Iterable[int]) -> None:
        """Pass over the chunks of files that are gone."""
        for entry in entries:
            del self.marks[entry]
            for segment in self._segments:
                segment.forget(entry)

    def add(self, chunks: Sequence[ChunkVector], marks: Mapping[int, int]) -> None:
        """Add the chunks of files."""
        self.marks.update(marks)
        for width in {len(one.vector) for one in chunks}:
            self._segments.append(Segment([one for one in chunks if len(one.vector) == width]))

    def nearest(self, query: bytes, most: int, entries: Collection[int] | None = None) -> Ranked:
        """Return the chunks whose vectors are most like the query's, of the files `entries` where that is not None.

        It compares all of them. The vector is of little-endian 32-bit floats.
        """
        vector = np.frombuffer(query, "<f4")
        found = []
        for segment in self._segments:
            wanted = _wanted(segment, entries)
            found.append(_best(segment, segment.likenesses(vector, wanted), wanted, most))
        return _merged(found, most)

    def matching(self, terms: Iterable[int], most: int, entries: Collection[int] | None = None) -> Ranked:
        """Return the chunks that hold the terms, by BM25 over the whole store."""
        total = sum(int(segment.alive.sum()) for segment in self._segments)
        if not total:
            return []
        average = sum(float(segment.lengths[segment.alive].sum()) for segment in self._segments) / total or 1.0
        weights = {term: self._weight(term, total) for term in set(terms)}
        weights = {term: weight for term, weight in weights.items() if weight}
        found = []
        for segment in self._segments:
            scores = segment.saturated(weights, average)
            found.append(_best(segment, scores, _wanted(segment, entries) & (scores > 0), most))
        return _merged(found, most)

    def _weight(self, term: int, total: int) -> float:
        """How rare a term is (the inverse document frequency of BM25); 0 for one that no chunk holds."""
        holding = sum(segment.spread(term) for segment in self._segments)
        return log(1 + (total - holding + 0.5) / (holding + 0.5)) if holding else 0.0


def _wanted(segment: Segment, entries: Collection[int] | None) -> np.ndarray:
    if entries is None:
        return segment.alive
    return segment.alive & np.isin(segment.entries, np.fromiter(entries, np.int64, len(entries)))


def _best(segment: Segment, scores: np.ndarray, wanted: np.ndarray, most: int) -> Ranked:
    """The best of the wanted ones; of two that are equal, the one that was written first."""
    places = np.flatnonzero(wanted)
    if len(places) > most:
        chosen = scores[places]
        last = np.partition(chosen, len(chosen) - most)[len(chosen) - most]
        places = places[chosen >= last]  # of equal ones, there may be many more
    order = places[np.lexsort((segment.numbers[places], -scores[places]))[:most]]
    return list(zip(segment.numbers[order].tolist(), scores[order].tolist(), strict=True))


def _merged(found: Iterable[Ranked], most: int) -> Ranked:
    return sorted((one for ranked in found for one in ranked), key=lambda one: (-one[1], one[0]))[:most]

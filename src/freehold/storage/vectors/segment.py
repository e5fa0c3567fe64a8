"""A part of an index that never grows: the vectors and the words of some chunks."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
from msgspec import Struct

_TERM_BYTES = 5  # four for the term, one for its count
_FEW = 0.1  # below this share, copying the vectors costs less than comparing all
_ALONE = 8_000_000  # numbers that one thread compares in less time than it takes to share them out
_CORES = min(4, os.cpu_count() or 1)  # more would wait for the memory
_SHARED = ThreadPoolExecutor(_CORES, "likenesses")


class ChunkVector(Struct, frozen=True):
    """A chunk as it is searched: its number, the file that it is of, its vector, and its packed terms."""

    number: int
    entry: int
    vector: bytes
    terms: bytes


class Segment:
    """Chunks that were loaded together. Those of files that are gone are passed over."""

    def __init__(self, chunks: Sequence[ChunkVector]) -> None:
        """All `chunks` have vectors of the same length, as little-endian 32-bit floats."""
        self.numbers = np.fromiter((one.number for one in chunks), np.int64, len(chunks))
        self.entries = np.fromiter((one.entry for one in chunks), np.int64, len(chunks))
        self.alive = np.ones(len(chunks), bool)
        self._whole = True
        self._average = 0.0
        self._impacts = np.zeros(0, np.float32)
        self._matrix = np.frombuffer(b"".join(one.vector for one in chunks), "<f4").reshape(len(chunks), -1)
        sizes = np.fromiter((len(one.terms) // _TERM_BYTES for one in chunks), np.int64, len(chunks))
        terms = np.frombuffer(b"".join(one.terms[: 4 * size] for one, size in zip(chunks, sizes, strict=True)), "<u4")
        counts = np.frombuffer(b"".join(one.terms[4 * size :] for one, size in zip(chunks, sizes, strict=True)), "u1")
        order = np.argsort(terms, kind="stable")
        self._terms = terms[order]
        self._places = np.repeat(np.arange(len(chunks), dtype=np.uint32), sizes)[order]
        self._counts = counts[order]
        owners = np.repeat(np.arange(len(chunks)), sizes)
        self.lengths = np.bincount(owners, weights=counts, minlength=len(chunks)).astype(np.float32)

    @property
    def size(self) -> int:
        """The memory that it takes, in bytes."""
        arrays = (self.numbers, self.entries, self._matrix, self._terms, self._places, self._counts, self.lengths)
        return sum(one.nbytes for one in arrays)

    @property
    def width(self) -> int:
        """The dimensions of its vectors."""
        return self._matrix.shape[1]

    def copy(self) -> "Segment":
        """Return a segment that shares everything but what it passes over."""
        other = copy(self)
        other.alive = self.alive.copy()
        return other

    def forget(self, entry: int) -> None:
        """Pass over the chunks of a file from now on."""
        self.alive &= self.entries != entry
        self._whole = False

    def likenesses(self, query: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """The likeness of the wanted chunks' vectors to the query's: the cosine, as both are of length 1.

        Of the others it may be anything.
        """
        places = np.flatnonzero(wanted)
        if len(places) > len(wanted) * _FEW:
            return self._compared(query)
        scores = np.zeros(len(wanted), np.float32)
        scores[places] = np.vecdot(self._matrix[places], query)
        return scores

    def _compared(self, query: np.ndarray) -> np.ndarray:
        """The likeness of all; BLAS would leave its threads spinning after a product."""
        matrix, scores = self._matrix, np.empty(len(self.numbers), np.float32)
        step = len(matrix) if matrix.size <= _ALONE else -(-len(matrix) // _CORES)
        first, *others = (slice(start, start + step) for start in range(0, len(matrix), step))
        shared = [_SHARED.submit(np.vecdot, matrix[part], query, scores[part]) for part in others]
        np.vecdot(matrix[first], query, scores[first])
        for part in shared:
            part.result()
        return scores

    def holding(self, term: int) -> tuple[np.ndarray, np.ndarray]:
        """The places of the chunks that hold a term, and how often each does."""
        start, end = self._range(term)
        return self._places[start:end], self._counts[start:end]

    def spread(self, term: int) -> int:
        """In how many chunks a term is."""
        places, _ = self.holding(term)
        return len(places) if self._whole else int(self.alive[places].sum())

    def saturated(self, terms: Mapping[int, float], average: float) -> np.ndarray:
        """The BM25 of each chunk for terms, given by their weights (Robertson and Zaragoza 2009; k1 1.2, b 0.75)."""
        if self._average != average:
            often = self._counts.astype(np.float32)
            self._impacts = often * 2.2 / (often + 1.2 * (0.25 + 0.75 * self.lengths[self._places] / average))
            self._average = average
        scores, impacts = np.zeros(len(self.numbers), np.float32), self._impacts
        for term, weight in terms.items():
            start, end = self._range(term)
            scores[self._places[start:end]] += weight * impacts[start:end]
        return scores

    def _range(self, term: int) -> tuple[int, int]:
        sought = np.uint32(term)  # of any other type, all terms would be copied into that
        return int(np.searchsorted(self._terms, sought)), int(np.searchsorted(self._terms, sought, "right"))

"""How many texts are embedded in one go: slices that are short enough for others to come in between."""

from collections.abc import Iterator, Sequence

MOST_TEXTS = 32
MOST_BYTES = 16_384


def slices(sizes: Sequence[int]) -> Iterator[range]:
    """Cut texts of these sizes, in bytes, into runs of at most MOST_TEXTS and, where one is not longer, MOST_BYTES."""
    start = total = 0
    for number, size in enumerate(sizes):
        if number > start and (number - start == MOST_TEXTS or total + size > MOST_BYTES):
            yield range(start, number)
            start, total = number, 0
        total += size
    if start < len(sizes):
        yield range(start, len(sizes))

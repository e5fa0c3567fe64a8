"""The marks by which a model names its sources, taken out of its text as it is written."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import log

from freehold.core.items import FileResult

_NUMBERS = r"\d{1,3}(?: ?[,\uff0c] ?\d{1,3}){0,15}"
_TOKEN = re.compile(rf"`+| ?(?:【({_NUMBERS})(?:†[^】\n]{{0,60}})?】|\[({_NUMBERS})\])")
_BEGUN = re.compile(r"`+$| ?(?:【[\d ,\uff0c]{0,90}(?:†[^】\n]{0,60})?|\[[\d ,\uff0c]{0,90})?$")
_SENTENCE = re.compile(
    r"[^.!?\n\u3002\uff01\uff1f]*(?:[.!?\u3002\uff01\uff1f]+(?=\s|$)|[.!?]|\n|[\u3002\uff01\uff1f]|$)"
)
_WORD = re.compile(r"\w{4,}|\d+")
_HALF = 0.5


class Marks:
    """Takes marks like 【1】, 【1, 2】 and [1] out of a text that comes in pieces, however it is cut.

    A mark takes the space before it along. One that names no source, and one within backticks, is text.
    """

    def __init__(self, sources: int) -> None:
        """Sources are numbered from 1 to `sources`."""
        self._sources = sources
        self._held = ""
        self._code = False

    def take(self, piece: str) -> Iterator[str | int]:
        """Yield what is now certain: text, never empty, and the numbers of sources, where they belong in it."""
        self._held += piece
        begun = _BEGUN.search(self._held)
        certain = len(self._held) if begun is None else begun.start()
        text, self._held = self._held[:certain], self._held[certain:]
        yield from self._read(text)

    def end(self) -> Iterator[str | int]:
        """Yield what was held back: there is no more text."""
        text, self._held = self._held, ""
        yield from self._read(text)

    def _read(self, text: str) -> Iterator[str | int]:
        said = 0
        for token in _TOKEN.finditer(text):
            listed = token[1] or token[2]
            if listed is None:
                self._code = not self._code
                continue
            numbers = [int(one) for one in re.findall(r"\d+", listed)]
            if self._code or not all(1 <= one <= self._sources for one in numbers):
                continue
            if token.start() > said:
                yield text[said : token.start()]
            yield from numbers
            said = token.end()
        if said < len(text):
            yield text[said:]


def attributed(text: str, sources: Sequence[FileResult]) -> Iterator[tuple[int, FileResult]]:
    """Yield where a sentence of `text` ends that is taken from a source, and the source; for a model that named none.

    A sentence is taken from the source that has the most of its longer words and numbers, each weighing as much as it
    is rare among the sources, if that is more than half of them. Of sentences that follow each other and are taken from
    one file, the last is told.
    """
    words = [frozenset(_words(one.text)) for one in sources]
    weights = _weights(words)
    unknown = log(1 + len(words))
    last: tuple[int, FileResult] | None = None
    for sentence in _SENTENCE.finditer(text):
        said = frozenset(_words(sentence[0]))
        if not said or not words:
            continue
        scores = [sum(weights[word] for word in said & one) for one in words]
        best = max(range(len(words)), key=lambda one: scores[one])  # of equal ones the first, which fits best
        if scores[best] <= _HALF * sum(weights.get(word, unknown) for word in said):
            continue
        if last is not None and last[1].file_id != sources[best].file_id:
            yield last
        last = (len(sentence[0].rstrip()) + sentence.start(), sources[best])
    if last is not None:
        yield last


def _weights(texts: Sequence[frozenset[str]]) -> Mapping[str, float]:
    """How much each word tells (its inverse document frequency)."""
    spread = Counter(word for text in texts for word in text)
    return {word: log(1 + len(texts) / count) for word, count in spread.items()}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())

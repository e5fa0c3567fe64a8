"""The script embedder: no model, texts that share words are near each other; for tests, demonstrations and load."""

import hashlib
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import numpy as np

from freehold.core.ports import Embedder, Encoder, Vectors
from freehold.core.prompt import Raw
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.embedding.faults import too_long
from freehold.engines.registry import Find

NAME = "script-embedding"
DIMENSIONS = 256
CONTEXT = 8_192
_CREATED = 1_735_689_600
_WORD = re.compile(r"\w+")
_TRIGRAM = 3
_TRIGRAM_WEIGHS = 0.2


@asynccontextmanager
async def open_script(spec: EmbedderSpec, find: Find) -> AsyncGenerator[Embedder, None]:
    """Yield a ScriptEmbedder; `find` is not asked."""
    yield ScriptEmbedder()


class ScriptEmbedder:
    """Hashes the words of a text, and their trigrams, into the numbers of its vector. A token is a word."""

    models = (
        Encoder(
            name=NAME,
            dimensions=DIMENSIONS,
            context=CONTEXT,
            created=_CREATED,
            backend="script",
            shortest=DIMENSIONS // 8,
        ),
    )

    async def embed(self, model: str, texts: Sequence[Raw], batch: bool = False) -> Vectors:
        """Return the vectors of texts; a token of one that is given as tokens is a word of its own."""
        words = [_words(text) for text in texts]
        for number, found in enumerate(words):
            if len(found) > CONTEXT:
                raise too_long(number, len(found), CONTEXT)
        return Vectors(tuple(_vector(found) for found in words), sum(max(1, len(found)) for found in words))


def _words(text: Raw) -> list[str]:
    return _WORD.findall(text.lower()) if isinstance(text, str) else [f"<{token}>" for token in text]


def _vector(words: list[str]) -> bytes:
    vector = np.zeros(DIMENSIONS, "<f4")
    for word, count in Counter(words).items():
        _add(vector, word, count)
        for start in range(len(word) - _TRIGRAM + 1):
            _add(vector, "3" + word[start : start + _TRIGRAM], count * _TRIGRAM_WEIGHS)
    length = float(np.linalg.norm(vector))
    if not length:  # words that cancel each other out, or none
        vector[0] = length = 1.0
    return (vector / length).astype("<f4").tobytes()


def _add(vector: np.ndarray, feature: str, weight: float) -> None:
    digest = hashlib.blake2b(feature.encode(), digest_size=4).digest()
    place = int.from_bytes(digest, "little")
    vector[place % DIMENSIONS] += weight if place & 0x80000000 else -weight

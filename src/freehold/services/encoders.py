"""The embedding models: which names answer, and the vectors that they give."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct

from freehold.core.errors import Fault, Invalid, NotFound, Unsupported
from freehold.core.known import KNOWN, without_date
from freehold.core.ports import Embedder, Encoder, Use, Vectors
from freehold.core.prompt import Raw


class Encoding(Struct, frozen=True):
    """A name that answers: the embedding model behind it, and what serves that."""

    name: str
    encoder: Encoder
    embedder: Embedder


class Encoders:
    """Resolves the names of embedding models. Built once, from what the embedders really serve."""

    def __init__(self, embedders: Sequence[Embedder], aliases: Mapping[str, str]) -> None:
        """Every embedding name of the real API that has no alias of its own means the first model.

        Raises ValueError when no embedder serves a model.
        """
        served = [Encoding(model.name, model, embedder) for embedder in embedders for model in embedder.models]
        if not served:
            raise ValueError("no embedder serves a model; name one in [[embedders]]")
        self._first = served[0].name
        self._found = {one.name: one for one in reversed(served)}
        own = dict(self._found)
        wanted = {name: self._first for name, known in KNOWN.items() if known.kind == "embedding"}
        for name, target in (wanted | {name: to for name, to in aliases.items() if to in own}).items():
            if name not in own:
                self._found[name] = Encoding(name, own[target].encoder, own[target].embedder)

    def find(self, name: str) -> Encoding | None:
        """Return what answers to a name; None when nothing does."""
        return self._found.get(name)

    @property
    def default(self) -> str:
        """The model of new vector stores. Raises NotFound when its name was withdrawn."""
        if self._first not in self._found:
            raise _unknown(self._first)
        return self._first

    def withdraw(self, name: str) -> bool:
        """Stop answering to a name; False when nothing answered to it."""
        return self._found.pop(name, None) is not None

    def __iter__(self) -> Iterator[Encoding]:
        return iter(self._found.values())

    async def vectors(
        self, name: str, texts: Sequence[Raw], use: Use = "plain", *, dimensions: int | None = None, batch: bool = False
    ) -> Vectors:
        """Return the vectors of texts, cut to `dimensions` numbers where that is asked for.

        Raises NotFound for a name that does not answer, Unsupported for dimensions that the model does not have, and
        what the embedder raises.
        """
        found = self.find(name)
        if found is None:
            raise _unknown(name)
        encoder = found.encoder
        if dimensions is not None:
            _check(encoder, name, dimensions)
        before = {"plain": "", "query": encoder.query, "document": encoder.document}[use]
        given = [before + text if isinstance(text, str) else text for text in texts] if before else texts
        vectors = await found.embedder.embed(encoder.name, given, batch)
        return vectors if dimensions in (None, encoder.dimensions) else _cut(vectors, dimensions)


def _unknown(name: str) -> Fault:
    if without_date(name) in KNOWN:
        return Invalid("You are not allowed to generate embeddings from this model", "invalid_model", "model")
    return NotFound(f"The model `{name}` does not exist or you do not have access to it.", "model_not_found", "model")


def _check(encoder: Encoder, name: str, dimensions: int) -> None:
    if dimensions == encoder.dimensions:
        return
    if encoder.shortest is None:
        raise Unsupported(
            f"This model does not support specifying dimensions: `{name}` gives {encoder.dimensions} numbers.",
            "dimensions",
        )
    if not encoder.shortest <= dimensions <= encoder.dimensions:
        raise Unsupported(
            f"Invalid value for 'dimensions': {dimensions}. The model behind `{name}` gives vectors of "
            f"{encoder.shortest} to {encoder.dimensions} numbers.",
            "dimensions",
            "invalid_value",
        )


def _cut(vectors: Vectors, dimensions: int) -> Vectors:
    """Keep the first numbers of vectors, and make them of length 1 again (Matryoshka, arXiv 2205.13147)."""
    rows = np.frombuffer(b"".join(vectors.rows), "<f4").reshape(len(vectors.rows), -1)[:, :dimensions]
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1.0
    return Vectors(tuple(row.tobytes() for row in (rows / lengths).astype("<f4")), vectors.tokens)

"""The use case behind `/v1/embeddings`."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Raw, json

from freehold.core import prompt
from freehold.core.known import KNOWN, without_date
from freehold.core.principal import Principal
from freehold.services.encoders import Encoders
from freehold.surfaces.decode import Decoder
from freehold.surfaces.embeddings import EmbeddingBody, EmbeddingList, check_total, rendered, texts


class Vocabulary(Protocol):
    """What the tokens of the real embedding models stand for."""

    async def text(self, tokens: Sequence[int], param: str) -> str:
        """Return the text of tokens. Raises Invalid, naming `param`, and EngineFailed."""
        ...


class Embeddings:
    """Answers requests for vectors."""

    def __init__(self, encoders: Encoders, vocabulary: Vocabulary) -> None:
        self._encoders = encoders
        self._vocabulary = vocabulary
        self._decode: Decoder[EmbeddingBody] = Decoder(EmbeddingBody)

    async def create(self, body: EmbeddingBody, batch: bool = False) -> EmbeddingList:
        """Return the vectors of a body's inputs; those of a `batch` let others go first.

        Tokens that come under a name of the real API are that model's, and are read as text; under any other name they
        are those of the model that is served.

        Raises Invalid, Unsupported or NotFound for the caller's faults, and what the embedder raises.
        """
        inputs = texts(body)
        check_total([len(one) for one in inputs if not isinstance(one, str)])
        if without_date(body.model) in KNOWN:
            inputs = [await self._read(one, number) for number, one in enumerate(inputs)]
        vectors = await self._encoders.vectors(body.model, inputs, dimensions=body.dimensions, batch=batch)
        return rendered(body.model, vectors, body.encoding_format)

    async def reply(self, who: Principal, body: Raw) -> bytes:
        """Answer a line of a batch. Raises as `create` does."""
        return json.encode(await self.create(self._decode(body), batch=True))

    async def _read(self, one: prompt.Raw, number: int) -> str:
        return one if isinstance(one, str) else await self._vocabulary.text(one, f"input[{number}]")

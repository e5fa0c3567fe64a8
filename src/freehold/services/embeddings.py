"""The use case behind `/v1/embeddings`."""

from msgspec import Raw, json

from freehold.core.principal import Principal
from freehold.services.encoders import Encoders
from freehold.surfaces.decode import Decoder
from freehold.surfaces.embeddings import EmbeddingBody, EmbeddingList, check_total, rendered, texts


class Embeddings:
    """Answers requests for vectors."""

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders
        self._decode: Decoder[EmbeddingBody] = Decoder(EmbeddingBody)

    async def create(self, body: EmbeddingBody, batch: bool = False) -> EmbeddingList:
        """Return the vectors of a body's inputs; those of a `batch` let others go first.

        Raises Invalid, Unsupported or NotFound for the caller's faults, and what the embedder raises.
        """
        inputs = texts(body)
        check_total([len(one) for one in inputs if not isinstance(one, str)])
        vectors = await self._encoders.vectors(body.model, inputs, dimensions=body.dimensions, batch=batch)
        return rendered(body.model, vectors, body.encoding_format)

    async def reply(self, who: Principal, body: Raw) -> bytes:
        """Answer a line of a batch. Raises as `create` does."""
        return json.encode(await self.create(self._decode(body), batch=True))

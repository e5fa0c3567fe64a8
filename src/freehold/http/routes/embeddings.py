"""`/v1/embeddings`."""

from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import json_object
from freehold.http.paths import Path
from freehold.http.sse import unless_gone
from freehold.services.embeddings import Embeddings
from freehold.surfaces.decode import Decoder
from freehold.surfaces.embeddings import PATH, EmbeddingBody


def paths(embeddings: Embeddings, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    decode: Decoder[EmbeddingBody] = Decoder(EmbeddingBody)

    async def create(request: Request, who: Principal) -> Response:
        body = decode(await read_json(request, max_body))
        return json_object(await unless_gone(request.receive, embeddings.create(body)))

    return [Path("POST", PATH, create, EmbeddingBody)]

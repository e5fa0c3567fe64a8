"""The embedder of GGUF models, in llama.cpp."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from freehold.core.ports import Embedder, Encoder
from freehold.engines.embedders import MULTILINGUAL, STARTER, EmbedderSpec
from freehold.engines.embedding.hosted import open_hosted
from freehold.engines.llama.header import read_header
from freehold.engines.registry import Find

_BACKEND = "freehold.engines.llama.encoder:LlamaEncoder"
_MOST_CONTEXT = 8_192
_NOMIC = Encoder(
    name=STARTER,
    dimensions=768,
    context=2_048,
    created=1_707_868_800,
    owned_by="nomic-ai",
    backend="llama.cpp",
    shortest=64,
    query="search_query: ",
    document="search_document: ",
)
_E5 = Encoder(
    name=MULTILINGUAL,
    dimensions=384,
    context=512,
    created=1_686_787_200,
    owned_by="intfloat",
    backend="llama.cpp",
    query="query: ",
    document="passage: ",
)
_STARTERS = {one.name: one for one in (_NOMIC, _E5)}


@asynccontextmanager
async def open_llama(spec: EmbedderSpec, find: Find) -> AsyncGenerator[Embedder, None]:
    """Yield the embedder of a GGUF file. A starter is fetched when it is first used.

    Raises ValueError for a file that is no embedding model, and what `find` raises.
    """
    encoder = _STARTERS.get(spec.model) or await asyncio.to_thread(_encoder, spec, find)
    async with open_hosted(spec, encoder, _BACKEND, lambda: find(spec.model)) as embedder:
        yield embedder


def _encoder(spec: EmbedderSpec, find: Find) -> Encoder:
    """What the header of a model's file says of it."""
    path: Path = find(spec.model)
    header = read_header(path)
    kind = header.get("general.architecture")
    if f"{kind}.pooling_type" not in header:
        raise ValueError(f"embedder {spec.name!r}: {path} is no embedding model: its header names no pooling")
    return Encoder(
        name=path.stem if spec.model.endswith(".gguf") else spec.model,
        dimensions=int(header.get(f"{kind}.embedding_length", 0)),
        context=min(int(header.get(f"{kind}.context_length", _MOST_CONTEXT)), _MOST_CONTEXT),
        created=int(path.stat().st_mtime),
        backend="llama.cpp",
    )

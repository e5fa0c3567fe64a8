"""The embedder of kind `remote`: any server that speaks `/v1/embeddings`."""

import logging
from base64 import b64decode
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
from msgspec import json

from freehold.core.errors import Fault, Invalid, RemoteFailed
from freehold.core.ports import Embedder, Encoder, Vectors
from freehold.core.prompt import Raw
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.embedding.slices import slices
from freehold.engines.gate import Claim, Gate
from freehold.engines.registry import Find
from freehold.engines.remote import wire
from freehold.engines.remote.address import address
from freehold.engines.remote.broken import Broken
from freehold.engines.remote.client import Client, Patience
from freehold.engines.remote.exchange import failed
from freehold.engines.remote.faults import TOO_LONG, refused
from freehold.engines.remote.probe import ASKING, whole

CONTEXT = 8_192
"""The most tokens of one input, where neither the settings nor the server name them."""
_CREATED = 1_735_689_600
_SLOTS = 8
_PATIENCE = Patience(connect=10.0, first=120.0, between=60.0)
_TRIAL = Patience(connect=3.0, first=30.0, between=30.0)
_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_remote(spec: EmbedderSpec, find: Find) -> AsyncGenerator[Embedder, None]:
    """Yield a RemoteEmbedder of the one model of `spec`.

    Raises ValueError for a spec without a url or with a wrong one, and where `dimensions` are not set and the server
    does not answer: nothing can be stored without them.
    """
    if spec.url is None:
        raise ValueError(f"embedder {spec.name!r}: an embedder of kind 'remote' needs a url")
    try:
        client = Client(address(spec.url), spec.key, _PATIENCE)
    except ValueError as error:
        raise ValueError(f"embedder {spec.name!r}: {error}") from None
    try:
        encoder = await _encoder(client, spec)
        yield RemoteEmbedder(client, encoder, Gate(_SLOTS, spec.queue))
    finally:
        client.close()


class RemoteEmbedder:
    """Sends texts on, a slice at a time: between two of them, others have their turn."""

    def __init__(self, client: Client, encoder: Encoder, gate: Gate) -> None:
        self.models = (encoder,)
        self._client = client
        self._gate = gate

    async def embed(self, model: str, texts: Sequence[Raw], batch: bool = False) -> Vectors:
        """Return the vectors of texts, of length 1; those of a `batch` wait for all others.

        Raises Invalid that names `input[N]`, or a slice's first, EngineBusy, RemoteFailed.
        """
        rows: list[bytes] = []
        tokens = 0
        sizes = [len(text.encode()) if isinstance(text, str) else 4 * len(text) for text in texts]
        for part in slices(sizes):
            async with self._gate.enter(claim=Claim(batch=batch)):
                told = await _embedded(self._client, model, [texts[number] for number in part], part.start)
            found = _rows(told, len(part), self.models[0].dimensions)
            rows += found
            tokens += (told.usage.prompt_tokens or 0) if told.usage is not None else 0
        return Vectors(tuple(rows), tokens)


async def _encoder(client: Client, spec: EmbedderSpec) -> Encoder:
    """The model as it is configured; what is not, is asked."""
    dimensions = spec.dimensions
    if dimensions is None:
        try:
            told = await _embedded(client, spec.model, ["dimensions"], 0, _TRIAL)
            dimensions = len(_numbers(told.data[0]))
        except (Fault, IndexError) as fault:
            raise ValueError(
                f"embedder {spec.name!r}: {client.address} does not say how many numbers the vectors of {spec.model!r} "
                f"have ({fault}); set `dimensions`"
            ) from fault
    context = spec.context or await _context(client, spec.model) or CONTEXT
    return Encoder(name=spec.model, dimensions=dimensions, context=context, created=_CREATED, backend="remote")


async def _context(client: Client, model: str) -> int | None:
    """What the server's list of models says."""
    try:
        status, body = await whole(client, "GET", client.address.path + "/models", b"", ASKING)
        listed = wire.read_models(body).data or [] if status == 200 else []
    except (Broken, msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.warning("%s could not be asked for its models: %s", client.address, error)
        return None
    found = next((one for one in listed if one.id == model), None)
    about = found.freehold or {} if found is not None else {}
    context = about.get("context_length")
    return found.max_model_len or (context if isinstance(context, int) else None) if found is not None else None


async def _embedded(
    client: Client, model: str, texts: Sequence[Raw], first: int, patience: Patience | None = None
) -> wire.Embedded:
    """Ask for the vectors of some texts, of which the `first` stands at that place in the request."""
    body: dict[str, Any] = {"model": model, "input": texts, "encoding_format": "float"}
    where = client.where
    try:
        status, answer = await whole(client, "POST", client.address.path + "/embeddings", json.encode(body), patience)
    except Broken as broken:
        raise failed(broken, where) from None
    if status != 200:
        fault = refused(status, answer, 1.0, where)
        if isinstance(fault, Invalid):
            code = fault.code if fault.code == TOO_LONG else "invalid_value"
            raise Invalid(fault.message, code, f"input[{first}]" if len(texts) == 1 else "input")
        raise fault
    try:
        return wire.read_vectors(answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteFailed("The server of this model sent something that is no list of vectors.") from error


def _rows(told: wire.Embedded, count: int, dimensions: int) -> list[bytes]:
    """The vectors in their order, as the port has them. Raises RemoteFailed for too few, or other ones."""
    places = [place if one.index is None else one.index for place, one in enumerate(told.data)]
    if sorted(places) != list(range(count)):
        raise RemoteFailed(f"The server of this model sent {len(told.data)} vectors for {count} texts.")
    rows = [b""] * count
    for place, one in zip(places, told.data, strict=True):
        vector = _numbers(one)
        length = float(np.linalg.norm(vector))
        if len(vector) != dimensions or not np.isfinite(length):
            raise RemoteFailed(f"The server of this model sent a vector of {len(vector)} numbers, not {dimensions}.")
        rows[place] = (vector / (length or 1.0)).astype("<f4").tobytes()
    return rows


def _numbers(one: wire.Vector) -> np.ndarray:
    if isinstance(one.embedding, str):
        try:
            return np.frombuffer(b64decode(one.embedding, validate=True), "<f4")
        except ValueError as error:
            raise RemoteFailed("The server of this model sent something that is no list of vectors.") from error
    return np.asarray(one.embedding, "<f4")

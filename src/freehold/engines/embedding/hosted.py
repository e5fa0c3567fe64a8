"""An embedder whose model is hosted by a supervised process, which is there only while it is used."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from freehold.core.errors import EngineFailed, Invalid
from freehold.core.ports import Embedder, Encoder, Vectors
from freehold.core.prompt import Raw
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.embedding.faults import too_long
from freehold.engines.embedding.slices import slices
from freehold.engines.gate import Claim, Gate
from freehold.engines.on_demand import OnDemand
from freehold.engines.worker.client import StartFailed, Worker, open_worker
from freehold.engines.worker.messages import Open, Refused

_SLOTS = 4


class Seat(NamedTuple):
    """An embedding model that is loaded: its process, and the gate before it."""

    worker: Worker
    gate: Gate


@asynccontextmanager
async def open_hosted(
    spec: EmbedderSpec, encoder: Encoder, backend: str, path: Callable[[], Path]
) -> AsyncGenerator[Embedder, None]:
    """Yield an embedder of one model; `backend` is "module:class", `path` returns the model's file, and may block.

    Both the file is fetched and the model loaded when it is first used.
    """
    context = min(encoder.context, spec.context or encoder.context)

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Seat, None]:
        try:
            found = await asyncio.to_thread(path)
        except Exception as error:
            raise EngineFailed(f"The embedding model {spec.model!r} cannot be had: {error}") from error
        opening = Open(
            backend=backend,
            path=str(found),
            folder="",
            slots=_SLOTS,
            context=context,
            pool=None,
            threads=spec.threads,
        )
        try:
            async with open_worker(opening) as (worker, _):
                yield Seat(worker, Gate(1, spec.queue))
        except StartFailed as failure:
            raise EngineFailed(f"The embedding model {spec.model!r} could not be loaded: {failure.reason}") from failure

    seat = OnDemand(opened)
    try:
        yield HostedEmbedder(encoder, context, seat)
    finally:
        await seat.close()


class HostedEmbedder:
    """Embeds a slice of the texts at a time: between two of them, others have their turn."""

    def __init__(self, encoder: Encoder, context: int, seat: OnDemand[Seat]) -> None:
        """`context` is the most tokens of a text."""
        self._context = context
        self._seat = seat
        self.models = (encoder,)

    async def embed(self, model: str, texts: Sequence[Raw], batch: bool = False) -> Vectors:
        """Return the vectors of texts; those of a `batch` wait for all others."""
        rows: list[bytes] = []
        tokens = 0
        sizes = [len(text.encode()) if isinstance(text, str) else 4 * len(text) for text in texts]
        async with self._seat.use() as seat:
            for part in slices(sizes):
                async with seat.gate.enter(claim=Claim(batch=batch)):
                    try:
                        told = await seat.worker.embed(tuple(texts[number] for number in part))
                    except Refused as refusal:
                        raise Invalid(str(refusal), "invalid_value", "input") from refusal
                if told.too_long is not None:
                    raise too_long(part.start + told.too_long, told.tokens, self._context)
                rows += told.rows
                tokens += told.tokens
        return Vectors(tuple(rows), tokens)

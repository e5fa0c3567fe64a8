"""Where a model sits: the process that runs it, the gate before it, and a second such place for batches."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from freehold.core.errors import EngineFailed
from freehold.core.ports import Served
from freehold.engines.gate import Gate
from freehold.engines.llama.projector import find_projector
from freehold.engines.llama.quiet import Quiet
from freehold.engines.parsers.thoughts import TAGS, Notation, trained
from freehold.engines.registry import SLOTS, EngineSpec, Find
from freehold.engines.worker.client import StartFailed, Worker, open_worker
from freehold.engines.worker.messages import Open, Ready

_MOST_OUTPUT = 4_096
_SENTENCE_PIECE = "llama"  # llama.cpp misreads the spaces of these vocabularies in grammars: their answers break them
_ERROR_LINE = re.compile(r"^[\d.]+ E +[^:]*: *(?:error loading model: *)?(.+)$")


class Seat(Struct, frozen=True):
    """A model that is served: the process that runs it, the gate before it, and how it writes down its thoughts.

    One that is `apart` is for batches only.
    """

    served: Served
    worker: Worker
    gate: Gate
    notation: Notation
    vocabulary: int
    biases: bool = True
    apart: bool = False


async def find_opening(spec: EngineSpec, name: str, find: Find, backend: str) -> Open:
    """Return how a `backend` ("module:class") opens a model; raises what `find` raises."""
    path = await asyncio.to_thread(find, name)
    projector = await asyncio.to_thread(find_projector, spec, path)
    draft = None if spec.draft is None else await asyncio.to_thread(find, spec.draft)
    return Open(
        backend=backend,
        path=str(path),
        folder="",
        slots=spec.slots or SLOTS,
        context=spec.context,
        pool=spec.pool,
        threads=spec.threads,
        projector=None if projector is None else str(projector),
        cache_mb=spec.cache_mb,
        kept=spec.kept or "",
        kept_mb=spec.kept_mb,
        shared_prefixes=spec.shared_prefixes,
        speculates=spec.speculation == "prompt",
        draft=None if draft is None else str(draft.absolute()),
    )


@asynccontextmanager
async def open_seat(name: str, opening: Open, queue: int) -> AsyncGenerator[Seat, None]:
    """Yield a model that is loaded; raises EngineFailed, saying why, when it cannot be."""
    async with AsyncExitStack() as stack:
        try:
            worker, ready = await stack.enter_async_context(open_worker(opening))
        except StartFailed as failure:
            message = f"The model {name!r} could not be loaded from {opening.path}: {_why(failure)}."
            raise EngineFailed(message) from failure
        gate = Gate(opening.slots, queue, ready.pool)
        notation = trained(ready.template) or TAGS
        yield Seat(
            _served(name, ready, opening), worker, gate, notation, ready.vocabulary, ready.biases, opening.background
        )


@asynccontextmanager
async def open_aside(name: str, opening: Open, queue: int, quiet: Quiet) -> AsyncGenerator[Seat, None]:
    """Yield a second seat of a model, for batches: it computes only while nothing else does.

    So a batch holds nobody up, and nothing of it has to be read again. It has no draft model: many answers at once
    leave no computing time for guesses. Raises as `open_seat` does.
    """
    async with open_seat(name, replace(opening, background=True, draft=None), queue) as seat:
        remove = quiet.add(seat.worker)
        try:
            yield seat
        finally:
            remove()


def _served(name: str, ready: Ready, opening: Open) -> Served:
    return Served(
        name=name,
        context=ready.context,
        max_output=min(_MOST_OUTPUT, ready.context // 2),
        created=ready.created,
        backend=ready.backend,
        fingerprint=ready.fingerprint,
        vision="native" if ready.sees else "none",
        temperature=ready.temperature,
        top_p=ready.top_p,
        constrained=ready.tokenizer != _SENTENCE_PIECE,
        logprobs=ready.logprobs,
        lasting=ready.lasting and bool(opening.kept) and not ready.sees,
        thinking="trained" if trained(ready.template) else "prompted",
    )


def _why(failure: StartFailed) -> str:
    """Return the first complaint in llama.cpp's log, which names the cause where its exception does not."""
    found = _first_complaint(failure.lines)
    return f"{found} ({failure.reason.rstrip('.')})" if found else failure.reason.rstrip(".")


def _first_complaint(lines: Sequence[str]) -> str | None:
    return next((match[1].rstrip(".") for line in lines if (match := _ERROR_LINE.match(line))), None)

"""The embedded engine: GGUF models in llama.cpp, each in a supervised process of its own."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from freehold.core.deltas import Delta, Stop, Text, Usage
from freehold.core.errors import EngineFailed, Invalid, NotFound
from freehold.core.ports import Engine, Load, Served
from freehold.core.prompt import Prompt
from freehold.engines.gate import Gate
from freehold.engines.llama.grammar import grammar
from freehold.engines.parsers.calls import Calls
from freehold.engines.parsers.render import offered, render
from freehold.engines.registry import EngineSpec, Find
from freehold.engines.worker.client import StartFailed, Worker, open_worker
from freehold.engines.worker.messages import Done, Failed, Generate, Open, Piece, Ready, Refused

_BACKEND = "freehold.engines.llama.model:LlamaModel"
_MOST_OUTPUT = 4_096
_ERROR_LINE = re.compile(r"^[\d.]+ E +[^:]*: *(?:error loading model: *)?(.+)$")


class Seat(Struct, frozen=True):
    """A model that is served: the process that runs it and the gate before it."""

    served: Served
    worker: Worker
    gate: Gate


@asynccontextmanager
async def open_llama(spec: EngineSpec, find: Find) -> AsyncGenerator[Engine, None]:
    """Yield a LlamaEngine with every model of `spec` loaded.

    Raises ValueError when the spec names none, EngineFailed, saying why, when one cannot be loaded, and what `find`
    raises.
    """
    if not spec.models:
        raise ValueError(f"engine {spec.name!r}: an engine of kind 'llama' needs the names of its models")
    async with AsyncExitStack() as stack:
        yield LlamaEngine({name: await _seat(spec, name, find, stack) for name in dict.fromkeys(spec.models)})


class LlamaEngine:
    """Answers with llama.cpp.

    Sampling: an explicit temperature or top_p is obeyed exactly and alone (llama.cpp's own top_k and min_p are off
    then). Without one, the model file's recommendation holds, else temperature 0.7 and top_p 0.9.
    A running request holds its prompt and its `max_tokens` of the model's memory; one that asks for more than fits the
    context, or than the model's `max_output`, gets what fits and ends with the reason `length`.
    """

    def __init__(self, seats: Mapping[str, Seat]) -> None:
        self._seats = seats

    @property
    def models(self) -> tuple[Served, ...]:
        """The models of the configuration; one whose process is being restarted is still among them."""
        return tuple(seat.served for seat in self._seats.values())

    @property
    def load(self) -> Load:
        """How full the engine is, all its models together."""
        loads = [seat.gate.load for seat in self._seats.values()]
        return Load(
            running=sum(load.running for load in loads),
            waiting=sum(load.waiting for load in loads),
            limit=sum(load.limit for load in loads),
        )

    async def admit(self, prompt: Prompt) -> Prompt:
        """Return the prompt with the tokens that the model will read.

        Raises Invalid when they do not fit the context or the model's chat template does not take these turns, NotFound
        for a model that is not served here, EngineBusy, EngineFailed.
        """
        seat = self._find(prompt.model)
        seat.gate.check()
        try:
            tokens = await seat.worker.tokenize(render(prompt))
        except Refused as refusal:
            raise Invalid(str(refusal), param="input") from refusal
        if len(tokens) >= seat.served.context:
            raise Invalid(
                f"This model's maximum context length is {seat.served.context} tokens. However, your messages resulted "
                f"in {len(tokens)} tokens. Please reduce the length of the messages.",
                "context_length_exceeded",
                "input",
            )
        return replace(prompt, tokens=tokens)

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield the answer, Stop last; a prompt without tokens is admitted first, with what `admit` raises.

        Raises EngineBusy before the first delta, EngineFailed at any time. Closing it has the model stop at once; the
        place at the gate is free again when the process has confirmed that.
        """
        if not prompt.tokens:
            prompt = await self.admit(prompt)
        seat = self._find(prompt.model)
        request = _request(prompt, seat.served)
        if not request.limit:
            yield Stop("length", Usage(input=len(prompt.tokens)))
            return
        place = await seat.gate.acquire(len(prompt.tokens) + request.limit)
        try:
            await seat.worker.up()
        except BaseException:
            place.release()
            raise
        answer = seat.worker.start(request, place.release)
        calls = Calls(tuple(one.name for one in offered(prompt)))
        read = calls.feed if offered(prompt) else _plain
        try:
            while True:
                for message in await answer.take():
                    if type(message) is Piece:
                        for delta in read(message.text):
                            yield delta
                    else:
                        for delta in calls.end():
                            yield delta
                        yield _stop(message)
                        return
        finally:
            answer.close()

    def _find(self, model: str) -> Seat:
        seat = self._seats.get(model)
        if seat is None:
            raise NotFound(f"The model `{model}` is not served by this engine.", "model_not_found", "model")
        return seat


def _plain(text: str) -> tuple[Text]:
    return (Text(text),)


def _request(prompt: Prompt, served: Served) -> Generate:
    wanted = prompt.sampling
    room = min(served.context - len(prompt.tokens), served.max_output)
    return Generate(
        id=0,
        tokens=prompt.tokens,
        limit=room if wanted.max_tokens is None else max(0, min(wanted.max_tokens, room)),
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        stop=wanted.stop,
        seed=wanted.seed,
        presence_penalty=wanted.presence_penalty,
        frequency_penalty=wanted.frequency_penalty,
        grammar=grammar(prompt),
    )


def _stop(message: Piece | Done | Failed) -> Stop:
    """Return the last delta of an answer; raises EngineFailed for one that did not come to its end."""
    match message:
        case Done(reason="stop" | "length" as reason):
            return Stop(reason, Usage(input=message.input, cached=message.cached, output=message.output))
        case Failed():
            raise EngineFailed(message.message)
        case _:
            raise EngineFailed("The engine stopped in the middle of the answer.")


async def _seat(spec: EngineSpec, name: str, find: Find, stack: AsyncExitStack) -> Seat:
    path = await asyncio.to_thread(find, name)
    opening = Open(
        backend=_BACKEND,
        path=str(path),
        folder="",
        slots=spec.slots,
        context=spec.context,
        pool=spec.pool,
        threads=spec.threads,
    )
    try:
        worker, ready = await stack.enter_async_context(open_worker(opening))
    except StartFailed as failure:
        raise EngineFailed(f"The model {name!r} could not be loaded from {path}: {_why(failure)}.") from failure
    return Seat(_served(name, ready), worker, Gate(spec.slots, spec.queue, ready.pool))


def _served(name: str, ready: Ready) -> Served:
    return Served(
        name=name,
        context=ready.context,
        max_output=min(_MOST_OUTPUT, ready.context // 2),
        created=ready.created,
        backend=ready.backend,
        fingerprint=ready.fingerprint,
        temperature=ready.temperature,
        top_p=ready.top_p,
        constrained=True,
    )


def _why(failure: StartFailed) -> str:
    """Return the first complaint in llama.cpp's log, which names the cause where its exception does not."""
    found = _first_complaint(failure.lines)
    return f"{found} ({failure.reason.rstrip('.')})" if found else failure.reason.rstrip(".")


def _first_complaint(lines: Sequence[str]) -> str | None:
    return next((match[1].rstrip(".") for line in lines if (match := _ERROR_LINE.match(line))), None)

"""The embedded engine: GGUF models in llama.cpp, each in a supervised process of its own."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial

from msgspec.structs import replace

from freehold.core.deltas import Delta, Stop, Text, Thought, Usage
from freehold.core.errors import EngineFailed, Invalid, NotFound, Unsupported
from freehold.core.items import Logprob
from freehold.core.ports import Engine, Load, Served
from freehold.core.prompt import Function, Prompt, Turn
from freehold.engines.gate import Place, claim_of
from freehold.engines.llama.grammar import Flaw, Grammars
from freehold.engines.llama.inspection import open_inspection
from freehold.engines.llama.quiet import Quiet
from freehold.engines.llama.seat import Seat, find_opening, open_aside, open_seat
from freehold.engines.on_demand import OnDemand
from freehold.engines.parsers.calls import Calls, Found
from freehold.engines.parsers.render import offered, render, render_said
from freehold.engines.parsers.thoughts import DOUBT, HURRIED, Beginning, least
from freehold.engines.registry import EngineSpec, Find
from freehold.engines.worker.client import Worker
from freehold.engines.worker.messages import Done, Earlier, Failed, Generate, Piece, Refused, Thinking

_BACKEND = "freehold.engines.llama.model:LlamaModel"
_CLOSING = 32  # tokens that the end of a thought may take
_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_llama(spec: EngineSpec, find: Find) -> AsyncGenerator[Engine, None]:
    """Yield a LlamaEngine with every model of `spec` loaded; raises what `open_embedded` raises."""
    async with open_embedded(spec, find, _BACKEND) as engine:
        yield engine


@asynccontextmanager
async def open_embedded(
    spec: EngineSpec, find: Find, backend: str, grammars: Callable[[Flaw], Grammars] = Grammars
) -> AsyncGenerator[Engine, None]:
    """Yield an engine with every model of `spec` loaded by a `backend` ("module:class"), which reads such `grammars`.

    Raises ValueError when the spec names none, EngineFailed, saying why, when one cannot be loaded, and what `find`
    raises.
    """
    if not spec.models:
        raise ValueError(f"engine {spec.name!r}: an engine of kind {spec.kind!r} needs the names of its models")
    async with AsyncExitStack() as stack:
        inspection = await stack.enter_async_context(open_inspection())
        seats, asides, quiet = dict[str, Seat](), dict[str, OnDemand[Seat]](), Quiet()
        for name in dict.fromkeys(spec.models):
            opening = await find_opening(spec, name, find, backend)
            seats[name] = await stack.enter_async_context(open_seat(name, opening, spec.queue))
            asides[name] = OnDemand(partial(open_aside, name, opening, spec.queue, quiet))
            stack.push_async_callback(asides[name].close)
        yield LlamaEngine(seats, asides, quiet, grammars(inspection.flaw))


class LlamaEngine:
    """Answers with models that a backend runs in processes of their own: llama.cpp, or another that reads GGUF files.

    Sampling: an explicit temperature or top_p is obeyed exactly and alone (llama.cpp's own top_k and min_p are off
    then). Without one, the model file's recommendation holds, else temperature 0.7 and top_p 0.9.
    A running request holds its prompt and its `max_tokens` of the model's memory; one that asks for more than fits the
    context, or than the model's `max_output`, gets what fits and ends with the reason `length`.
    """

    def __init__(
        self, seats: Mapping[str, Seat], asides: Mapping[str, OnDemand[Seat]], quiet: Quiet, grammars: Grammars
    ) -> None:
        """`asides` are the seats of batches, by model."""
        self._quiet = quiet
        self._seats = seats
        self._asides = asides
        self._grammars = grammars

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
            slots=sum(load.slots for load in loads),
        )

    @property
    def processes(self) -> tuple[int, ...]:
        """The ids of the processes that its models run in; one that is being restarted has none."""
        return tuple(seat.worker.pid for seat in self._seats.values() if seat.worker.pid is not None)

    async def admit(self, prompt: Prompt) -> Prompt:
        """Return the prompt with the tokens that the model will read.

        Raises Invalid when they do not fit the context, the model's chat template does not take these turns, or the
        model cannot be held to a schema or grammar; Unsupported for biases and suffixes that it does not take,
        NotFound for a model that is not served here, EngineBusy, EngineFailed.
        """
        seat, claim = self._find(prompt.model), claim_of(prompt)
        seat.gate.check(claim)
        if seat.served.constrained:
            await self._grammars.check(prompt)
        _check_biases(prompt, seat)
        _check_tokens(prompt, seat.vocabulary)
        raw = prompt.raw
        try:
            if raw is None:
                tokens = await seat.worker.tokenize(*_written(prompt, seat))
            else:
                told = await seat.worker.tokenize_raw(raw, prompt.suffix)
                tokens, raw = told.tokens, told.text
        except Refused as refusal:
            if prompt.suffix is not None:
                raise Unsupported(str(refusal), "suffix") from refusal
            raise Invalid(str(refusal), param="input") from refusal
        if len(tokens) >= seat.served.context:
            raise Invalid(
                f"This model's maximum context length is {seat.served.context} tokens. However, your messages resulted "
                f"in {len(tokens)} tokens. Please reduce the length of the messages.",
                "context_length_exceeded",
                "input",
            )
        seat.gate.check(claim)  # it may have filled meanwhile, and this is the last moment before a stream's head
        return replace(prompt, tokens=tokens, raw=raw)

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield the answer, Stop last; a prompt without tokens is admitted first, with what `admit` raises.

        Raises EngineBusy before the first delta, EngineFailed at any time. Closing it has the model stop at once; the
        place at the gate is free again when the process has confirmed that.
        """
        if not prompt.tokens:
            prompt = await self.admit(prompt)
        async with self._take(prompt) as seat, aclosing(self._generate(prompt, seat)) as deltas:
            async for delta in deltas:
                yield delta

    async def _generate(self, prompt: Prompt, seat: Seat) -> AsyncGenerator[Delta, None]:
        grammar = await self._grammars.write(prompt) if seat.served.constrained else ""
        request = _request(prompt, seat, await self._grammars.spell(prompt, grammar))
        if not request.limit:
            yield Stop("length", Usage(input=len(prompt.tokens), written=0))
            return
        held = grammar and request.earlier.written
        answer = self._rest(prompt, seat, request, grammar) if held else self._answer(prompt, seat, request, grammar)
        async with aclosing(answer) as deltas:
            async for delta in deltas:
                yield delta

    async def _answer(self, prompt: Prompt, seat: Seat, request: Generate, grammar: str) -> AsyncGenerator[Delta, None]:
        place = await _enter(prompt, seat, request)
        answer = seat.worker.start(request, place.release)
        reader = _reader(prompt, request)
        try:
            while True:
                for message in await answer.take():
                    place.begin()
                    if type(message) is Piece:
                        for delta in reader.read(message):
                            yield delta
                    else:
                        for delta in reader.end():
                            yield delta
                        if isinstance(message, Done) and message.reason == "stop" and not request.stop:
                            await self._verify(grammar, reader.answer)
                        yield _stop(message)
                        return
        finally:
            answer.close()

    async def _verify(self, grammar: str, answer: str) -> None:
        """Raise EngineFailed for a finished answer that is not what it was held to."""
        if grammar and not await asyncio.to_thread(self._grammars.holds, grammar, answer):
            raise EngineFailed("The engine did not keep to the schema or grammar of the request.")

    async def _rest(self, prompt: Prompt, seat: Seat, request: Generate, grammar: str) -> AsyncGenerator[Delta, None]:
        """Yield the rest of an answer that is held to a grammar."""
        rest = self._grammars.follow(grammar, request.earlier.written)
        reader = _reader(prompt, request)
        place = await _enter(prompt, seat, request)
        try:
            async with aclosing(rest.go_on(partial(_write, seat.worker, request))) as texts:
                async for text in texts:
                    place.begin()
                    for delta in reader.read(Piece(0, text)):
                        yield delta
            for delta in reader.end():
                yield delta
            async with aclosing(_messages(seat.worker, _behind(request, rest.written, limit=0))) as messages:
                async for message in messages:
                    yield replace(_stop(message), reason="length" if rest.cut else "stop")
        finally:
            place.release()

    @asynccontextmanager
    async def _take(self, prompt: Prompt) -> AsyncGenerator[Seat, None]:
        """Hold the seat that answers the prompt. While somebody waits for the answer, batches stand still."""
        async with AsyncExitStack() as stack:
            if not prompt.batch:
                stack.callback(self._quiet.answer())
                yield self._find(prompt.model)
                return
            try:
                seat = await stack.enter_async_context(self._asides[prompt.model].use())
            except EngineFailed as failure:
                _log.warning("batches share the process of everybody else: %s", failure)
                seat = self._find(prompt.model)
            yield seat

    def _find(self, model: str) -> Seat:
        seat = self._seats.get(model)
        if seat is None:
            raise NotFound(f"The model `{model}` is not served by this engine.", "model_not_found", "model")
        return seat


class Reader:
    """Turns the pieces of an answer into deltas: thoughts, text and calls of the functions that are offered."""

    def __init__(self, functions: tuple[Function, ...], ending: str = "", recording: bool = False) -> None:
        """`ending` closed a thought before the answer; `recording` keeps the answer as written, for `answer`."""
        self._beginning = Beginning(ending) if ending else None
        self._calls = Calls(functions) if functions else None
        self._logprobs: tuple[Logprob, ...] = ()
        self._written: list[str] | None = [] if recording else None

    @property
    def answer(self) -> str:
        """What the model wrote after its thoughts, as far as it was recorded."""
        return "".join(self._written or ())

    def read(self, piece: Piece) -> Sequence[Delta]:
        """Return what a piece holds, as far as it is certain."""
        if piece.thought:
            return (Thought(piece.text),)
        if self._beginning is not None:
            return self._begin(self._beginning, piece)
        if self._written is not None:
            self._written.append(piece.text)
        if self._calls is None:
            return (Text(piece.text, piece.logprobs),)
        self._logprobs += piece.logprobs
        return self._told(self._calls.feed(piece.text))

    def end(self) -> Sequence[Delta]:
        """Return what was not certain before: the answer is over."""
        begun = self._go_on(self._beginning, self._beginning.end(), ()) if self._beginning else ()
        return begun if self._calls is None else (*begun, *self._told(self._calls.end()))

    def _begin(self, beginning: Beginning, piece: Piece) -> Sequence[Delta]:
        """Read the first text that is no mark; the log-probabilities of marks are not told."""
        self._logprobs += piece.logprobs
        if (text := beginning.feed(piece.text)) is None:
            return ()
        return self._go_on(beginning, text, piece.logprobs)

    def _go_on(self, beginning: Beginning, text: str, last: tuple[Logprob, ...]) -> Sequence[Delta]:
        logprobs = last if beginning.dropped else self._logprobs
        self._beginning, self._logprobs = None, ()
        return self.read(Piece(0, text, logprobs=logprobs)) if text else ()

    def _told(self, found: Sequence[Found]) -> Sequence[Delta]:
        """Give text the log-probabilities of the tokens since the last text; those of calls are not told."""
        if not self._logprobs or not found:
            return found
        logprobs, self._logprobs = self._logprobs, ()
        told: list[Delta] = []
        for one in found:
            if isinstance(one, Text):
                told.append(Text(one.text, logprobs))
                logprobs = ()
            else:
                told.append(one)
        return told


async def _enter(prompt: Prompt, seat: Seat, request: Generate) -> Place:
    """Wait for a place at the gate, and for the worker."""
    claim = replace(claim_of(prompt), batch=prompt.batch and not seat.apart)
    place = await seat.gate.acquire(len(prompt.tokens) + request.limit, claim)
    try:
        await seat.worker.up()
    except BaseException:
        place.release()
        raise
    return place


def _reader(prompt: Prompt, request: Generate) -> Reader:
    """A reader that has read what was written earlier: that was told, and it has to be known where the rest begins."""
    closed = request.thinking.ending if request.thinking and not request.grammar else ""
    reader = Reader(offered(prompt), closed, recording=bool(request.grammar))
    if request.earlier.written:
        reader.read(Piece(0, request.earlier.written))
    return reader


async def _messages(worker: Worker, request: Generate) -> AsyncGenerator[Piece | Done | Failed, None]:
    """Yield what the worker says to a request that is one of several of an answer."""
    answer = worker.start(request, lambda: None)
    try:
        going = True
        while going:
            for message in await answer.take():
                going = isinstance(message, Piece)
                yield message
    finally:
        answer.close()


async def _write(worker: Worker, request: Generate, written: str, grammar: str) -> AsyncGenerator[Piece | Done, None]:
    """Have the model go on behind what is written. Raises EngineFailed."""
    async with aclosing(_messages(worker, _behind(request, written, request.limit, grammar))) as messages:
        async for message in messages:
            if not isinstance(message, Piece):
                _stop(message)
            if not isinstance(message, Failed):
                yield message


def _behind(request: Generate, written: str, limit: int, grammar: str = "") -> Generate:
    """The same request behind more that is written already."""
    return replace(request, limit=limit, grammar=grammar, earlier=replace(request.earlier, written=written))


def _check_biases(prompt: Prompt, seat: Seat) -> None:
    if prompt.sampling.logit_bias and not seat.biases:
        raise Unsupported("Unsupported parameter: 'logit_bias' is not supported with this model.", "logit_bias")


def _check_tokens(prompt: Prompt, vocabulary: int) -> None:
    """Refuse the tokens of a prompt, or of its biases, that the model does not have."""
    for token in prompt.raw if isinstance(prompt.raw, tuple) else ():
        if token >= vocabulary:
            raise Invalid(
                f"Invalid token in the prompt: {token}. The model behind this name has {vocabulary} tokens.",
                "invalid_value",
                "input",
            )
    for token in prompt.sampling.logit_bias:
        if token >= vocabulary:
            raise Invalid(
                f"Invalid key in 'logit_bias': {token}. The model behind this name has {vocabulary} tokens.",
                "invalid_value",
                "logit_bias",
            )


def _request(prompt: Prompt, seat: Seat, grammar: str) -> Generate:
    wanted, served = prompt.sampling, seat.served
    turns, begun = _written(prompt, seat) if any(turn.images for turn in prompt.turns) else ((), "")
    earlier = _earlier(prompt)
    room = min(served.context - len(prompt.tokens) - (_CLOSING if prompt.thinking else 0), served.max_output)
    return Generate(
        id=0,
        tokens=prompt.tokens,
        limit=max(0, room if wanted.max_tokens is None else min(wanted.max_tokens, room)),
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        stop=wanted.stop,
        seed=wanted.seed,
        presence_penalty=wanted.presence_penalty,
        frequency_penalty=wanted.frequency_penalty,
        grammar="" if earlier.written else grammar,
        thinking=_thinking(prompt.thinking, seat) if prompt.thinking else None,
        logit_bias=tuple(wanted.logit_bias.items()),
        logprobs=wanted.logprobs,
        turns=turns,
        begun=begun,
        earlier=earlier,
        caching=prompt.caching,
        predicted=prompt.predicted,
    )


def _thinking(budget: int, seat: Seat) -> Thinking:
    marks = Thinking(budget, seat.notation.ending, seat.notation.closing, HURRIED)
    return marks if seat.served.thinking == "trained" else replace(marks, least=least(budget), doubt=DOUBT)


def _earlier(prompt: Prompt) -> Earlier:
    """The beginning of the answer as the model wrote it, or could have."""
    return Earlier(prompt.begun.thought, prompt.begun.thinking, render_said(prompt))


def _written(prompt: Prompt, seat: Seat) -> tuple[tuple[Turn, ...], str]:
    """The turns as the model reads them, and what its answer is to begin with."""
    trained = seat.served.thinking == "trained"
    begun = seat.notation.opening if prompt.thinking else seat.notation.skipped if trained else ""
    return render(prompt, prompted=not trained), begun


def _stop(message: Piece | Done | Failed) -> Stop:
    """Return the last delta of an answer; raises EngineFailed for one that did not come to its end."""
    match message:
        case Done(reason="stop" | "length" as reason):
            usage = Usage(
                input=message.input,
                cached=message.cached,
                output=message.output,
                reasoning=message.reasoning,
                accepted=message.accepted,
                rejected=message.rejected,
                written=message.written,
            )
            return Stop(reason, usage)
        case Failed():
            raise EngineFailed(message.message)
        case _:
            raise EngineFailed("The engine stopped in the middle of the answer.")

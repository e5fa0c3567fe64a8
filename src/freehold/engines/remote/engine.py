"""The engine of kind `remote`: any server that speaks the OpenAI API, or several that serve the same models."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from msgspec.structs import replace

from freehold.core.deltas import Delta, Stop, Usage
from freehold.core.errors import EngineBusy, Fault, Invalid, NotFound, RemoteFailed, Unsupported
from freehold.core.ports import Engine, Load, Served
from freehold.core.prompt import Call, Prompt
from freehold.engines.gate import Gate, claim_of
from freehold.engines.llama.grammar import Grammars
from freehold.engines.llama.inspection import open_inspection
from freehold.engines.registry import EngineSpec, Find
from freehold.engines.remote.address import address
from freehold.engines.remote.client import Client, Patience
from freehold.engines.remote.count import count, detokenize
from freehold.engines.remote.dialects import Dialect
from freehold.engines.remote.exchange import Exchange, open_exchange
from freehold.engines.remote.faults import TOO_LONG
from freehold.engines.remote.holding import Holding, held
from freehold.engines.remote.prefixes import prefixes
from freehold.engines.remote.probe import Probe
from freehold.engines.remote.read import Reader
from freehold.engines.remote.request import check, request
from freehold.engines.remote.served import served_by
from freehold.engines.remote.upstreams import Upstream, Upstreams

T = TypeVar("T")

_START_SECONDS = 5.0
_NOT_ON = "This answer was interrupted, and the server of its model cannot go on with what was said."
_DOWN = "The server of this model does not answer now, or fails. Please retry your request."


@asynccontextmanager
async def open_remote(spec: EngineSpec, find: Find) -> AsyncGenerator[Engine, None]:
    """Yield a RemoteEngine. One whose servers do not answer serves the names of `spec`; it is asked again later.

    Raises ValueError for a spec without an address, with a wrong one, or without names where no server tells any.
    """
    urls = (*((spec.url,) if spec.url is not None else ()), *spec.urls)
    if not urls:
        raise ValueError(f"engine {spec.name!r}: an engine of kind 'remote' needs a url")
    patience = Patience(connect=spec.connect_seconds, first=spec.first_seconds, between=spec.silent_seconds)
    try:
        clients = [Client(address(url), spec.key, patience) for url in dict.fromkeys(urls)]
    except ValueError as error:
        raise ValueError(f"engine {spec.name!r}: {error}") from None
    asked = [Upstream(client, Probe(client, spec.dialect, spec.abilities)) for client in clients]
    async with open_inspection() as inspection:
        engine = RemoteEngine(spec, asked, Holding(Grammars(inspection.flaw)))
        tasks = [asyncio.create_task(engine.upstreams.ask())]
        try:
            await asyncio.wait(tasks, timeout=_START_SECONDS)
            if not engine.models:
                raise ValueError(f"engine {spec.name!r}: its server tells no models now: name them in `models`")
            tasks.append(asyncio.create_task(engine.upstreams.watch()))
            yield engine
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            engine.upstreams.close()


class RemoteEngine:
    """Sends prompts on, and reads what comes back as deltas.

    A request is sent to another of the servers where one fails before it has said anything; never after that.
    """

    def __init__(self, spec: EngineSpec, upstreams: Sequence[Upstream], holding: Holding) -> None:
        self._spec = spec
        self._holding = holding
        self._watchers: list[Callable[[], None]] = []
        self._models: dict[str, Served] = {}
        self._owners: set[str] = set()
        self.upstreams = Upstreams(upstreams, spec.models, spec.dialect, self._changed)
        self._gate = Gate(self._slots, spec.queue)
        self._changed()

    @property
    def models(self) -> tuple[Served, ...]:
        """The models that are configured, or else those that the servers list."""
        return tuple(self._models.values())

    @property
    def load(self) -> Load:
        """How full the engine is: what others send to its servers is not known."""
        return self._gate.load

    def watch(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when more is known of the models."""
        self._watchers.append(changed)

    async def admit(self, prompt: Prompt) -> Prompt:
        """Return the prompt, with its tokens only where they are to be counted.

        Raises Invalid and Unsupported for what its servers cannot do, as far as that is known before they are asked,
        NotFound for a model that is not served here, EngineBusy when the queue is full.
        """
        if prompt.model not in self._models:
            raise NotFound(f"The model `{prompt.model}` is not served by this engine.", "model_not_found", "model")
        self._gate.check(claim_of(prompt))
        for place in range(len(self.upstreams)):
            check(prompt, self.upstreams.dialect(place))
        await self._holding.check(prompt)
        raw = prompt.raw
        if isinstance(raw, tuple):
            text = await self._anyone(prompt, lambda client, dialect: detokenize(client, dialect, prompt.model, raw))
            return replace(prompt, tokens=raw, raw=text)
        return await self._counted(prompt) if prompt.counted else prompt

    async def _counted(self, prompt: Prompt) -> Prompt:
        number = await self._anyone(prompt, lambda client, dialect: count(client, dialect, prompt))
        context = self._models[prompt.model].context
        if number >= context:
            raise Invalid(
                f"This model's maximum context length is {context} tokens. However, your messages resulted in {number} "
                "tokens. Please reduce the length of the messages.",
                TOO_LONG,
                "input",
            )
        return replace(prompt, tokens=tuple(range(number)))

    async def _anyone(self, prompt: Prompt, ask: Callable[[Client, Dialect], Awaitable[T]]) -> T:
        """Ask one of the servers something short about a prompt."""

        async def asked(place: int) -> T:
            replica = self.upstreams.replicas[place]
            replica.begin()
            try:
                return await ask(self.upstreams.client(place), self.upstreams.dialect(place))
            finally:
                replica.leave()

        return await self._first(prompt.model, None, (), asked)

    def _down(self) -> EngineBusy:
        return EngineBusy(_DOWN, "server_unavailable", retry_after=max(1.0, self.upstreams.replicas.wait()))

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield the answer, Stop last. Closing it hangs up, which has the server stop.

        Raises EngineBusy when the queue is full or all servers are down or busy, RemoteFailed when they break, and
        what they refuse, before the first delta; RemoteFailed at any time.
        """
        if any(isinstance(one, Call) for one in prompt.begun.said):
            yield Stop("stop", Usage())  # a call that was told is an answer; what may have followed it, nobody knows
            return
        if prompt.begun.said and any(self.upstreams.dialect(n).going_on == "none" for n in range(len(self.upstreams))):
            raise Unsupported(_NOT_ON, "background")
        place = await self._gate.acquire(0, claim_of(prompt))
        answer: _Answer | None = None
        try:
            answer, deltas = await self._begin(prompt)
            exchange = answer.exchange
            place.begin()
            while True:
                for delta in deltas:
                    yield delta
                if exchange.over:
                    break
                deltas = await exchange.take()
            if answer.held and exchange.reader.reason == "stop":
                await self._holding.verify(prompt, exchange.reader)
            yield exchange.reader.stop()
        finally:
            if answer is not None:
                answer.close()
            place.release()

    async def _begin(self, prompt: Prompt) -> tuple["_Answer", Sequence[Delta]]:
        """Ask one of the servers, and the next where it fails, until one says something."""
        family = prompt.caching.family
        if family is not None:
            family = f"{prompt.caching.owner}\0{family}"
        known = prefixes(prompt) if len(self.upstreams) > 1 else ()
        if len(self._owners) < 2:
            self._owners.add(prompt.caching.owner)
        alone = len(self._owners) < 2 or self._spec.shared_prefixes

        async def asked(place: int) -> tuple["_Answer", Sequence[Delta]]:
            answer = _Answer(self.upstreams, place)
            return answer, await answer.begin(prompt, alone)

        return await self._first(prompt.model, family, known, asked)

    async def _first(
        self, model: str, family: str | None, known: Sequence[int], ask: Callable[[int], Awaitable[T]]
    ) -> T:
        """Return what the first of the servers says that does not fail: each is asked once at most."""
        replicas, tried = self.upstreams.replicas, self.upstreams.lacking(model)
        failure: Fault | None = None
        while (place := replicas.choose(family, known, tried)) is not None:
            tried.append(place)
            replica = replicas[place]
            try:
                found = await ask(place)
            except EngineBusy as busy:
                replica.refuse(replicas.now(), busy.retry_after)
                failure = busy
            except RemoteFailed as failed:
                replica.fail(replicas.now())
                failure = failed
            except NotFound as missing:
                replica.succeed()
                failure = failure or missing
            except Fault:
                replica.succeed()
                raise
            else:
                replica.succeed()
                replica.remember(known)
                return found
        raise failure or self._down()

    @property
    def _slots(self) -> int:
        return self._spec.slots or self.upstreams.slots

    def _changed(self) -> None:
        self._models = {one.name: one for one in served_by(self._spec, self.upstreams.facts)}
        self._gate.resize(self._slots)
        for changed in self._watchers:
            changed()


class _Answer:
    """An answer that one of the servers gives."""

    def __init__(self, upstreams: Upstreams, place: int) -> None:
        self._client = upstreams.client(place)
        self._dialect = upstreams.dialect(place)
        self._replica = upstreams.replicas[place]
        self.held = False
        self.exchange: Exchange

    async def begin(self, prompt: Prompt, alone: bool) -> Sequence[Delta]:
        """Ask, and return the first deltas. Raises RemoteFailed and what the server refuses; then it is closed."""
        self.held = held(prompt)
        where = self._client.where
        reader = Reader(prompt, self._dialect, held=self.held, where=where)
        self._replica.begin()
        opened: Exchange | None = None
        try:
            sent = request(prompt, self._dialect, where, alone)
            opened = self.exchange = await open_exchange(self._client, sent, reader)
            while not (deltas := await opened.take()) and not opened.over:
                pass
            return deltas
        except BaseException:
            self._replica.leave()
            if opened is not None:
                opened.close()
            raise

    def close(self) -> None:
        """Hang up, where it is not over."""
        self.exchange.close()
        self._replica.leave()

"""One request to a generating surface, from its body to its last frame. Routes and batches both call it."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from freehold.core.catalog import Catalog, Entry
from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.events import Ended, Event, Grew
from freehold.core.ids import Clock, Mint
from freehold.core.ports import Engine, Load, Served
from freehold.core.principal import Principal
from freehold.core.prompt import Ask, Prompt
from freehold.core.surface import Projection, Stamp, Surface
from freehold.runs.loop import run
from freehold.runs.lower import lower
from freehold.services.responses import Responses
from freehold.services.running import Running

log = logging.getLogger(__name__)

B = TypeVar("B")
Keep = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Chance:
    """Where new ids, the time and the streams' random padding come from; fixed ones make a run repeatable."""

    mint: Mint
    clock: Clock
    pad: Callable[[], str]


@dataclass(frozen=True)
class Answer:
    """A request that can be answered, about to be. Use either `frames` or `result`, once.

    `keep` stores the final object before its last frame leaves, so that a client may continue it at once.
    """

    id: str
    project: str
    served: Served
    load: Load
    surface: Surface[Any]
    projection: Projection
    events: AsyncGenerator[Event, None]
    keep: Keep | None
    running: Running

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield the stream's bytes, frame by frame. Closing the generator stops the engine."""
        frame = self.surface.frame
        with self.running.track(self):
            for one in self.projection.start():
                yield frame(one)
            async with aclosing(self.events) as events:
                async for event in events:
                    frames = self.projection.push(event)
                    if isinstance(event, Ended):
                        frames, _ = await self._settle(event, frames)
                    for one in frames:
                        yield frame(one)
        if self.surface.last:
            yield self.surface.last

    async def result(self) -> bytes:
        """Return the final object as JSON: the fold of the same events. Raises the fault that ended a failed run."""
        error: Fault | None = None
        with self.running.track(self):
            async with aclosing(self.events) as events:
                async for event in events:
                    if isinstance(event, Grew):  # changes nothing in the fold: Closed carries the whole item
                        continue
                    frames = self.projection.push(event)
                    if isinstance(event, Ended):
                        _, error = await self._settle(event, frames)
        if error is not None:
            raise error
        return msgspec.json.encode(self.projection.result())

    async def _settle(self, event: Ended, frames: Iterable[Any]) -> tuple[Iterable[Any], Fault | None]:
        """Store what is to be kept; return the last frames and the fault that the run, or the storing, ended with."""
        error = event.error
        if error is not None and error.__cause__ is not None:
            log.error("answer %s failed", self.id, exc_info=error.__cause__)
        if self.keep is None:
            return frames, error
        try:
            await self.keep(self.projection.result())
        except Fault as fault:
            log.error("answer %s could not be stored: %s", self.id, fault.message)
            return self.projection.push(Ended(status="failed", usage=event.usage, error=fault)), fault
        return frames, error


class Answering:
    """Turns a body of any surface into an answer. Every fault of the caller is raised by `prepare`."""

    def __init__(
        self, catalog: Catalog, engines: Mapping[str, Engine], responses: Responses, chance: Chance, running: Running
    ) -> None:
        self._catalog = catalog
        self._engines = engines
        self._responses = responses
        self._chance = chance
        self.running = running

    async def prepare(self, who: Principal, surface: Surface[B], body: B) -> Answer:
        """Check everything that can be checked before the first byte.

        Raises Invalid, Unsupported or NotFound for the caller's faults, EngineBusy when the engine's queue is full and
        EngineFailed when it is down.
        """
        ask = surface.parse(body)
        entry, engine, prompt = await self._admit(who, surface, ask)
        chance = self._chance
        answer_id = chance.mint(surface.prefix)
        stamp = Stamp(answer_id, int(chance.clock()), entry.served, chance.clock, chance.pad())
        return Answer(
            id=answer_id,
            project=who.project,
            served=entry.served,
            load=engine.load,
            surface=surface,
            projection=surface.project(body, stamp),
            events=run(prompt, engine, chance.mint, lambda: self.running.stopped(answer_id)),
            keep=self._keep(who, ask) if ask.keep else None,
            running=self.running,
        )

    async def count(self, who: Principal, surface: Surface[Any], ask: Ask) -> int:
        """Return how many tokens the model would read. Raises what `prepare` raises."""
        _, _, prompt = await self._admit(who, surface, ask)
        return len(prompt.tokens)

    async def _admit(self, who: Principal, surface: Surface[Any], ask: Ask) -> tuple[Entry, Engine, Prompt]:
        name = ask.model or self._catalog.default
        entry = self._catalog.find(name)
        if entry is None:
            raise surface.unknown_model(name, self._catalog.why_missing(name))
        if ask.format is not None and not entry.served.constrained:
            raise Unsupported(f"The model behind `{name}` cannot be held to a format.", surface.format)
        if ask.choice.mode == "required" and not entry.served.constrained:
            raise Unsupported(f"The model behind `{name}` cannot be made to call a function.", "tool_choice")
        history = () if ask.previous is None else await self._responses.history(who, ask.previous)
        engine = self._engines[entry.engine]
        try:
            return entry, engine, await engine.admit(lower(ask, history, entry.served.name))
        except Invalid as fault:
            fault.param = surface.conversation if fault.param in (None, "input") else fault.param
            raise

    def _keep(self, who: Principal, ask: Ask) -> Keep:
        async def keep(result: Any) -> None:
            await self._responses.keep(who, ask, result)

        return keep

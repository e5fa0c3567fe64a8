"""One request to a generating surface, from its body to its last frame. Routes and batches both call it."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from freehold.core.errors import Fault
from freehold.core.events import Closed, Ended, Ending, Event, Grew
from freehold.core.ids import Clock, Mint
from freehold.core.items import Compaction, Item, Message, Reasoning
from freehold.core.ports import Generating, Load, Served
from freehold.core.principal import Principal
from freehold.core.prompt import Ask, Prompt, Thoughts
from freehold.core.surface import Projection, Stamp, Surface
from freehold.runs.assemble import Conclude
from freehold.runs.loop import run
from freehold.runs.resume import begun as begun_by
from freehold.runs.summary import summarise
from freehold.runs.warm import shortest, silent
from freehold.services.admission import Admission, Admitted
from freehold.services.choices import side_by_side
from freehold.services.compaction import answer_compacted, compact, shortened
from freehold.services.media import read_by_ocr
from freehold.services.memory import Keep, Memory
from freehold.services.policy import Policy
from freehold.services.recall import Recall
from freehold.services.recent import Recent
from freehold.services.running import Running
from freehold.surfaces.responses.objects import Compacted
from freehold.surfaces.responses.project import usage_of

log = logging.getLogger(__name__)

B = TypeVar("B")


@dataclass(frozen=True)
class Chance:
    """Where new ids, the time and the streams' random padding come from; fixed ones make a run repeatable."""

    mint: Mint
    clock: Clock
    pad: Callable[[], str]


class Answer(Struct, frozen=True, eq=False):
    """A request that can be answered, about to be. Use either `frames` or `result`, once.

    `ask` is what it asks for, with what it referred to. `keep` stores the final object before its last frame leaves, so
    that a client may continue it at once. `ocr` says that the model reads the text of images instead of seeing them.
    """

    id: str
    project: str
    ask: Ask
    served: Served
    load: Load
    surface: Surface[Any]
    projection: Projection
    events: AsyncGenerator[Event, None]
    keep: Keep | None
    running: Running
    ocr: bool = False

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield the stream's bytes, frame by frame. Closing the generator stops the engine.

        Where the engine is a server elsewhere, raises the fault that it ends with before it has said anything.
        """
        frame = self.surface.frame
        with self.running.track(self):
            async with aclosing(self.events) as events:
                waiting = self.served.remote
                for one in () if waiting else self.projection.start():
                    yield frame(one)
                async for event in events:
                    if waiting:
                        waiting = False
                        await self._check_first(event)
                        for one in self.projection.start():
                            yield frame(one)
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

    async def _check_first(self, event: Event) -> None:
        """Raise the fault of a run that ended with it before anything else."""
        if isinstance(event, Ended) and event.error is not None:
            _, error = await self._settle(event, self.projection.push(event))
            raise error or event.error

    async def _settle(self, event: Ended, frames: Iterable[Any]) -> tuple[Iterable[Any], Fault | None]:
        """Store what is to be kept; return the last frames and the fault that the run, or the storing, ended with."""
        error = event.error
        if error is not None and error.__cause__ is not None:
            log.error("answer %s failed", self.id, exc_info=error.__cause__)
        if error is not None and error.param is not None:  # only an engine elsewhere learns of it so late
            error.param = self.surface.parameter(error.param)
        if self.keep is None:
            return frames, error
        try:
            await self.keep(self.projection.kept(), event.status)
        except Fault as fault:
            log.error("answer %s could not be stored: %s", self.id, fault.message)
            return self.projection.push(Ended(status="failed", usage=event.usage, error=fault)), fault
        return frames, error


class Earlier(Struct, frozen=True, eq=False):
    """An answer that is made for a job: its id, the events that were told of it before, and whether it is to end."""

    id: str
    events: Sequence[Event]
    stopped: Callable[[], bool]


class Answering:
    """Turns a body of any surface into an answer. Every fault of the caller is raised by `prepare`."""

    def __init__(
        self,
        admission: Admission,
        recall: Recall,
        memory: Memory,
        policy: Policy,
        chance: Chance,
        running: Running,
    ) -> None:
        self._admission = admission
        self._recall = recall
        self._memory = memory
        self._policy = policy
        self._chance = chance
        self.running = running

    async def prepare(
        self,
        who: Principal,
        surface: Surface[B],
        body: B,
        recent: Recent | None = None,
        earlier: Earlier | None = None,
        batch: bool = False,
    ) -> Answer:
        """Check everything that can be checked before the first byte. Raises what `Admission.admit` raises.

        `recent` remembers, and continues, what is not stored. An `earlier` answer goes on where it was: its events are
        those that follow. One of a `batch` waits until the engine has nothing better to do.
        """
        ask = surface.parse(body)
        if batch:
            ask = replace(ask, batch=True)
        admitted = await self._admission.admit(who, surface, ask if recent is None else recent.resume(ask))
        chance, served = self._chance, admitted.entry.served
        answer_id = chance.mint(surface.prefix) if earlier is None else earlier.id
        earlier = earlier or Earlier(answer_id, (), lambda: self.running.stopped(answer_id))
        ocr = read_by_ocr(admitted.seen)
        raw = tuple(one.raw for one in admitted.prompts if isinstance(one.raw, str))
        stamp = Stamp(answer_id, int(chance.clock()), served, chance.clock, chance.pad(), admitted.effort, ocr, raw)
        return Answer(
            id=answer_id,
            project=who.project,
            ask=admitted.ask,
            served=served,
            load=admitted.engine.load,
            surface=surface,
            projection=surface.project(body, stamp),
            events=self._events(who, admitted, earlier),
            keep=self._keep(who, body, admitted, recent),
            running=self.running,
            ocr=ocr,
        )

    def load(self, model: str | None) -> Load | None:
        """How full the engine behind a model's name is, None being the default's; None when there is none."""
        return self._admission.load(model)

    async def count(self, who: Principal, surface: Surface[Any], ask: Ask) -> int:
        """Return how many tokens the model would read. Raises what `prepare` raises."""
        return len((await self._admission.admit(who, surface, replace(ask, count=True))).prompt.tokens)

    def _events(self, who: Principal, admitted: Admitted, earlier: Earlier) -> AsyncGenerator[Event, None]:
        ask, mint = admitted.ask, self._chance.mint
        stopped, conclude = earlier.stopped, partial(self._conclude, who, ask.thoughts)
        if ask.warm:
            return silent(run(shortest(admitted.prompt), self._engine(admitted), mint, stopped, conclude))
        compaction = next((one.item for one in earlier.events if isinstance(one, Closed)), None)
        if isinstance(compaction, Compaction):
            return self._after(who, self._recall.opened(who, compaction), admitted, earlier, conclude)
        if admitted.compact:
            return self._compacted(who, admitted, stopped, conclude)
        before, prompts = earlier.events, admitted.prompts
        if before:
            begun = begun_by(before)
            prompts = [replace(prompt, begun=begun) for prompt in prompts]
        hosted = self._admission.hosted(who, admitted, admitted.items)
        runs = [
            run(
                _varied(prompt, number),
                self._engine(admitted, prompt),
                mint,
                stopped,
                conclude,
                before,
                hosted,
            )
            for prompt in prompts
            for number in range(ask.choices)
        ]
        return runs[0] if len(runs) == 1 else side_by_side(runs, ask.choices, admitted.engine.load.limit)

    async def _after(
        self, who: Principal, items: Sequence[Item], admitted: Admitted, earlier: Earlier, conclude: Conclude
    ) -> AsyncGenerator[Event, None]:
        """Go on with an answer whose conversation was compacted to `items` before it."""
        prompt = replace(await self._admission.prompt(admitted, items), begun=begun_by(earlier.events))
        hosted = self._admission.hosted(who, admitted, items)
        events = run(prompt, admitted.engine, self._chance.mint, earlier.stopped, conclude, earlier.events, hosted)
        async with aclosing(events):
            async for event in events:
                yield event

    def _engine(self, admitted: Admitted, prompt: Prompt | None = None) -> Generating:
        """What answers: the engine, or the policy in its place."""
        if prompt is not None and isinstance(prompt.raw, str):
            return self._policy.declines_text(f"{prompt.raw}\n{prompt.suffix or ''}") or admitted.engine
        return self._policy.declines(admitted.items) or admitted.engine

    def _compacted(
        self, who: Principal, admitted: Admitted, stopped: Callable[[], bool], conclude: Conclude
    ) -> AsyncGenerator[Event, None]:
        item_id, engine, ask = self._chance.mint("cmp_"), admitted.engine, admitted.ask

        async def go_on(items: Sequence[Item]) -> AsyncGenerator[Event, None]:
            prompt = await self._admission.prompt(admitted, items)
            hosted = self._admission.hosted(who, admitted, items)
            return run(prompt, engine, self._chance.mint, stopped, conclude, hosted=hosted)

        return answer_compacted(
            item_id,
            partial(compact, admitted.items, engine, admitted.entry.served, stopped, ask.caching),
            partial(self._recall.seal_compaction, who, item_id),
            shortened(admitted.items),
            go_on,
        )

    async def compact(self, who: Principal, surface: Surface[Any], ask: Ask) -> Compacted:
        """Return what to send instead of a conversation: one item. Raises what `prepare` raises."""
        admitted = await self._admission.admit(who, surface, replace(ask, compact_at=0))
        chance = self._chance
        items, served = (*admitted.items, _NOTHING), admitted.entry.served
        summary = await compact(items, admitted.engine, served, caching=admitted.ask.caching)
        compaction = self._recall.seal_compaction(who, chance.mint("cmp_"), summary.items[:-1])
        return Compacted(
            id=chance.mint("resp_"),
            created_at=int(chance.clock()),
            output=(compaction,),
            usage=usage_of(summary.usage),
        )

    def _conclude(self, who: Principal, wanted: Thoughts, thought: Reasoning) -> Reasoning:
        """Add to a finished thought what was asked for: its summary, and itself encrypted."""
        if wanted.summary is not None:
            text = "\n\n".join(part.text for part in thought.content)
            thought = replace(thought, summary=summarise(text, wanted.summary))
        return self._recall.seal_thought(who, thought) if wanted.sealed else thought

    def _keep(self, who: Principal, body: object, admitted: Admitted, recent: Recent | None) -> Keep | None:
        keep = self._memory.keeper(who, body, admitted.ask, admitted.entry.served)
        if keep is not None or recent is None:
            return keep

        async def remember(result: Any, _: Ending) -> None:
            recent.keep(admitted.ask, result)

        return remember


_NOTHING = Message(role="user", content=())
"""After it, nothing of a conversation is kept as it is."""


def _varied(prompt: Prompt, number: int) -> Prompt:
    """The prompt for one of several choices: the same seed would make them all alike."""
    seed = prompt.sampling.seed
    return prompt if seed is None else replace(prompt, sampling=replace(prompt.sampling, seed=seed + number))

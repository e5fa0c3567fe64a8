"""The calls that the server carries out itself in the middle of a run, and the turns that they lead to."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeGuard

from msgspec import json
from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Delta, Stop, Text, Usage
from freehold.core.events import Closed, Event
from freehold.core.ids import Mint
from freehold.core.items import Compaction, CustomToolCall, FileSearchCall, FunctionCall, Item, Logprob, Status
from freehold.core.ports import Generating, Tool
from freehold.core.prompt import Choice, Prompt
from freehold.runs.assemble import Assembler, Said
from freehold.runs.citations import Marks, attributed
from freehold.runs.excerpts import FILE_SEARCH, sources
from freehold.runs.resume import begun

SEARCH_FIRST = Choice("required", (FILE_SEARCH,))
"""What may be called where a run is to begin with a search."""


@dataclass(frozen=True)
class Hosted:
    """What a run may do by itself: `tools` by their names, `most` calls in all.

    `items` is the conversation. `choice` says what may be called after the first search,
    `last` what after the last that is allowed. `again` makes the next turn's
    prompt of what the run said so far, of what may be called in it, and of how many tokens are spent. With `cite`, the
    marks of sources are taken out of the text; with `trust` they become annotations, else the text is compared with
    the sources. The answer has at most `most_tokens`. With `first`, the turn in which only a search may
    be called is a search for that, and the model is not asked.
    """

    tools: Mapping[str, Tool]
    most: int
    items: Sequence[Item]
    choice: Choice
    last: Choice
    again: Callable[[Sequence[Item], Choice, int], Awaitable[Prompt]]
    cite: bool
    trust: bool = True
    first: str = ""
    most_tokens: int | None = None


class Alone:
    """Follows a run in which nothing is hosted: `Hosting` with one turn."""

    def __init__(self, assembler: Assembler) -> None:
        self.take, self.finish, self.abandon = assembler.take, assembler.finish, assembler.abandon

    def generate(self, engine: Generating, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """See Hosting."""
        return engine.generate(prompt)

    async def start(self, prompt: Prompt) -> Prompt | Stop:
        """See Hosting."""
        return prompt

    def carry_out(self, stop: Stop) -> "_NoEvents":
        """See Hosting."""
        return _NO_EVENTS

    async def then(self, stop: Stop) -> Prompt | Stop:
        """See Hosting."""
        return stop


class _NoEvents:
    """A stream of no events; no generator, because the loop keeps a list of those, and every answer pays for it."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close nothing."""


_NO_EVENTS = _NoEvents()


class Hosting:
    """Follows one run: what of the engine's deltas is said, what is carried out, and what the engine is asked next."""

    def __init__(self, hosted: Hosted, assembler: Assembler, mint: Mint, before: Sequence[Event]) -> None:
        """The run has come to where the events `before` end, and `assembler` with it."""
        self._hosted = hosted
        self._assembler = assembler
        self._mint = mint
        searched = [place for place, event in enumerate(before) if _search(event)]
        self._rest = before[searched[-1] + 1 :] if searched else ()
        self._resumed = bool(searched)
        self._said: list[Item] = [event.item for event in before if _said(event)]
        self._calls = len(searched)
        self._pending: list[tuple[str, list[str]]] = []
        self._calling = False
        self._answer_now = False
        self._over = False
        self._cited = False
        self._logprobs: tuple[Logprob, ...] = ()
        self._usage = Usage()
        self._begin_turn()

    async def start(self, prompt: Prompt) -> Prompt | Stop:
        """Return the prompt to begin with: the run's own or, where it has searched before, the one after that."""
        if not self._resumed:
            return prompt
        after = sum(_said(event) for event in self._rest)
        said = self._said[: len(self._said) - after]
        return replace(await self._hosted.again(said, self._choice(), 0), begun=begun(self._rest))

    def generate(self, engine: Generating, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of a turn: the engine's, or a call that is settled before it is asked."""
        settled = self._hosted.first and prompt.choice == SEARCH_FIRST
        return _calling(self._hosted.first) if settled else engine.generate(prompt)

    def take(self, delta: Said) -> Iterator[Event]:
        """Yield the events of a delta; those of a hosted call come when it is carried out."""
        if isinstance(delta, CallArgs) and self._calling:
            self._pending[-1][1].append(delta.text)
            return
        if isinstance(delta, Text) and self._marks is not None:
            self._logprobs += delta.logprobs
            yield from self._noted(self._pieces(self._marks.take(delta.text)))
            return
        yield from self._noted(self._held())
        self._calling = isinstance(delta, CallStart) and delta.name in self._hosted.tools
        if isinstance(delta, CallStart) and self._calling:
            self._pending.append((delta.name, []))
        else:
            yield from self._noted(self._assembler.take(delta))

    async def carry_out(self, stop: Stop) -> AsyncGenerator[Event, None]:
        """Yield the events of the calls that the turn ended with; a call that was cut short is none."""
        self._usage += stop.usage
        for event in self._noted(self._held()):
            yield event
        if stop.reason == "length" or not self._pending:
            return
        for event in self._noted(self._assembler.abandon("completed")):
            yield event
        for name, arguments in self._pending:
            tool = self._hosted.tools[name]
            call = tool.begin(self._mint("fs_"), "".join(arguments))
            if self._calls >= self._hosted.most or self._asked_before(call):
                self._answer_now = True
                continue
            self._calls += 1
            async for event in self._assembler.search(call, tool.carry_out):
                if isinstance(event, Closed):
                    self._said.append(event.item)
                yield event

    async def then(self, stop: Stop) -> Prompt | Stop:
        """Return the prompt of the next turn or, where the run is over, how it ends, with all that was counted."""
        called, self._pending, self._calling = self._pending, [], False
        if stop.reason == "length" or not called or self._client_called or self._over:
            return replace(stop, usage=self._usage)
        self._over = self._answer_now or self._calls >= self._hosted.most
        most = self._hosted.most_tokens
        if most is not None and most <= self._usage.output:
            return Stop("length", self._usage)
        self._begin_turn()
        return await self._hosted.again(self._said, self._choice(), self._usage.output)

    def finish(self, status: Status) -> Iterator[Event]:
        """Close what is open at the end. A text that names no source is compared with them."""
        if self._sources and self._hosted.cite and not self._cited:
            for index, source in attributed(self._assembler.text, self._sources):
                yield from self._assembler.cite(source, index)
        yield from self._assembler.finish(status)

    def abandon(self) -> Iterator[Event]:
        """Say what was held back, and close what is open as incomplete."""
        yield from self._held()
        yield from self._assembler.abandon()

    def _begin_turn(self) -> None:
        self._sources = sources((*self._hosted.items, *self._said))
        self._marks = Marks(len(self._sources)) if self._sources and self._hosted.cite else None

    def _choice(self) -> Choice:
        """What may be called in the turn after a search: at the end of what is allowed, nothing that is hosted."""
        hosted, choice = self._hosted, self._hosted.choice
        if self._calls < hosted.most and not self._answer_now:
            return choice if choice.mode == "none" else Choice("auto", choice.names)
        return hosted.last

    @property
    def _client_called(self) -> bool:
        return any(isinstance(item, FunctionCall | CustomToolCall) for item in self._said)

    def _asked_before(self, call: FileSearchCall) -> bool:
        return any(isinstance(item, FileSearchCall) and item.queries == call.queries for item in self._said)

    def _held(self) -> Iterator[Event]:
        if self._marks is not None:
            yield from self._pieces(self._marks.end())

    def _pieces(self, pieces: Iterable[str | int]) -> Iterator[Event]:
        for piece in pieces:
            if isinstance(piece, int):
                if self._hosted.trust:
                    self._cited = True
                    yield from self._assembler.cite(self._sources[piece - 1])
            else:
                yield from self._assembler.take(Text(piece, self._logprobs))
                self._logprobs = ()

    def _noted(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, Closed):
                self._said.append(event.item)
            yield event


async def _calling(query: str) -> AsyncGenerator[Delta, None]:
    yield CallStart(FILE_SEARCH)
    yield CallArgs(json.encode({"queries": [query]}).decode())
    yield Stop("stop", Usage())


def _said(event: Event) -> TypeGuard[Closed]:
    """Whether an event ends something that the model reads again."""
    return isinstance(event, Closed) and not isinstance(event.item, Compaction)


def _search(event: Event) -> bool:
    return isinstance(event, Closed) and isinstance(event.item, FileSearchCall)

"""The upstreams of an engine: their connections, what is known of them, and who watches over them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import count

from msgspec import Struct

from freehold.core.errors import Fault
from freehold.engines.remote.broken import Broken
from freehold.engines.remote.client import Client
from freehold.engines.remote.dialects import DIALECTS, PLAIN, Dialect
from freehold.engines.remote.probe import Facts, Probe
from freehold.engines.remote.replicas import Replicas

LOOK_SECONDS = 5.0
"""How often an upstream that is not well is asked how it is."""
EVERY = 12
"""Of such looks, so many pass until one that is well is asked."""
_MOST_TRIED = 1
_log = logging.getLogger(__name__)


class Upstream(Struct, frozen=True):
    """One server: how it is reached and asked about itself."""

    client: Client
    probe: Probe


class Upstreams:
    """Knows what each upstream is and can, and how it is doing."""

    def __init__(
        self, upstreams: Sequence[Upstream], names: Sequence[str], dialect: str | None, changed: Callable[[], None]
    ) -> None:
        """`names` are the models that are configured; `changed` is called when more is known than before."""
        self._all = tuple(upstreams)
        self._names = tuple(names)
        self._changed = changed
        self._dialect = DIALECTS[dialect] if dialect is not None else PLAIN
        self._facts: dict[int, Facts] = {}
        self._silent: set[int] = set()
        self.replicas = Replicas([one.client.where for one in upstreams])

    def __len__(self) -> int:
        return len(self._all)

    def client(self, place: int) -> Client:
        """The connections to an upstream."""
        return self._all[place].client

    def dialect(self, place: int) -> Dialect:
        """How an upstream wants to be asked; one of which nothing is known yet is taken to be like the others."""
        facts = self._facts.get(place) or next(iter(self.facts), None)
        return self._dialect if facts is None else facts.dialect

    def lacking(self, model: str) -> list[int]:
        """The upstreams that do not list a model, where another does."""
        lacking = [place for place, facts in self._facts.items() if model not in facts.listed]
        return [] if len(lacking) == len(self._facts) else lacking

    @property
    def slots(self) -> int:
        """How many answers all upstreams compute at once, as they say, or else as is usual for what they are."""
        told = ((self._facts.get(place), self.dialect(place)) for place in range(len(self._all)))
        return sum((facts and facts.slots) or dialect.slots for facts, dialect in told)

    @property
    def facts(self) -> list[Facts]:
        """What is known, in the order of the upstreams; nothing of those that never answered."""
        return [self._facts[place] for place in sorted(self._facts)]

    async def ask(self) -> None:
        """Ask all upstreams at once about themselves; one that does not answer is asked again later."""
        await asyncio.gather(*(self._learn(place) for place in range(len(self._all))))

    async def watch(self) -> None:
        """Look after the upstreams, for ever."""
        for round_ in count(1):
            await asyncio.sleep(LOOK_SECONDS)
            every = round_ % EVERY == 0
            ill = [place for place in range(len(self._all)) if every or place not in self._facts or self._ill(place)]
            await asyncio.gather(*(self._look(place) for place in ill))

    def close(self) -> None:
        """Hang up."""
        for one in self._all:
            one.client.close()

    def _ill(self, place: int) -> bool:
        return self.replicas[place].broken

    async def _look(self, place: int) -> None:
        if place not in self._facts:
            return await self._learn(place)
        try:
            await self._all[place].probe.alive()
        except (Broken, Fault) as error:
            self._complain(place, error)
            self.replicas[place].miss(self.replicas.now())
        else:
            self._answers(place)
            self.replicas[place].rested(self.replicas.now())

    async def _learn(self, place: int) -> None:
        one = self._all[place]
        try:
            self._know(place, facts := await one.probe.ask(self._names))
            tried = self._names or (tuple(facts.models) if len(facts.models) <= _MOST_TRIED else ())
            self._know(place, await one.probe.try_out(facts, tried))
        except (Broken, Fault) as error:
            return self._complain(place, error)
        self._answers(place)
        self.replicas[place].succeed()
        missing = [name for name in self._names if name not in facts.listed]
        if missing:
            _log.warning("%s does not list %s", one.client.address, ", ".join(missing))

    def _complain(self, place: int, error: Exception) -> None:
        """Log once that an upstream does not say what it is and how it does."""
        if place not in self._silent:
            _log.warning("%s does not say how it is: %s", self._all[place].client.address, error)
            self._silent.add(place)

    def _answers(self, place: int) -> None:
        if place in self._silent:
            _log.warning("%s answers again", self._all[place].client.address)
            self._silent.discard(place)

    def _know(self, place: int, facts: Facts) -> None:
        if self._facts.get(place) != facts:
            self._facts[place] = facts
            self._changed()

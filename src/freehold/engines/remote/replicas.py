"""Which of several upstreams is asked: one that is well, has room, and has read most of the prompt already."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b

FAILURES = 3
"""So many failures after each other open the breaker."""
REST_SECONDS = 2.0
LONGEST_REST_SECONDS = 60.0
SLACK = 4
"""How many more requests than the idlest an upstream may have under way, and be asked for what it has read."""
_REMEMBERED = 8_192
_BELIEVED = 2


class Replica:
    """One of the upstreams: how many requests it has under way, how well it is, and which prompts it has read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.running = 0
        self._failures = 0
        self._rests = 0
        self._until = 0.0
        self._trying = False
        self._busy_until = 0.0
        self._read: OrderedDict[int, None] = OrderedDict()

    def well(self, now: float) -> bool:
        """Whether it may be asked: after a rest, by one request at first."""
        if now < self._busy_until:
            return False
        return self._failures < FAILURES or (now >= self._until and not self._trying)

    @property
    def broken(self) -> bool:
        """Whether its breaker is open."""
        return self._failures >= FAILURES

    def back(self) -> float:
        """When it may be asked again."""
        return max(self._busy_until, self._until if self.broken else 0.0)

    def begin(self) -> None:
        """Count a request."""
        self.running += 1
        self._trying = self._trying or self.broken

    def leave(self) -> None:
        """A request that was begun is over, whatever came of it."""
        self.running -= 1
        self._trying = False

    def succeed(self) -> None:
        """It answered."""
        self._failures = self._rests = 0

    def fail(self, now: float) -> None:
        """It did not answer as it should; after a few times in a row it has to rest, longer each time."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + min(REST_SECONDS * 2**self._rests, LONGEST_REST_SECONDS)
            self._rests += 1

    def miss(self, now: float) -> None:
        """It does not even say that it is well: where its breaker is open, it rests until it does."""
        self._failures += 1
        if self.broken:
            self._until, self._rests = now + LONGEST_REST_SECONDS, 0

    def rested(self, now: float) -> None:
        """It says that it is well: where its breaker is open, the next request shows whether it is.

        One that said so, and failed that request, has to rest in spite of it.
        """
        if self._rests < _BELIEVED:
            self._until = now

    def refuse(self, now: float, seconds: float) -> None:
        """It has too much to do for so many seconds."""
        self._busy_until = now + seconds

    def remember(self, prefixes: Sequence[int]) -> None:
        """It has read a prompt with these prefixes."""
        for prefix in prefixes:
            self._read[prefix] = None
            self._read.move_to_end(prefix)
        while len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)

    def shared(self, prefixes: Sequence[int]) -> int:
        """How many of the prefixes, the shortest first, it has read."""
        count = 0
        for prefix in prefixes:
            if prefix not in self._read:
                break
            count += 1
        return count


class Replicas:
    """Chooses among the upstreams of an engine."""

    def __init__(self, names: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._all = tuple(Replica(name) for name in names)
        self._clock = clock

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, place: int) -> Replica:
        return self._all[place]

    def choose(self, family: str | None, prefixes: Sequence[int], tried: Collection[int] = ()) -> int | None:
        """Return the place of the upstream to ask, but none that was `tried`; None where none is well.

        Prompts of a `family` go to the same one, others to the one that has read most of their `prefixes`, unless that
        has more to do than the idlest by SLACK, or half as much again. Else the idlest is asked.
        """
        now = self._clock()
        well = [place for place, one in enumerate(self._all) if place not in tried and one.well(now)]
        if len(well) < 2:
            return well[0] if well else None
        least = min(self._all[place].running for place in well)
        idle = [place for place in well if self._all[place].running <= max(least + SLACK, least + least // 2)]
        if family is not None:
            return max(idle, key=lambda place: _weight(family, self._all[place].name))
        shares = {place: self._all[place].shared(prefixes) for place in idle}
        return max(idle, key=lambda place: (shares[place], -self._all[place].running, -place))

    def wait(self) -> float:
        """How many seconds it takes until one may be asked again."""
        return max(0.0, min(one.back() for one in self._all) - self._clock())

    def now(self) -> float:
        """The time by which upstreams rest."""
        return self._clock()


def _weight(family: str, name: str) -> bytes:
    """Rendezvous hashing: where an upstream comes or goes, only its own families move."""
    return blake2b(f"{family}\0{name}".encode(), digest_size=8).digest()

"""Which slot of llama.cpp answers a request, and what it goes on from.

A slot holds something only while it answers. Before, the state that begins most like the request is put into it; after,
its own is kept as a file. So nothing that an owner's requests have left can be met by another's, there is no difference
between slots, and running answers do not pay for what idle slots hold: llama.cpp computes over all cells in use.
"""

import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Condition

from msgspec import Struct

from freehold.core.prompt import Caching
from freehold.engines.llama.listener import Listener, NotDone
from freehold.engines.llama.states import TOKEN, State, States, common, packed, whole

LEAST = 64
"""The tokens that a state must have more than those that there are, to be worth keeping, and to be worth using."""
LONG = 512
"""From this many tokens that have to be read, a prompt is kept as soon as it is read; others that share it wait."""
_POLL = 0.05
_CLOSING = 2.0
_log = logging.getLogger(__name__)


class _Saved(Struct):
    n_saved: int


class _Erased(Struct):
    n_erased: int


class _Restored(Struct):
    n_restored: int


class Slot(Struct, eq=False):
    """A slot that answers a request: its number, and how many of the tokens it did not have to compute.

    With `reuse`, what it still holds is the owner's own. A `long` prompt is read first, and kept by `Slots.keep`.
    `written` counts the tokens of the answer.
    """

    number: int
    caching: Caching
    tokens: bytes
    known: int = 0
    reuse: bool = True
    reading: bool = False
    parking: bool = False
    written: int = 0

    @property
    def read(self) -> int:
        """The tokens of the prompt."""
        return len(self.tokens) // TOKEN

    @property
    def long(self) -> bool:
        """Whether much of the prompt has to be read."""
        return self.read - self.known >= LONG


class Slots:
    """The slots of one model. `memory` is for what was read last, `lasting` for what is to outlive the process."""

    def __init__(self, listener: Listener, count: int, memory: States | None, lasting: States | None) -> None:
        """Without a `memory` (llama.cpp keeps no states of models that see), slots go on from what they hold."""
        self._listener = listener
        self._memory = memory
        self._lasting = lasting
        self._free = list(range(count))
        self._owners: dict[int, str] = {}
        self._unerased: set[int] = set()
        self._active: list[Slot] = []
        self._changed = Condition()
        self._parking = ThreadPoolExecutor(count)

    @contextmanager
    def take(self, tokens: tuple[int, ...], caching: Caching, stopped: Callable[[], bool]) -> Iterator[Slot | None]:
        """Hold a slot for the length of the block; None once `stopped` says so. Blocks until there is one."""
        slot = self._claim(packed(tokens), caching, stopped)
        if slot is None:
            yield None
            return
        try:
            yield slot
        finally:
            with self._changed:
                slot.reading, slot.parking = False, True
                self._changed.notify_all()
            self._parking.submit(self._leave, slot)

    def keep(self, slot: Slot) -> None:
        """Keep what a slot has read: others may go on from it at once."""
        self._save(slot)
        with self._changed:
            slot.reading = False
            self._changed.notify_all()

    def keeps(self, slot: Slot) -> bool:
        """Whether all of a prompt that was answered can be gone on from: it is kept, or is about to be."""
        if self._memory is None:
            return True
        with self._changed:
            known = self._memory.find(slot.caching.owner, slot.tokens)[1]
        return known >= slot.read or slot.read + slot.written - known >= LEAST

    def close(self) -> None:
        """Wait, not for long, until what was left is kept."""
        with self._changed:
            self._changed.wait_for(lambda: not any(slot.parking for slot in self._active), _CLOSING)

    def _claim(self, tokens: bytes, caching: Caching, stopped: Callable[[], bool]) -> Slot | None:
        owner = caching.owner
        while not stopped():
            with self._changed:
                state, known = self._find(owner, tokens)
                if not self._free or self._coming(owner, tokens, known):
                    self._changed.wait(_POLL)
                    continue
                slot = Slot(self._choose(owner), caching, tokens, known if known >= LEAST else 0)
                clean = self._memory is not None and slot.number not in self._unerased
                slot.reuse = clean or self._owners.get(slot.number) == owner
                slot.reading = slot.long and self._memory is not None
                self._owners[slot.number] = owner
                self._active.append(slot)
            if slot.known and state is not None and not (slot.reuse and self._restore(slot.number, state)):
                slot.known = 0
            return slot
        return None

    def _choose(self, owner: str) -> int:
        """A free slot, one that the owner had last where it matters."""
        number = next((one for one in reversed(self._free) if self._owners.get(one) == owner), self._free[0])
        self._free.remove(number)
        return number

    def _find(self, owner: str, tokens: bytes) -> tuple[State | None, int]:
        found: tuple[State | None, int] = (None, 0)
        for states in (self._memory, self._lasting):
            if states is not None and (one := states.find(owner, tokens))[1] > found[1]:
                found = one
        return found

    def _coming(self, owner: str, tokens: bytes, known: int) -> bool:
        """Whether more than is known of these tokens is being read, or kept, for the same owner just now."""
        if self._memory is None:
            return False
        for other in self._active:
            if other.caching.owner == owner and (other.reading or other.parking):
                least = LONG if other.reading else LEAST
                if common(other.tokens, tokens) >= known + least:
                    return True
        return False

    def _leave(self, slot: Slot) -> None:
        """Keep what a slot holds, where it is worth that, and free it."""
        erased = self._memory is None
        if not erased:
            self._save(slot)
            erased = self._do(slot.number, "erase", {}, _Erased)
        with self._changed:
            (self._unerased.discard if erased else self._unerased.add)(slot.number)
            self._active.remove(slot)
            self._free.append(slot.number)
            self._changed.notify_all()

    def _save(self, slot: Slot) -> None:
        """Keep what a slot holds, where that is more than what is kept."""
        memory, lasting, caching = self._memory, self._lasting, slot.caching
        if memory is None:
            return
        length = slot.read + slot.written
        try:
            with self._changed:
                state, known = memory.find(caching.owner, slot.tokens)
            name = f"{secrets.token_hex(8)}.saved"
            if length - known >= LEAST and self._do(slot.number, "save", {"filename": name}, _Saved):
                with self._changed:
                    state = memory.take(memory.folder / name, caching.owner, caching.family)
            if state is None or lasting is None or not caching.lasting:
                return
            with self._changed:
                kept, known = lasting.find(caching.owner, slot.tokens)
            if kept is not None and length - known < LEAST:
                lasting.use(kept)
                return
            copied, checksum = lasting.stage(state)
            with self._changed:
                lasting.take(copied, caching.owner, caching.family, checksum)
        except OSError as error:
            _log.warning("what slot %d held was not kept: %s", slot.number, error)

    def _restore(self, number: int, state: State) -> bool:
        """Put a state into a slot; False where that cannot be done: then it is of no use."""
        memory = self._memory
        if memory is None:
            return False
        done = self._fetch(number, memory.folder / f"{secrets.token_hex(8)}.wanted", state)
        with self._changed:
            for states in (memory, self._lasting):
                if states is not None and states.folder == state.path.parent:
                    (states.use if done else states.drop)(state)
        return done

    def _fetch(self, number: int, link: Path, state: State) -> bool:
        """Put a state into a slot by way of a link to it, for llama.cpp reads one folder only."""
        try:
            if not whole(state):
                _log.warning("%s is damaged and was removed", state.path.name)
                return False
            link.symlink_to(state.path.absolute())
            try:
                return self._do(number, "restore", {"filename": link.name}, _Restored)
            finally:
                link.unlink()
        except OSError as error:
            _log.warning("%s could not be read: %s", state.path.name, error)
            return False

    def _do(self, number: int, action: str, body: dict[str, str], answer: type[Struct]) -> bool:
        try:
            self._listener.ask(f"/slots/{number}?action={action}", body, answer)
        except (NotDone, OSError) as reason:
            _log.warning("llama.cpp could not %s slot %d: %s", action, number, reason)
            return False
        return True

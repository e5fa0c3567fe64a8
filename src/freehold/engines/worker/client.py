"""Our side of a worker process: starts it, talks to it, and starts it again when it dies."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from freehold.core.errors import EngineBusy, EngineFailed
from freehold.core.prompt import Raw, Turn
from freehold.engines.worker.child import COMMAND, Child, spawn
from freehold.engines.worker.messages import (
    Cancel,
    Done,
    Embed,
    Embedded,
    Failed,
    FromWorker,
    Generate,
    Open,
    Piece,
    Ready,
    Refused,
    Tokenize,
    TokenizeRaw,
    Tokens,
    ToWorker,
)

_log = logging.getLogger(__name__)


class Timing(Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds.

    A request waits `patience` for a restart, `counting` for its tokens and `embedding` for vectors. A cancelled one is
    given up after `confirmation`. A restart comes after `backoff`, doubled for each failure up to `longest_backoff`,
    forgotten after `stable` seconds of life. `closing` is the time for each step of the end.
    """

    patience: float = 5.0
    counting: float = 60.0
    embedding: float = 900.0
    confirmation: float = 15.0
    backoff: float = 0.1
    longest_backoff: float = 30.0
    stable: float = 60.0
    closing: float = 3.0


USUAL = Timing()


class StartFailed(Exception):
    """A worker could not be started; `lines` are the last that it wrote to stderr."""

    def __init__(self, reason: str, lines: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lines = lines


class Answer:
    """One running `Generate`: its messages in batches, as they arrive."""

    def __init__(self, cancel: Callable[[], None], ended: Callable[[], None]) -> None:
        self._cancel = cancel
        self._ended: Callable[[], None] | None = ended
        self._arrived: list[Piece | Done | Failed] = []
        self._waiting: asyncio.Future[None] | None = None

    async def take(self) -> list[Piece | Done | Failed]:
        """Wait until something has arrived since the last call, and return all of it. The last is Done or Failed."""
        if not self._arrived:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self) -> None:
        """Have the worker stop, if it has not; `ended` is called when it confirms that."""
        if self._ended is not None:
            self._cancel()

    def put(self, message: Piece | Done | Failed) -> None:
        """Take a message of the worker."""
        self._arrived.append(message)
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            if not waiting.done():
                waiting.set_result(None)

    def end(self) -> None:
        """Note that the worker is no longer busy with it; a second call does nothing."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


class Worker:
    """A supervised worker process; made by `open_worker`, which also ends it."""

    def __init__(self, opening: Open, command: Sequence[str], timing: Timing) -> None:
        self._opening = opening
        self._command = command
        self._timing = timing
        self._numbers = count(1)
        self._answers: dict[int, Answer] = {}
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._child: Child | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self._settled = asyncio.Event()  # set while it is known whether the worker answers: `_trouble` says why not
        self._lost = asyncio.Event()
        self._trouble: str | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process, None while there is none."""
        return None if self._child is None else self._child.pid

    def stand_still(self) -> None:
        """Have the process compute nothing until `go_on`."""
        if self._child is not None:
            self._child.stand_still()

    def go_on(self) -> None:
        """Have the process compute again."""
        if self._child is not None:
            self._child.go_on()

    async def up(self) -> None:
        """Wait until the worker answers.

        Raises EngineBusy when a restart takes too long for this request, EngineFailed when the last one failed.
        """
        try:
            async with asyncio.timeout(self._timing.patience):
                await self._settled.wait()
        except TimeoutError:
            raise EngineBusy("The engine is restarting. Please retry after a short wait.", retry_after=5.0) from None
        if self._trouble is not None:
            raise EngineFailed(f"The engine is down and could not be restarted: {self._trouble}")

    async def tokenize(self, turns: tuple[Turn, ...], begun: str = "") -> tuple[int, ...]:
        """Return the tokens of the turns and of what the answer is to begin with.

        Raises Refused for their content, else as `up` does.
        """
        return (await self._ask(Tokenize(0, turns, begun), self._timing.counting)).tokens

    async def tokenize_raw(self, raw: Raw, suffix: str | None) -> Tokens:
        """Return the tokens, and the text, of what is continued as it is, up to the suffix. Raises as `tokenize`."""
        return await self._ask(TokenizeRaw(0, raw, suffix), self._timing.counting)

    async def embed(self, texts: tuple[Raw, ...]) -> Embedded:
        """Return the vectors of texts. Raises as `tokenize`."""
        return await self._ask(Embed(0, texts), self._timing.embedding)

    async def _ask(self, message: Tokenize | TokenizeRaw | Embed, seconds: float) -> Any:
        """Return the one answer to a message. Raises EngineFailed when it does not come within these seconds."""
        await self.up()
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(replace(message, id=number))
            async with asyncio.timeout(seconds):
                return await self._asked[number]
        except TimeoutError:
            raise EngineFailed("The engine did not read the text in time.") from None
        finally:
            del self._asked[number]

    def start(self, request: Generate, ended: Callable[[], None]) -> Answer:
        """Begin to answer a request, whose id is filled in here.

        `ended` is called once, when the worker is no longer busy with it: it is done, has confirmed to have stopped, is
        dead, or has not confirmed in time.
        """
        number = next(self._numbers)

        def cancel() -> None:
            self._send(Cancel(number))
            asyncio.get_running_loop().call_later(self._timing.confirmation, self._give_up, number)

        answer = self._answers[number] = Answer(cancel, ended)
        if self._settled.is_set() and self._trouble is None:
            self._send(replace(request, id=number))
        else:
            self._receive(Failed(number, "The engine went down before the answer began."))
        return answer

    def _send(self, message: ToWorker) -> None:
        if self._child is not None:
            self._child.send(message)

    def _receive(self, message: FromWorker) -> None:
        match message:
            case Piece():
                answer = self._answers.get(message.id)
                if answer is not None:
                    answer.put(message)
            case Done() | Failed() if message.id in self._answers:
                answer = self._answers.pop(message.id)
                answer.end()
                answer.put(message)
            case Tokens() | Embedded() | Failed() if message.id in self._asked:
                _settle(self._asked[message.id], message)
            case Ready() if self._ready is not None and not self._ready.done():
                self._ready.set_result(message)
            case Failed(id=0) if self._ready is not None and not self._ready.done():
                self._ready.set_exception(StartFailed(message.message, ()))
            case _:
                _log.debug("a worker sent what nobody waits for: %s", type(message).__name__)

    def _give_up(self, number: int) -> None:
        if number in self._answers:
            _log.warning("the worker has not confirmed in %g s that it stopped a request", self._timing.confirmation)
            self._receive(Done(number, "cancelled"))

    def _on_lost(self) -> None:
        """The connection is gone: fail at once whatever waits for it."""
        self._settled.clear()
        self._lost.set()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(StartFailed("", ()))
        for number in (*self._answers, *self._asked):
            self._receive(Failed(number, "The engine's process ended in the middle of the request."))

    async def _launch(self) -> Ready:
        """Start a process and wait until its model is loaded; raises StartFailed."""
        self._ready = asyncio.get_running_loop().create_future()
        self._lost.clear()
        try:
            child = await spawn(self._command, self._receive, self._on_lost)
            try:
                child.send(replace(self._opening, folder=child.folder))
                ready = await self._ready
            except StartFailed as failure:
                await child.end(self._timing.closing)
                raise StartFailed(failure.reason or child.verdict, child.lines) from None
            except BaseException:
                await child.end(0.0)
                raise
        except OSError as error:
            raise StartFailed(f"its process could not be started: {error}", ()) from error
        finally:
            self._ready = None
        self._child, self._trouble = child, None
        if not self._lost.is_set():
            self._settled.set()
        return ready

    async def _supervise(self) -> None:
        """Start the process again whenever it is lost."""
        failures, born = 0, time.monotonic()
        while True:
            await self._lost.wait()
            if self._child is not None:
                child, self._child = self._child, None
                await child.end(self._timing.closing)
                _log.error("the worker's process ended: %s; its last words: %s", child.verdict, child.lines[-3:])
            failures = 0 if time.monotonic() - born > self._timing.stable else failures + 1
            await asyncio.sleep(min(self._timing.backoff * 2 ** min(failures, 16), self._timing.longest_backoff))
            born = time.monotonic()
            try:
                await self._launch()
            except StartFailed as failure:
                self._trouble = failure.reason
                self._settled.set()
                self._lost.set()
                _log.error("the worker could not be restarted: %s %s", failure.reason, failure.lines[-3:])

    async def _close(self) -> None:
        self._settled.clear()
        if self._child is not None:
            await self._child.end(self._timing.closing)


def _settle(waiting: asyncio.Future[Any], message: Tokens | Embedded | Failed) -> None:
    if waiting.done():
        return
    if isinstance(message, Failed):
        waiting.set_exception(Refused(message.message) if message.refused else EngineFailed(message.message))
    else:
        waiting.set_result(message)


@asynccontextmanager
async def open_worker(
    opening: Open, command: Sequence[str] = COMMAND, timing: Timing = USUAL
) -> AsyncGenerator[tuple[Worker, Ready], None]:
    """Yield a worker with its model loaded, and what it said of itself; end it on exit.

    `command` is the program, which is given a socket's descriptor as its last argument. `opening.folder` is filled in
    here. Raises StartFailed.
    """
    worker = Worker(opening, command, timing)
    ready = await worker._launch()
    supervision = asyncio.create_task(worker._supervise())
    try:
        yield worker, ready
    finally:
        supervision.cancel()
        await asyncio.wait([supervision])
        await worker._close()
    if not supervision.cancelled():
        await supervision

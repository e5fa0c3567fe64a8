"""Has grammars inspected, each before it is used for the first time, in processes that may die of it."""

import asyncio
import hashlib
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from freehold.core.errors import EngineBusy
from freehold.engines.llama.inspector import TOO_COMPLEX
from freehold.engines.worker.frames import frame

COMMAND = (sys.executable, "-P", "-X", "utf8", "-m", "freehold.engines.llama.inspector")
LONGEST = 2_000_000
_KEPT = 4_096
_log = logging.getLogger(__name__)

Process = asyncio.subprocess.Process


class Inspection:
    """A few inspecting processes, started when they are needed; made by `open_inspection`, which also ends them."""

    def __init__(self, command: Sequence[str], slots: int, queue: int, seconds: float) -> None:
        self._command = command
        self._places = asyncio.Semaphore(slots)
        self._most = slots + queue
        self._seconds = seconds
        self._asked = 0
        self._idle: list[Process] = []
        self._known: dict[bytes, str] = {}

    async def flaw(self, grammar: str) -> str:
        """Return what is wrong with a grammar, in a line; empty when nothing is. Raises EngineBusy when many wait."""
        if len(grammar) > LONGEST:
            return TOO_COMPLEX
        key = hashlib.sha256(grammar.encode()).digest()
        found = self._known.pop(key, None)
        if found is None:
            if self._asked >= self._most:
                raise EngineBusy("Too many schemas and grammars wait to be checked. Please retry your request.")
            self._asked += 1
            try:
                async with self._places:
                    found = await self._inspect(grammar)
            finally:
                self._asked -= 1
        self._known[key] = found  # the last one to be forgotten now
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return found

    async def close(self) -> None:
        """End the processes."""
        while self._idle:
            await _end(self._idle.pop())

    async def _inspect(self, grammar: str) -> str:
        process = await self._process()
        found: str | None = None
        try:
            async with asyncio.timeout(self._seconds):
                found = await _ask(process, grammar)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            _log.warning("a grammar was too much for an inspecting process (%s)", process.returncode)
        finally:
            if found is None:
                await _end(process)
            else:
                self._idle.append(process)
        return TOO_COMPLEX if found is None else found

    async def _process(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            await _end(process)
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
            env={},  # nothing of the server's own
            start_new_session=True,
        )


@asynccontextmanager
async def open_inspection(
    command: Sequence[str] = COMMAND, slots: int = 2, queue: int = 64, seconds: float = 30.0
) -> AsyncIterator[Inspection]:
    """Yield an Inspection of `slots` processes. What is not found out in `seconds` is refused."""
    inspection = Inspection(command, slots, queue, seconds)
    try:
        yield inspection
    finally:
        await inspection.close()


async def _ask(process: Process, grammar: str) -> str:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("an inspecting process has no pipes")
    try:
        process.stdin.write(frame(grammar.encode()))
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(4), "big")
        return (await process.stdout.readexactly(length)).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        await process.wait()  # killed while it dies, it would leave asyncio without its status
        raise


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()  # its pipes are closed at their ends

"""One worker process as its client sees it: a socket to talk over, what it wrote to stderr, and how it ended."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import DecodeError, msgpack

from freehold.engines.worker.frames import Unframer, frame
from freehold.engines.worker.messages import FromWorker, Shutdown, ToWorker, from_worker

COMMAND = (sys.executable, "-P", "-m", "freehold.engines.worker.host")
_LINES_KEPT = 40
_LONGEST_LINE = 2_000
_READ = 1 << 14
_log = logging.getLogger(__name__)


class Child:
    """A running worker process; made by `spawn`."""

    def __init__(self, process: asyncio.subprocess.Process, link: "_Link", folder: str) -> None:
        self._process = process
        self._link = link
        self._folder = folder
        self._still = False
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._reading = asyncio.create_task(self._read_stderr())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def folder(self) -> str:
        """An empty folder for the worker's own use, closed to other users and removed when the worker has ended."""
        return self._folder

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines that it wrote to stderr; complete after `end`."""
        return tuple(self._lines)

    @property
    def verdict(self) -> str:
        """How it ended, in words for a message."""
        code = self._process.returncode
        if code is None:
            return "it closed its socket"
        if code == -signal.SIGKILL:
            return "it was killed (signal 9), perhaps because the machine ran out of memory"
        return f"it died of signal {-code}" if code < 0 else f"it exited with status {code}"

    def send(self, message: ToWorker) -> None:
        """Send a message; one to a worker that has died goes nowhere, and its loss is told by the link."""
        self._link.send(message)

    def stand_still(self) -> None:
        """Have it compute nothing until `go_on`, where the kernel would end it with us all the same."""
        if sys.platform == "linux" and not self._still:
            self._still = True
            self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it compute again; it does nothing where it does not stand still."""
        if self._still:
            self._still = False
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        # Not by `send_signal`: that reaps a process that has ended, before asyncio can learn its exit status.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it has ended in this moment: nobody is left to be signalled
                os.kill(self._process.pid, number)

    async def end(self, patience: float) -> None:
        """End it, politely; after `patience` seconds with SIGTERM; after as many again with SIGKILL."""
        try:
            self.go_on()
            self.send(Shutdown())
            for push in (self._process.terminate, self._process.kill):
                try:
                    async with asyncio.timeout(patience):
                        await self._process.wait()
                    break
                except TimeoutError:
                    push()
            await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
            self._link.close()
            await self._reading
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _read_stderr(self) -> None:
        stream, rest = self._process.stderr, ""
        while stream is not None and (data := await stream.read(_READ)):
            *lines, rest = (rest + data.decode(errors="replace")).split("\n")
            for line in lines:
                self._keep(line)
            rest = rest[:_LONGEST_LINE]
        if rest:
            self._keep(rest)

    def _keep(self, line: str) -> None:
        self._lines.append(line[:_LONGEST_LINE])
        _log.debug("worker %d: %s", self._process.pid, line)


class _Link(asyncio.Protocol):
    """Our end of the socket: decodes what arrives and hands it on, many messages a wakeup."""

    def __init__(self, receive: Callable[[FromWorker], None], lost: Callable[[], None]) -> None:
        self._receive = receive
        self._lost = lost
        self._unframer = Unframer()
        self._decoder = from_worker()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, data: bytes) -> None:
        """Hand on every complete message; one that makes no sense ends the connection."""
        decode, receive = self._decoder.decode, self._receive
        try:
            for payload in self._unframer.feed(data):
                receive(decode(payload))
        except DecodeError:
            _log.exception("a worker sent what is no message")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that nothing more will come."""
        self._lost()

    def send(self, message: ToWorker) -> None:
        """Write a message, unless the connection is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(msgpack.encode(message)))

    def close(self) -> None:
        """Close the connection now."""
        if self._transport is not None:
            self._transport.abort()


async def spawn(command: Sequence[str], receive: Callable[[FromWorker], None], lost: Callable[[], None]) -> Child:
    """Start `command` with a socket's descriptor as its last argument.

    `receive` is called with each message and `lost` once, when the connection ends. Raises OSError when the process
    cannot be started.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    with theirs:
        _, link = await loop.create_unix_connection(lambda: _Link(receive, lost), sock=ours)
        folder = tempfile.mkdtemp(prefix="freehold-")
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C in a terminal is for the server, which ends its workers in good order
            )
        except BaseException:
            link.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return Child(process, link, folder)

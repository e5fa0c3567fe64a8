"""The program of a worker process: reads messages from a socket, drives a model, writes what it says.

Run as `python -m freehold.engines.worker.host FD`, where FD is an inherited stream socket. It ends when it is told to,
when the other end of the socket closes, and on Linux when its parent dies.
"""

import ctypes
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from threading import Lock
from typing import Any, NoReturn

from msgspec import msgpack
from msgspec.structs import replace

from freehold.core.prompt import Raw, Turn
from freehold.engines.worker.frames import Unframer, frame
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
    Shutdown,
    Tokenize,
    TokenizeRaw,
    Tokens,
    ToWorker,
    to_worker,
)

_CHUNK = 1 << 18
_PR_SET_PDEATHSIG = 1
_NICEST = 19


class Backend:
    """What a worker can host: made from an `Open`, it blocks until the model is loaded and raises when it cannot be.

    It does what it overrides.
    """

    ready: Ready

    def tokenize(self, turns: tuple[Turn, ...], begun: str) -> tuple[int, ...]:
        """Return the tokens of the turns and of what the answer is to begin with; raises Refused."""
        raise Refused("This model has no turns.")

    def tokenize_raw(self, raw: Raw, suffix: str | None) -> tuple[tuple[int, ...], str]:
        """Return the tokens of a text that is continued as it is, up to the suffix, and the text; raises Refused."""
        raise Refused("This model continues no text.")

    def generate(self, request: Generate, say: Callable[[Piece], bool]) -> Done:
        """Work on one request, in the calling thread; raises Refused.

        Each piece, without text where there is only progress, is given to `say`, which returns True when the work must
        stop.
        """
        raise Refused("This model answers nothing.")

    def embed(self, texts: tuple[Raw, ...]) -> Embedded:
        """Return the vectors of texts, without an id; raises Refused."""
        raise Refused("This model gives no vectors.")

    def close(self) -> None:
        """Bring to an end, within seconds, what must not be left undone: the process is about to exit."""


class Host:
    """Serves one backend over one socket: each running answer has a thread, all counting shares another."""

    def __init__(self, sock: socket.socket, backend: Backend, slots: int) -> None:
        self._sock = sock
        self._backend = backend
        self._writing = Lock()
        self._answers = ThreadPoolExecutor(slots)
        self._counts = ThreadPoolExecutor(1)
        self._cancelled: dict[int, bool] = {}

    def serve(self, messages: Iterator[ToWorker]) -> None:
        """Announce the backend and obey messages until they end or one of them is Shutdown."""
        self._send(self._backend.ready)
        for message in messages:
            match message:
                case Tokenize():
                    self._counts.submit(self._answer, message.id, self._tokenize, message)
                case TokenizeRaw():
                    self._counts.submit(self._answer, message.id, self._tokenize_raw, message)
                case Embed():
                    self._answers.submit(self._answer, message.id, self._embed, message)
                case Generate():
                    self._cancelled[message.id] = False
                    self._answers.submit(self._answer, message.id, self._generate, message)
                case Cancel():
                    if message.id in self._cancelled:
                        self._cancelled[message.id] = True
                case Shutdown():
                    return
                case Open():
                    raise ValueError("a worker can only be opened once")

    def _tokenize(self, message: Tokenize) -> FromWorker:
        return Tokens(message.id, self._backend.tokenize(message.turns, message.begun))

    def _tokenize_raw(self, message: TokenizeRaw) -> FromWorker:
        return Tokens(message.id, *self._backend.tokenize_raw(message.raw, message.suffix))

    def _embed(self, message: Embed) -> FromWorker:
        return replace(self._backend.embed(message.texts), id=message.id)

    def _generate(self, message: Generate) -> FromWorker:
        number, cancelled = message.id, self._cancelled

        def say(piece: Piece) -> bool:
            if piece.text:
                self._send(piece)
            return cancelled[number]

        try:
            return self._backend.generate(message, say)
        finally:
            del cancelled[number]

    def _answer(self, number: int, work: Callable[[Any], FromWorker], message: ToWorker) -> None:
        """Send what the work comes to: no request goes without its last message."""
        try:
            end = work(message)
        except Refused as error:
            end = Failed(number, str(error), refused=True)
        except Exception as error:  # noqa: BLE001 - one request's defect must not take the others down
            end = Failed(number, f"{type(error).__name__}: {error}")
        self._send(end)

    def _send(self, message: FromWorker) -> None:
        data = frame(msgpack.encode(message))
        with self._writing:
            self._sock.sendall(data)


def main() -> NoReturn:
    """Serve over the socket whose descriptor is the only argument; end the process without waiting for its threads."""
    _die_with_parent()
    sock = socket.socket(fileno=int(sys.argv[1]))
    messages = _receive(sock)
    opening = next(messages)
    if not isinstance(opening, Open):
        raise ValueError(f"the first message to a worker must be Open, not {opening!r}")
    if opening.background:
        _step_back()
    module, _, attribute = opening.backend.partition(":")
    try:
        backend: Backend = getattr(import_module(module), attribute)(opening)
    except Exception as error:  # noqa: BLE001 - whatever keeps a model from loading is the answer to Open
        sock.sendall(frame(msgpack.encode(Failed(0, str(error) or repr(error)))))
        os._exit(1)
    Host(sock, backend, opening.slots).serve(messages)
    backend.close()
    shutil.rmtree(opening.folder, ignore_errors=True)
    # Threads may be deep in native code, where nothing can call them back: an orderly exit would wait for them.
    os._exit(0)


def _receive(sock: socket.socket) -> Iterator[ToWorker]:
    unframer, decoder = Unframer(), to_worker()
    while data := sock.recv(_CHUNK):
        for payload in unframer.feed(data):
            yield decoder.decode(payload)


def _step_back() -> None:
    """Have the kernel run us, and the threads we start from now on, only while nothing else wants to run."""
    os.nice(_NICEST)
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _die_with_parent() -> None:
    """Have the kernel kill us when our parent dies: while a model loads, no thread of ours may be able to notice it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()

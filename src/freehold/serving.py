"""A house at work: as a server, or as a worker alone, until a signal ends it."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import uvicorn

from freehold.config import Settings
from freehold.engines.registry import Find
from freehold.http.protocol import UNREAD, HttpProtocol
from freehold.wiring import House, build

log = logging.getLogger(__name__)

FORCED_STOP_SECONDS = 5
GONE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""When a client that went without a word is noticed, in the names that systems have for it: seconds, and a count."""
FINISHING = ("response", "webhook")
"""The kinds of jobs that may go on while the process drains; what takes longer goes back to the queue at once."""


async def serve(settings: Settings, data: Path, find: Find, keys: tuple[str, ...], tell: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then let the running answers finish.

    `keys` are accepted beside the stored ones; `tell` prints a line for the person who started the server. The port is
    taken first, so that a second server fails at once and not after loading a model. Raises OSError when it is taken.
    """
    listener = _listen(settings.server.host, settings.server.port)
    with listener:
        async with build(settings, data, find) as house:
            for key in keys:
                house.keys.accept(key)
            gc.freeze()  # what stands now stands to the end, and need not be looked through again and again
            gc.set_threshold(10_000, 20)  # nearly all that a request leaves behind goes without the collector
            await _run(house, settings, listener, tell)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # its connections inherit this, and what follows
    for name, value in {**GONE, "TCP_USER_TIMEOUT": int(UNREAD * 1000)}.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        cause = (error.strerror or str(error)).lower()
        reason = f"Port {port} on {host} cannot be used: {cause}. Choose one with --port."
        raise OSError(error.errno, reason) from error
    return listener


async def _run(house: House, settings: Settings, listener: socket.socket, tell: Callable[[str], None]) -> None:
    config = uvicorn.Config(
        house.app,
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        date_header=True,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=FORCED_STOP_SECONDS,
        ws="websockets-sansio" if find_spec("websockets") else "none",
        ws_max_size=settings.server.max_body,
        ws_per_message_deflate=False,  # it would cost every connection hundreds of kilobytes
    )
    server = uvicorn.Server(config)
    with _signals() as stop:
        # `_serve` is `serve` without uvicorn's own signal handlers, which would cut the drain short and exit with 143.
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn has no event for it
                await asyncio.sleep(0.01)
            if server.started:
                async with _working(house, settings.worker.enabled) as working:
                    await _greet(house, listener, tell)
                    await _first(None, asyncio.shield(serving), asyncio.shield(working), stop.wait())
                    house.app.draining = True
                    await _drain(house, settings.server.drain_seconds, stop)
                house.running.stop_all()
        finally:
            server.should_exit = True
            await serving


async def work(settings: Settings, data: Path, find: Find, tell: Callable[[str], None]) -> None:
    """Do the jobs of other processes' servers until SIGINT or SIGTERM, without listening anywhere.

    `tell` prints a line for the person who started the worker.
    """
    async with build(settings, data, find) as house:
        with _signals() as stop:
            async with _working(house, True) as working:
                tell("working")
                await _first(None, asyncio.shield(working), stop.wait())
                await _drain(house, settings.server.drain_seconds, stop)


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """Set the event, instead of ending the process, on SIGINT and SIGTERM inside the block."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _working(house: House, wanted: bool) -> AsyncIterator[asyncio.Task[object]]:
    """Run the house's worker inside the block, if it is `wanted`; then what it has goes back to the queue.

    Raises what the worker ended with by itself.
    """
    task: asyncio.Task[object] = asyncio.create_task(house.worker.run() if wanted else _forever())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _forever() -> None:
    await asyncio.Event().wait()


async def _drain(house: House, seconds: float, stop: asyncio.Event) -> None:
    """Claim nothing more and wait for what is under way, until a second signal, or the limit."""
    house.worker.retire(FINISHING)
    stop.clear()
    if len(house.running) or len(house.worker):
        log.warning(
            "stopping: waiting up to %g s for %d answers and %d jobs", seconds, len(house.running), len(house.worker)
        )
    await _first(seconds, house.idle(), stop.wait())
    if len(house.running) or len(house.worker):
        log.warning("stopping: %d answers were cut, %d jobs put back", len(house.running), len(house.worker))


async def _first(seconds: float | None, *waits: Awaitable[object]) -> None:
    """Return when the first of the waits is over, or the seconds are."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _greet(house: House, listener: socket.socket, tell: Callable[[str], None]) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
    tell(f"ready {url}")
    if not house.keys.given and not await house.keys.list():
        _, secret = await house.keys.create("first", owner=True)
        tell(
            "\nThis is the first start, so here is an API key. It is shown once; only its hash is stored.\n"
            f"\n  export OPENAI_BASE_URL={url}\n  export OPENAI_API_KEY={secret}\n"
        )

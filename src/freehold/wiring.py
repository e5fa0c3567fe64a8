"""The composition root: settings in, a running server out. Nothing but the command line imports it."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import uvicorn
from msgspec.structs import replace

from freehold.config import Settings
from freehold.core.catalog import Catalog
from freehold.core.ids import random_id
from freehold.core.ports import Engine, Served
from freehold.engines.registry import EngineSpec, Find, open_engine
from freehold.http.app import App
from freehold.http.routes import chat, completions, conversations, models, responses
from freehold.services.admission import Admission
from freehold.services.answering import Answering, Chance
from freehold.services.completions import Completions
from freehold.services.conversations import Conversations
from freehold.services.items import Items
from freehold.services.keys import PEPPER, Keys, pepper
from freehold.services.media import Media
from freehold.services.memory import Memory
from freehold.services.models import Models
from freehold.services.policy import Policy
from freehold.services.prompts import Prompts
from freehold.services.recall import Recall
from freehold.services.responses import Responses
from freehold.services.running import Running
from freehold.services.sealing import Seals
from freehold.storage.database import open_database
from freehold.storage.repos.completions import CompletionRows
from freehold.storage.repos.conversations import ConversationRows
from freehold.storage.repos.items import ItemRows
from freehold.storage.repos.keys import KeyRows
from freehold.storage.repos.responses import ResponseRows
from freehold.surfaces.common import OBFUSCATION
from freehold.tools.guard import Guard
from freehold.tools.reading import Reading, can_ocr

log = logging.getLogger(__name__)

FORCED_STOP_SECONDS = 5


@dataclass(frozen=True)
class House:
    """What stands once everything is wired."""

    app: App
    keys: Keys
    catalog: Catalog
    running: Running


@asynccontextmanager
async def build(settings: Settings, data: Path, find: Find, chance: Chance | None = None) -> AsyncIterator[House]:
    """Start the engines, open the storage and wire the rooms together; close all of it at the end.

    `data` is the data folder, `find` returns the weights file of a model name. Raises ValueError for settings that
    contradict each other, and what the engines and the database raise when they cannot start.
    """
    chance = chance or Chance(random_id, time.time, lambda: random_id("")[:OBFUSCATION])
    async with AsyncExitStack() as stack:
        engines: dict[str, Engine] = {}
        for spec in settings.engines:
            if spec.name in engines:
                raise ValueError(f"two engines are named {spec.name!r}; give each [[engines]] its own name")
            engines[spec.name] = await stack.enter_async_context(open_engine(spec, find))
        database = await stack.enter_async_context(open_database(settings.storage.database, data))
        keys = Keys(KeyRows(database), data)
        running = Running()
        served = {spec.name: _served(spec, engines[spec.name]) for spec in settings.engines}
        catalog = _catalog(served, settings.aliases)
        items = Items(ItemRows(database), chance.mint)
        stored = Responses(ResponseRows(database), items)
        seals = Seals(pepper(data / PEPPER))
        spoken = Conversations(ConversationRows(database), items, seals, chance.mint, chance.clock)
        completed = Completions(CompletionRows(database))
        memory = Memory(items, stored, spoken, completed)
        recall = Recall(memory, seals)
        policy = Policy(settings.refusals.patterns, settings.refusals.message)
        media = Media(Guard(settings.outbound.allow), Reading(), catalog)
        admission = Admission(catalog, engines, recall, Prompts(data), media)
        answering = Answering(admission, recall, memory, policy, chance, running)
        limit = settings.server.max_body
        paths = [
            *responses.paths(answering, stored, limit),
            *conversations.paths(spoken, limit),
            *chat.paths(answering, completed, limit),
            *completions.paths(answering, limit),
            *models.paths(Models(catalog)),
        ]
        sockets = responses.sockets(answering, chance.mint, limit)
        yield House(App(paths, sockets, keys.authenticate, chance.mint), keys, catalog, running)


def _served(spec: EngineSpec, engine: Engine) -> tuple[Served, ...]:
    """The models of an engine; those without eyes are read to by the OCR, where it is installed and wanted."""
    if spec.vision == "ocr" and not can_ocr():
        raise ValueError(f"engine {spec.name!r}: vision = \"ocr\" needs the extra: pip install 'freehold[ocr]'")
    if spec.vision not in (None, "ocr") or not can_ocr():
        return engine.models
    return tuple(model if model.vision == "native" else replace(model, vision="ocr") for model in engine.models)


def _catalog(served: Mapping[str, Sequence[Served]], aliases: Mapping[str, str]) -> Catalog:
    every = [model.name for models_ in served.values() for model in models_]
    if not every:
        raise ValueError("no engine serves a model; name one with --model or in [[engines]]")
    return Catalog(served, aliases, default=every[0])


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
            await _run(house, settings, listener, tell)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=True,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=FORCED_STOP_SECONDS,
        ws="websockets-sansio" if find_spec("websockets") else "none",
        ws_max_size=settings.server.max_body,
        ws_per_message_deflate=False,  # it would cost every connection hundreds of kilobytes
    )
    server = uvicorn.Server(config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # `_serve` is `serve` without uvicorn's own signal handlers, which would cut the drain short and exit with 143.
    serving = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.01)
        if server.started:
            await _greet(house, listener, tell)
            await _first(None, asyncio.shield(serving), stop.wait())
            await _drain(house, settings.server.drain_seconds, stop)
        server.should_exit = True
        await serving
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _drain(house: House, seconds: float, stop: asyncio.Event) -> None:
    """Refuse new requests and wait for the running ones; a second signal, or the limit, ends them as cancelled."""
    house.app.draining = True
    stop.clear()
    if len(house.running):
        log.warning("stopping: waiting up to %g s for %d running answers", seconds, len(house.running))
    await _first(seconds, house.running.idle(), stop.wait())
    if len(house.running):
        log.warning("stopping: %d answers were cut", len(house.running))
        house.running.stop_all()


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

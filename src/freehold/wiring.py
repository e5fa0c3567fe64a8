"""The composition root: settings in, a house whose rooms are wired together out."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from freehold.config import Settings
from freehold.core.catalog import Catalog
from freehold.core.ids import random_id, random_padding
from freehold.core.ports import Changing, Embedder, Engine, Load, Served
from freehold.engines.embedders import MULTILINGUAL, EmbedderSpec, open_embedder
from freehold.engines.embedding.cl100k import Cl100k
from freehold.engines.registry import KEPT, EngineSpec, Find, open_engine, takes
from freehold.http.app import App
from freehold.http.routes import (
    batches,
    chat,
    completions,
    conversations,
    embeddings,
    files,
    models,
    responses,
    uploads,
    vector_stores,
    webhooks,
)
from freehold.services.admission import Admission
from freehold.services.answering import Answering, Chance
from freehold.services.background import Background
from freehold.services.batch_lines import BatchLines, Reply, generating
from freehold.services.batches import Batches
from freehold.services.blobs import Shelf
from freehold.services.chains import Chains
from freehold.services.completions import Completions
from freehold.services.conversations import Conversations
from freehold.services.embeddings import Embeddings
from freehold.services.encoders import Encoders
from freehold.services.files import Files
from freehold.services.indexes import Indexes
from freehold.services.ingest import Ingest
from freehold.services.items import Items
from freehold.services.jobs import Bell, Handler
from freehold.services.journal import News
from freehold.services.judging import ChatReranker, ChatRewriter
from freehold.services.keys import Keys, pepper
from freehold.services.media import Media
from freehold.services.memory import Memory
from freehold.services.models import Models
from freehold.services.parsed import ParsedFiles
from freehold.services.policy import Policy
from freehold.services.prompts import Prompts
from freehold.services.recall import Recall
from freehold.services.responses import Responses
from freehold.services.running import Running
from freehold.services.sealing import Seals
from freehold.services.search import Search
from freehold.services.sweep import Sweep
from freehold.services.toolbox import Toolbox
from freehold.services.uploads import Uploads
from freehold.services.vector_store_files import StoreFiles
from freehold.services.vector_stores import VectorStores
from freehold.services.webhooks import Deliveries, Webhooks
from freehold.storage.blobs.open import open_blobs
from freehold.storage.database import Database, open_database
from freehold.storage.repos.batches import BatchRows
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.chunks import ChunkRows
from freehold.storage.repos.completions import CompletionRows
from freehold.storage.repos.conversations import ConversationRows
from freehold.storage.repos.files import FileRows
from freehold.storage.repos.items import ItemRows
from freehold.storage.repos.jobs import JobRows
from freehold.storage.repos.journal import JournalRows
from freehold.storage.repos.keys import KeyRows
from freehold.storage.repos.parsed_files import ParsedRows
from freehold.storage.repos.responses import ResponseRows
from freehold.storage.repos.uploads import UploadRows
from freehold.storage.repos.vector_store_files import EntryRows
from freehold.storage.repos.vector_stores import StoreRows
from freehold.storage.repos.webhooks import WebhookRows
from freehold.surfaces.chat import CHAT
from freehold.surfaces.common import OBFUSCATION
from freehold.surfaces.completions import COMPLETIONS
from freehold.surfaces.embeddings import PATH as EMBEDDINGS
from freehold.surfaces.responses import RESPONSES
from freehold.tools.guard import Guard
from freehold.tools.reading import Reading, can_ocr
from freehold.worker.loop import Worker

_LINES = 8
"""How many lines of a batch of embeddings are under way at once."""


@dataclass(frozen=True)
class Knowledge:
    """What finds things in files."""

    embeddings: Embeddings
    stores: VectorStores
    files: StoreFiles
    search: Search
    toolbox: Toolbox


@dataclass(frozen=True)
class House:
    """What stands once everything is wired."""

    app: App
    keys: Keys
    catalog: Catalog
    running: Running
    worker: Worker

    async def idle(self) -> None:
        """Wait until no answer and no job is under way."""
        await self.running.idle()
        await self.worker.idle()


@asynccontextmanager
async def build(settings: Settings, data: Path, find: Find, chance: Chance | None = None) -> AsyncIterator[House]:
    """Start the engines, open the storage and wire the rooms together; close all of it at the end.

    `data` is the data folder, `find` returns the weights file of a model name. Raises ValueError for settings that
    contradict each other, and what the engines and the database raise when they cannot start.
    """
    chance = chance or Chance(random_id, time.time, lambda: random_padding()[:OBFUSCATION])
    async with AsyncExitStack() as stack:
        engines = await _engines(settings, data, find, stack)
        opening = open_database(settings.storage.database, data, settings.storage.migrate)
        database = await stack.enter_async_context(opening)
        blobs = await open_blobs(settings.storage.blobs, data, settings.s3)
        shelf = Shelf(BlobRows(database), blobs, chance.mint, chance.clock)
        kept = Files(FileRows(database), shelf, chance.mint, chance.clock)
        uploading = Uploads(UploadRows(database), kept, shelf, chance.mint, chance.clock)
        secret = pepper(data / settings.server.pepper)
        keys = Keys(KeyRows(database), secret)
        running, bell = Running(), Bell()
        encoders = Encoders(await _embedders(settings, find, stack), settings.aliases)
        catalog = _catalog(settings, engines, encoders)
        seals = Seals(secret)
        items = Items(ItemRows(database), seals, chance.mint)
        stored = Responses(ResponseRows(database), items, Chains())
        spoken = Conversations(ConversationRows(database), items, seals, chance.mint, chance.clock)
        completed = Completions(CompletionRows(database))
        memory = Memory(items, stored, spoken, completed)
        recall = Recall(memory, seals)
        policy = Policy(settings.refusals.patterns, settings.refusals.message)
        guard, reading = Guard(settings.outbound.allow), Reading()
        parsed = ParsedFiles(ParsedRows(database), kept, reading)
        media = Media(guard, reading, catalog, kept, parsed)
        hooks = Webhooks(endpoints := WebhookRows(database), guard, seals, chance.mint, chance.clock)
        knowledge = _knowledge(settings, database, encoders, find, _judges(settings, catalog, engines), chance, bell)
        admission = Admission(catalog, engines, recall, Prompts(data), media, knowledge.toolbox)
        answering = Answering(admission, recall, memory, policy, chance, running)
        journals, slots = JournalRows(database), sum(engine.load.slots for engine in engines.values())
        background = Background(journals, answering, items, chance, bell, News(), hooks.announce, slots)
        limit = settings.server.max_body
        lines, replies = BatchRows(database), _replies(answering, knowledge.embeddings)
        batching = Batches(lines, kept, replies, chance.mint, chance.clock, bell)
        executing = BatchLines(lines, kept, shelf, replies, _load(answering, encoders), hooks.announce, chance, limit)
        paths = [
            *responses.paths(answering, stored, background, limit),
            *conversations.paths(spoken, limit),
            *chat.paths(answering, completed, limit),
            *completions.paths(answering, limit),
            *models.paths(Models(catalog, encoders)),
            *embeddings.paths(knowledge.embeddings, limit),
            *files.paths(kept, shelf),
            *uploads.paths(uploading, shelf, limit),
            *batches.paths(batching, limit),
            *vector_stores.paths(knowledge.stores, knowledge.files, knowledge.search, limit),
            *webhooks.paths(hooks, limit),
        ]
        app = App(paths, responses.sockets(answering, chance.mint, limit), keys.authenticate, chance.mint)
        ingest = Ingest(database, kept, parsed, encoders, chance.clock)
        handlers = (background, executing, ingest, Deliveries(endpoints, guard, seals, chance.clock))
        swept = (kept, uploading, batching, knowledge.stores, shelf)
        sweep = Sweep((*(one.sweep for one in swept), background.forget), chance.clock)
        yield House(app, keys, catalog, running, _worker(database, handlers, sweep, chance, bell))


def _worker(database: Database, handlers: Sequence[Handler], sweep: Sweep, chance: Chance, bell: Bell) -> Worker:
    by_kind = {handler.kind: handler for handler in handlers}
    return Worker(JobRows(database), by_kind, chance.mint("worker_"), chance.clock, bell, sweep.run)


def _replies(answering: Answering, embedding: Embeddings) -> dict[str, Reply]:
    """What answers the requests of batches, by endpoint: those that are not here, batches are not taken for."""
    written = {surface.path: generating(surface, answering) for surface in (RESPONSES, CHAT, COMPLETIONS)}
    return {**written, EMBEDDINGS: embedding.reply}


def _load(answering: Answering, encoders: Encoders) -> Callable[[str | None], Load | None]:
    """Return what says how full the engine behind the model of a batch is."""
    lines = Load(running=0, waiting=0, limit=_LINES, slots=_LINES)
    return lambda name: answering.load(name) if name is None or encoders.find(name) is None else lines


def _judges(
    settings: Settings, catalog: Catalog, engines: Mapping[str, Engine]
) -> tuple[ChatReranker | None, ChatRewriter]:
    return ChatReranker(catalog, engines) if settings.search.rerank else None, ChatRewriter(catalog, engines)


def _knowledge(
    settings: Settings,
    database: Database,
    encoders: Encoders,
    find: Find,
    judges: tuple[ChatReranker | None, ChatRewriter],
    chance: Chance,
    bell: Bell,
) -> Knowledge:
    rows, chunks = StoreRows(database), ChunkRows(database)
    indexes = Indexes(chunks, settings.search.cache_mb * 1024 * 1024)
    search = Search(chunks, rows, encoders, indexes, chance.clock, *judges)
    in_stores = StoreFiles(EntryRows(database), chance.mint, chance.clock, bell)
    stores = VectorStores(rows, in_stores, lambda: encoders.default, chance.mint, chance.clock, bell)
    return Knowledge(Embeddings(encoders, Cl100k(find)), stores, in_stores, search, Toolbox(search, rows.known))


async def _engines(settings: Settings, data: Path, find: Find, stack: AsyncExitStack) -> dict[str, Engine]:
    engines: dict[str, Engine] = {}
    for spec in settings.engines:
        if spec.name in engines:
            raise ValueError(f"two engines are named {spec.name!r}; give each [[engines]] its own name")
        kept = spec.kept or (KEPT if takes(spec.kind, "kept") else None)
        placed = spec if kept is None else replace(spec, kept=str(data / kept))
        engines[spec.name] = await stack.enter_async_context(open_engine(placed, find))
    return engines


async def _embedders(settings: Settings, find: Find, stack: AsyncExitStack) -> list[Embedder]:
    """Open the configured embedders; else, beside script engines, the script embedder, or the starters."""
    scripted = all(spec.kind == "script" for spec in settings.engines)
    starters = (EmbedderSpec(name="embedder"), EmbedderSpec(name="multilingual", model=MULTILINGUAL))
    specs = settings.embedders or ((EmbedderSpec(name="embedder", kind="script"),) if scripted else starters)
    return [await stack.enter_async_context(open_embedder(spec, find)) for spec in specs]


def _served(spec: EngineSpec, engine: Engine) -> tuple[Served, ...]:
    """The models of an engine; those without eyes are read to by the OCR, where it is installed and wanted."""
    if spec.vision == "ocr" and not can_ocr():
        raise ValueError(f"engine {spec.name!r}: vision = \"ocr\" needs the extra: pip install 'freehold[ocr]'")
    if spec.vision not in (None, "ocr") or not can_ocr():
        return engine.models
    return tuple(model if model.vision == "native" else replace(model, vision="ocr") for model in engine.models)


def _catalog(settings: Settings, engines: Mapping[str, Engine], encoders: Encoders) -> Catalog:
    served = {spec.name: _served(spec, engines[spec.name]) for spec in settings.engines}
    every = [model.name for models_ in served.values() for model in models_]
    if not every:
        raise ValueError("no engine serves a model; name one with --model or in [[engines]]")
    aliases = {name: to for name, to in settings.aliases.items() if encoders.find(to) is None}
    catalog = Catalog(served, aliases, default=every[0])
    for spec in settings.engines:
        engine = engines[spec.name]
        if isinstance(engine, Changing):
            engine.watch(lambda spec=spec, engine=engine: catalog.renew(spec.name, _served(spec, engine)))
    return catalog

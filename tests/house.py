"""A whole server in the test's own process: script engine, fixed ids and clock, a database in a temporary folder."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx2

from freehold.config import Settings, Storage
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.registry import EngineSpec
from freehold.services.answering import Chance
from freehold.wiring import House, build
from freehold.worker.loop import Pace
from tests.databases import database_url

KEY = "sk-test"
NOW = 1_750_000_000


def fixed_chance() -> Chance:
    """Ids that count up, a clock that stands still, padding that is known."""
    counts: dict[str, int] = defaultdict(int)

    def mint(prefix: str) -> str:
        counts[prefix] += 1
        return f"{prefix}{counts[prefix]}"

    return Chance(mint, lambda: NOW, lambda: "0123456789abcdef")


def nowhere(name: str) -> Path:
    """The script engine has no weights to find."""
    raise AssertionError(f"asked for the weights of {name}")


@asynccontextmanager
async def house(
    folder: Path, chance: Chance | None = None, **spec: object
) -> AsyncIterator[tuple[House, httpx2.AsyncClient]]:
    """Yield a server and a client of it that carries a good key. `spec` are settings of the script engine."""
    engine = EngineSpec(name="script", kind="script", **spec)  # type: ignore[arg-type]
    async with house_of(folder, engine, chance=chance) as opened:
        yield opened


@asynccontextmanager
async def house_of(
    folder: Path, *engines: EngineSpec, embedders: tuple[EmbedderSpec, ...] = (), chance: Chance | None = None
) -> AsyncIterator[tuple[House, httpx2.AsyncClient]]:
    """Yield a server with these engines and embedders, and a client of it that carries a good key."""
    settings = Settings(storage=Storage(database=database_url(folder)), engines=engines, embedders=embedders)
    async with build(settings, folder, nowhere, chance or fixed_chance()) as built:
        built.keys.accept(KEY)
        transport = httpx2.ASGITransport(app=built.app, raise_app_exceptions=True)
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1", headers=headers) as client:
            yield built, client


@asynccontextmanager
async def working(built: House) -> AsyncIterator[None]:
    """Run the house's worker inside the block; then what it has goes back to the queue. Its clock may stand still."""
    built.worker._pace = Pace(poll=0.02, retry=0.0)
    task = asyncio.create_task(built.worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextmanager
def lasting_house(folder: Path) -> Iterator[tuple[asyncio.Runner, httpx2.AsyncClient]]:
    """Yield a client of a server that lasts for several tests, and what runs its coroutines."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            _, client = runner.run(stack.enter_async_context(house(folder)))
            yield runner, client
        finally:
            runner.run(stack.aclose())

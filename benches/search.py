"""Search in vector stores: what it costs as a store grows, and that it finds exactly what brute force finds.

usage: python -m benches.search [--chunks 10000 100000] [--queries 50] [--postgresql URL]

The rows are written straight into the tables of a new database: random vectors of 384 dimensions, 50 words a chunk from
20,000, 20 chunks a file. It prints the time of the first search, which reads the index, of later ones (median and 95th
percentile), of ones that a filter narrows down, and of the first after one more file; and the share of the ten nearest
that the filtered vector search has in common with a comparison of all vectors in double precision.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
from sqlalchemy import Connection

from freehold.core.filters import Filter
from freehold.core.ports import Encoder, Vectors
from freehold.core.principal import Principal
from freehold.services.encoders import Encoders
from freehold.services.indexes import Indexes
from freehold.services.search import Search
from freehold.services.vector_stores import Kept
from freehold.storage.database import Database, open_database
from freehold.storage.repos.chunks import ChunkRows
from freehold.storage.repos.vector_stores import StoreRow, StoreRows
from freehold.storage.tables import chunks, files, vector_store_attributes, vector_store_files
from freehold.tools.terms import packed

DIMENSIONS, WORDS, VOCABULARY, A_FILE, NEAREST = 384, 50, 20_000, 20, 10
WHO, STORE, MODEL = Principal("p", "k"), "vs_bench", "bench"
FILTERS = {"1 %": 1, "10 %": 10, "50 %": 50}


class Fixed:
    """Gives the vector that was put into it: what is measured is the search."""

    models = (Encoder(name=MODEL, dimensions=DIMENSIONS, context=512, created=1),)
    row = b""

    async def embed(self, model: str, texts: object, batch: bool = False) -> Vectors:
        """Return the vector."""
        return Vectors((self.row,), 1)


def made(count: int, first: int, chance: np.random.Generator) -> Iterator[dict[str, object]]:
    """Rows of chunks from the number `first` on."""
    rows = chance.standard_normal((count, DIMENSIONS), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    words = chance.zipf(1.3, (count, WORDS)) % VOCABULARY
    for place in range(count):
        number = first + place
        text = " ".join(f"w{word}" for word in words[place])
        yield {
            "number": number,
            "entry": 1 + (number - 1) // A_FILE,
            "store": STORE,
            "position": (number - 1) % A_FILE,
            "page": None,
            "text": text,
            "vector": rows[place].astype("<f4").tobytes(),
            "terms": packed(text),
        }


def fill(connection: Connection, count: int, first: int, chance: np.random.Generator, mark: int) -> None:
    """Write files of A_FILE chunks each."""
    entries = range(1 + (first - 1) // A_FILE, 1 + (first - 1 + count) // A_FILE)
    usual = {"store": STORE, "batch": None, "created": 1, "status": "completed", "bytes": 1, "chunking": b"{}"}
    connection.execute(
        files.insert(),
        [
            {"id": f"f{n}", "project": "p", "created": 1, "purpose": "assistants", "filename": f"f{n}.txt"}
            | {"sha256": b"", "bytes": 1, "blob": f"b{n}"}
            for n in entries
        ],
    )
    connection.execute(
        vector_store_files.insert(),
        [{**usual, "number": n, "file": f"f{n}", "attributes": b"{}", "mark": mark} for n in entries],
    )
    connection.execute(
        vector_store_attributes.insert(), [{"entry": n, "key": "share", "value": float(n % 100)} for n in entries]
    )
    connection.execute(chunks.insert(), list(made(count, first, chance)))


async def timed(search: Search, fixed: Fixed, chance: np.random.Generator, narrowed: Filter | None) -> float:
    """Search once, and return the milliseconds."""
    row = chance.standard_normal(DIMENSIONS).astype("<f4")
    fixed.row = (row / np.linalg.norm(row)).astype("<f4").tobytes()
    query = " ".join(f"w{word}" for word in chance.zipf(1.3, 6) % VOCABULARY)
    started = time.perf_counter()
    await search.find(WHO, (STORE,), query, narrowed, None, NEAREST, False)
    return (time.perf_counter() - started) * 1e3


async def recall(database: Database, indexes: Indexes, chance: np.random.Generator, queries: int) -> float:
    """The share of the nearest that a filtered search finds, of those that a comparison of all finds."""
    rows, narrowed, shared = ChunkRows(database), Filter(type="lt", key="share", value=10), 0
    state = await rows.state("p", STORE, narrowed)
    if state is None or state.kept is None:
        raise SystemExit("the store is gone")
    loaded = await rows.load(sorted(state.kept))
    matrix = np.frombuffer(b"".join(one.vector for one in loaded), "<f4").reshape(len(loaded), -1).astype(np.float64)
    index = await indexes.current(state)
    for _ in range(queries):
        query = chance.standard_normal(DIMENSIONS).astype("<f4")
        best = {loaded[place].number for place in np.argsort(-(matrix @ query), kind="stable")[:NEAREST]}
        shared += len(best & {number for number, _ in index.nearest(query.tobytes(), NEAREST, state.kept)})
    return shared / (queries * NEAREST)


async def measure(count: int, queries: int, url: str | None) -> None:
    """Fill a store and search it."""
    chance, fixed = np.random.default_rng(1), Fixed()
    with tempfile.TemporaryDirectory() as folder:
        async with open_database(url or "sqlite:///bench.db", Path(folder), True) as database:
            kept = Kept(created_at=1, name="bench", last_active_at=int(time.time()))
            row = StoreRow(id=STORE, project="p", expires=None, model=MODEL, body=msgspec.json.encode(kept))
            stores = StoreRows(database)
            await stores.add(row, lambda connection: None)
            for first in range(1, count, 10_000):
                part = min(10_000, count - first + 1)
                await database.write(lambda c, part=part, first=first: fill(c, part, first, chance, 1))
            indexes = Indexes(ChunkRows(database), 8 << 30)
            search = Search(ChunkRows(database), stores, Encoders([fixed], {}), indexes, time.time)
            before = psutil.Process().memory_info().rss
            first_ms = await timed(search, fixed, chance, None)
            memory = (psutil.Process().memory_info().rss - before) / 1e6
            plain = [await timed(search, fixed, chance, None) for _ in range(queries)]
            told = [f"{count:,} chunks: first search {first_ms:,.0f} ms (+{memory:,.0f} MB)", _told("all", plain)]
            for name, share in FILTERS.items():
                narrowed = Filter(type="lt", key="share", value=share)
                told.append(_told(name, [await timed(search, fixed, chance, narrowed) for _ in range(queries)]))
            await database.write(lambda c: fill(c, A_FILE, count + 1, chance, 2))
            await database.write(lambda c: c.exec_driver_sql("UPDATE vector_stores SET version = version + 1"))
            told.append(f"after one more file {await timed(search, fixed, chance, None):.0f} ms")
            told.append(f"filtered recall@{NEAREST} {await recall(database, indexes, chance, queries):.4f}")
            print("; ".join(told), flush=True)


def _told(name: str, found: list[float]) -> str:
    tail = statistics.quantiles(found, n=20, method="inclusive")[-1]
    return f"{name}: p50 {statistics.median(found):.1f} ms, p95 {tail:.1f} ms"


def main() -> None:
    """Read the options and measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--postgresql", help="the URL of an empty database, in place of SQLite")
    options = parser.parse_args()
    for count in options.chunks:
        asyncio.run(measure(count, options.queries, options.postgresql))


if __name__ == "__main__":
    main()

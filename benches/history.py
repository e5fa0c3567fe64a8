"""What a long chain costs: turn 500 of `previous_response_id` beside turn 2, in time and in the database, over HTTP.

usage: python -m benches.history [--turns 500] [--words 20] [--times 100] [--database postgresql://… | --postgresql]

The script engine answers, so the time is the server's and the database's. The two turns are asked alternately.
With `--postgresql` a private server is started for the run, which keeps its promises to the disk (fsync) as any other.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Engine, create_engine, func, select

from benches.server_cpu import KEY, free_port, server
from freehold.storage.tables import items, responses
from tests.databases import postgresql_server


def stored(engine: Engine) -> tuple[int, int]:
    """The rows of responses and items, and the bytes in them."""
    with engine.connect() as connection:
        found = [
            connection.execute(select(func.count(), func.sum(func.length(table.c.body))).select_from(table)).one()
            for table in (responses, items)
        ]
    return sum(rows for rows, _ in found), sum(size or 0 for _, size in found)


def ask(client: httpx2.Client, text: str, previous: str | None) -> tuple[str, float]:
    """Ask one turn; return its id and the seconds that it took."""
    body: dict[str, Any] = {"model": "script", "input": text, "previous_response_id": previous}
    started = time.perf_counter()
    answer = client.post("/responses", json=body).raise_for_status()
    return answer.json()["id"], time.perf_counter() - started


def measure(client: httpx2.Client, engine: Engine, options: argparse.Namespace) -> None:
    """Make the chain, then ask its second and its last turn again and again."""
    text = "word " * options.words
    chain: list[str] = []
    for number in range(options.turns - 1):
        chain.append(ask(client, f"{number} {text}", chain[-1] if chain else None)[0])
    early: list[float] = []
    late: list[float] = []
    kept: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for number in range(options.times):
        before = stored(engine)
        early.append(ask(client, f"{number} {text}", chain[0])[1])
        middle = stored(engine)
        late.append(ask(client, f"{number} {text}", chain[-1])[1])
        after = stored(engine)
        kept.append(((middle[0] - before[0], middle[1] - before[1]), (after[0] - middle[0], after[1] - middle[1])))
    for name, seconds, (rows, size) in (
        ("turn 2", early, kept[-1][0]),
        (f"turn {options.turns}", late, kept[-1][1]),
    ):
        print(f"{name}: {statistics.median(seconds) * 1e3:.1f} ms, stores {rows} rows of {size} bytes")
    print(f"a turn {options.turns} takes {(statistics.median(late) - statistics.median(early)) * 1e3:.1f} ms longer")


def main() -> None:
    """Read the options, start the server, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--database", help="SQLAlchemy URL (default: SQLite in a temporary folder)")
    parser.add_argument("--postgresql", action="store_true", help="start a private PostgreSQL for the run")
    options = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        private = stack.enter_context(postgresql_server({"fsync": "on"})).url() if options.postgresql else None
        url = options.database or private or f"sqlite:///{Path(folder) / 'freehold.db'}"
        print(
            f"{url.partition(':')[0]}, {options.turns} turns of {options.words} words, {os.cpu_count()} cores",
            flush=True,
        )
        os.environ["FREEHOLD__STORAGE__DATABASE"] = url
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--engine", "script", "--port", str(port))
        stack.enter_context(server(port, *command, "--key", KEY, "--data", folder))
        headers = {"authorization": f"Bearer {KEY}"}
        client = httpx2.Client(base_url=f"http://127.0.0.1:{port}/v1", headers=headers, timeout=60)
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        measure(stack.enter_context(client), engine, options)
        engine.dispose()


if __name__ == "__main__":
    main()

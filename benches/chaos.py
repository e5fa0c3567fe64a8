"""Nothing is lost: a batch and background streams on replicas that are killed with SIGKILL at random moments.

usage: python -m benches.chaos [--lines 2000] [--streams 20] [--kills 10] [--replicas 2] [--model script]
                               [--private] [--rate 40] [--seed 1]

MODEL is `script` (no model: it repeats what it is told, `--rate` words a second), a catalogue name or a file. Every
replica is a `freehold serve` over the same SQLite file and folder or, with `--private`, over a PostgreSQL and an S3
server that are started for the run. A client follows each stream on any replica that answers, from the last event that
it has seen. At the end:

- every line of the batch is answered exactly once, and the counts are right;
- every stream is gapless, has no event twice, and is the stream that a fresh follower reads, byte for byte;
- its text is the final object's, which can be retrieved;
- the database holds no job, no line and no blob that belongs to nothing, and the blob store holds what it says.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import create_engine, func, select

from benches.server_cpu import KEY, free_port
from freehold.storage.tables import batch_lines, batches, blobs, files, jobs, upload_parts
from tests.buckets import BUCKET, Bucket, running_bucket
from tests.databases import postgresql_server

ENDED = ("response.completed", "response.incomplete", "response.failed")
GONE = (httpx2.TransportError,)
PATIENCE = 1_800.0


@dataclass
class Replicas:
    """Servers over one database, killed and started again."""

    options: argparse.Namespace
    settings: Mapping[str, str]
    folder: Path
    chance: random.Random
    ports: list[int] = field(default_factory=list)
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: int = 0

    def start(self, port: int) -> None:
        """Start the replica that listens on a port."""
        model = self.options.model
        engine = ["--engine", "script", "--script-rate", str(self.options.rate)] if model == "script" else []
        command = [sys.executable, "-m", "freehold.cli.main", "serve", *(engine or ["--model", model])]
        with (self.folder / f"replica-{port}.log").open("ab") as log:
            self.running[port] = subprocess.Popen(
                [*command, "--port", str(port), "--key", KEY, "--data", str(self.folder / "data")],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.settings},
            )

    async def kill(self) -> None:
        """Kill a replica with SIGKILL and start it again; with two or more, the others answer meanwhile."""
        port = self.chance.choice(self.ports)
        self.running[port].send_signal(signal.SIGKILL)
        await asyncio.to_thread(self.running[port].wait)
        self.kills += 1
        await asyncio.sleep(self.chance.uniform(0, 2))
        self.start(port)

    def stop(self) -> None:
        """End every replica."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(60)


class Client:
    """Asks any replica, again where one does not answer, as a client behind a load balancer does."""

    def __init__(self, ports: list[int], chance: random.Random) -> None:
        self._chance = chance
        self._ports = ports
        self._http = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {KEY}"}, timeout=30, limits=httpx2.Limits(max_connections=200)
        )

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._chance.choice(self._ports)}/v1{path}"

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Send a request until a replica answers it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = await self._http.request(method, self._url(path), **more)
            except GONE:
                answer = None
            if answer is not None and answer.status_code < 500:
                return answer.raise_for_status()
            if time.monotonic() > deadline:
                raise SystemExit(f"nothing answers {method} {path}")
            await asyncio.sleep(0.2)

    async def json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """The JSON of an answer."""
        return (await self.ask(method, path, **more)).json()

    @asynccontextmanager
    async def follow(self, response_id: str, after: int) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a stream after event `after`, from any replica."""
        query = {"stream": "true"} if after < 0 else {"stream": "true", "starting_after": str(after)}
        async with self._http.stream("GET", self._url(f"/responses/{response_id}"), params=query) as answer:
            answer.raise_for_status()
            yield answer.aiter_lines()


async def whole_stream(client: Client, response_id: str) -> list[dict[str, Any]]:
    """Follow a stream to its end, over as many connections as it takes."""
    events: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE
    while not events or events[-1]["type"] not in ENDED:
        if time.monotonic() > deadline:
            raise SystemExit(f"{response_id} never ended; {len(events)} events came")
        try:
            async with client.follow(response_id, events[-1]["sequence_number"] if events else -1) as lines:
                async for line in lines:
                    if line.startswith("data: "):
                        events.append(json.loads(line.removeprefix("data: ")))
        except (*GONE, httpx2.HTTPStatusError):
            await asyncio.sleep(0.2)
    return events


async def check_stream(client: Client, response_id: str, events: list[dict[str, Any]]) -> list[str]:
    """What is wrong with a stream that was followed."""
    flaws: list[str] = []
    numbers = [event["sequence_number"] for event in events]
    if numbers != list(range(len(numbers))):
        flaws.append(f"{response_id}: the sequence numbers have gaps or repeat")
    final = await client.json("GET", f"/responses/{response_id}")
    told = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    kept = "".join(part["text"] for item in final["output"] for part in item.get("content") or ())
    cut = (final["incomplete_details"] or {}).get("reason") == "max_output_tokens"
    if not (final["status"] == "completed" or cut) or told != kept or not kept:
        flaws.append(f"{response_id}: {final['status']}, {len(told)} characters were told and {len(kept)} kept")
    if await whole_stream(client, response_id) != events:
        flaws.append(f"{response_id}: a fresh follower reads another stream")
    return flaws


async def check_batch(client: Client, batch: dict[str, Any], lines: int) -> list[str]:
    """What is wrong with a batch that has ended."""
    counts = batch["request_counts"]
    if batch["status"] != "completed" or counts != {"total": lines, "completed": lines, "failed": 0}:
        return [f"the batch is {batch['status']} with {counts}"]
    output = (await client.ask("GET", f"/files/{batch['output_file_id']}/content")).text.splitlines()
    seen = Counter(json.loads(line)["custom_id"] for line in output)
    expected = Counter(f"line-{number}" for number in range(lines))
    return [] if seen == expected else [f"lines missing or twice: {(expected - seen) | (seen - expected)}"]


def private_servers(stack: ExitStack, folder: Path) -> tuple[str, Bucket, dict[str, str]]:
    """Start a PostgreSQL and an S3 server; return the database's URL, the bucket, and the settings of both."""
    url = stack.enter_context(postgresql_server({"fsync": "on"})).url()
    bucket = stack.enter_context(running_bucket(folder))
    access = bucket.access
    settings = {
        "STORAGE__DATABASE": url,
        "STORAGE__BLOBS": f"s3://{BUCKET}",
        "S3__ENDPOINT": access.endpoint,
        "S3__REGION": access.region,
        "S3__ACCESS_KEY_ID": access.access_key_id,
        "S3__SECRET_ACCESS_KEY": access.secret_access_key,
    }
    found = {f"FREEHOLD__{name}": value for name, value in settings.items() if value}
    return url.replace("postgresql:", "postgresql+psycopg:"), bucket, found


def check_rows(url: str, kept: set[str]) -> list[str]:
    """What the database holds that belongs to nothing; `kept` is what the blob store holds."""
    with create_engine(url).connect() as connection:

        def count(query: Any) -> int:
            return connection.execute(query).scalar() or 0

        used = select(files.c.blob).union(select(upload_parts.c.blob))
        found = {
            "jobs": count(select(func.count()).select_from(jobs)),
            "blobs without a file": count(select(func.count()).where(blobs.c.id.not_in(used), blobs.c.state == "kept")),
            "files without a blob": count(select(func.count()).where(files.c.blob.not_in(select(blobs.c.id)))),
            "lines without a batch": count(
                select(func.count()).where(batch_lines.c.batch.not_in(select(batches.c.id)))
            ),
            "blobs in the store without a row": len(kept - set(connection.execute(select(blobs.c.id)).scalars())),
            "rows without a blob in the store": len(
                set(connection.execute(select(blobs.c.id).where(blobs.c.state == "kept")).scalars()) - kept
            ),
        }
    return [f"{number} {what}" for what, number in found.items() if number]


async def play(client: Client, replicas: Replicas, options: argparse.Namespace) -> list[str]:
    """Make the work, kill replicas while it is done, and say what is wrong at the end."""
    story = "Tell a story about the number {} and the sea. " + ("wave " * 60 if options.model == "script" else "")
    body: dict[str, Any] = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Say hello."}]}
    body["max_tokens"] = 8
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    given = "".join(json.dumps({"custom_id": f"line-{n}", **line}) + "\n" for n in range(options.lines))
    started = time.monotonic()
    upload = {"files": {"file": ("batch.jsonl", given)}, "data": {"purpose": "batch"}}
    file = await client.json("POST", "/files", **upload)
    order = {"input_file_id": file["id"], "endpoint": line["url"], "completion_window": "24h"}
    batch = await client.json("POST", "/batches", json=order)
    asks = [
        {"input": story.format(n), "background": True, "max_output_tokens": options.tokens, "temperature": 0}
        for n in range(options.streams)
    ]
    made = [(await client.json("POST", "/responses", json=ask))["id"] for ask in asks]
    print(f"batch of {options.lines} lines, {len(made)} streams, {len(replicas.ports)} replicas")
    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(whole_stream(client, one)) for one in made]
        for number in range(options.kills):
            await asyncio.sleep(replicas.chance.uniform(*options.pause))
            await replicas.kill()
            counts = (await client.json("GET", f"/batches/{batch['id']}"))["request_counts"]
            done = sum(follower.done() for follower in followers)
            print(f"kill {number + 1}: {counts['completed']} lines, {done} streams done", flush=True)
    while batch["status"] in ("validating", "in_progress", "finalizing"):
        await asyncio.sleep(0.5)
        batch = await client.json("GET", f"/batches/{batch['id']}")
        if time.monotonic() - started > PATIENCE:
            return [f"the batch never ended: {batch}"]
    print(f"{replicas.kills} kills, all done after {time.monotonic() - started:.0f} s", flush=True)
    flaws = await check_batch(client, batch, options.lines)
    for one, follower in zip(made, followers, strict=True):
        flaws += await check_stream(client, one, follower.result())
    return flaws


async def run(options: argparse.Namespace) -> None:
    """Start the replicas, play, print what was found; exit with 1 when something was wrong."""
    chance = random.Random(options.seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        url, bucket, settings = f"sqlite:///{folder / 'data' / 'freehold.db'}", None, dict[str, str]()
        if options.private:
            url, bucket, settings = private_servers(stack, folder)
        replicas = Replicas(options, settings, folder, chance, [free_port() for _ in range(options.replicas)])
        for port in replicas.ports:
            replicas.start(port)
        try:
            flaws = await play(Client(replicas.ports, chance), replicas, options)
        finally:
            replicas.stop()
        kept = {path.name for path in (folder / "data" / "blobs").iterdir()} if bucket is None else set(bucket.names())
        flaws += check_rows(url, kept)
        if flaws:
            print("\n".join(["WRONG", *flaws]))
            raise SystemExit(1)
    print("nothing was lost")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--model", default="script")
    parser.add_argument("--tokens", type=int, default=80, help="the most tokens of each stream")
    parser.add_argument("--rate", type=float, default=40)
    parser.add_argument("--pause", type=float, nargs=2, default=(1.0, 5.0), help="seconds between kills")
    parser.add_argument("--private", action="store_true", help="run on a PostgreSQL and an S3 server of the run's own")
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

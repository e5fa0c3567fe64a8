"""Far more streams than slots: who is answered, who is sent away, what it costs, and how long people wait beside it.

usage: python -m benches.overload [--model script|smollm2-135m] [--streams 500] [--slots 32] [--seconds 60] [--lines 0]

Four things in turn, on one server: people alone (one asks every `--every` seconds, on average); as many streams as
there are slots, which is the best that the engine can do; `--streams` at once, each client asking again when it is
answered, or when the `retry-after` of its 503 is over, beside one that asks with `service_tier: priority`; and, with
`--lines`, people beside a batch of so many lines, which is already there while the streams come. Beside the tokens per
second stands the CPU of a token, which says the same where other programs share the machine.
"""

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import httpx2
import psutil

from benches.beside import CHAT, asking, first_token, ordered, people, tail
from benches.load import Reply, ask, cpu_seconds, request_bytes
from benches.server_cpu import KEY, free_port, server

TEXT = re.compile(rb'"delta":\{[^}]*"content":"[^"]')
WAITS = re.compile(rb"\r\nretry-after: (\d+)\r\n")
BOUND = 240.0
"""How long an answer may take, in seconds, before it counts as none."""


@dataclass
class Seen:
    """What a crowd of clients saw: how each request ended, seconds to each first token, and when each token came."""

    ends: Counter[str] = field(default_factory=Counter)
    firsts: list[float] = field(default_factory=list)
    came: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def note(self, reply: Reply, first: float) -> float:
        """Count an answer; return the seconds after which its client asks again."""
        if reply.status == 200:
            whole = reply.body.rstrip().endswith(b"data: [DONE]") and b'"finish_reason":"' in reply.body
            gave_way = b'"code":"server_overloaded"' in reply.body
            self.ends["answered" if whole else "gave way to another, told in the stream" if gave_way else "broken"] += 1
            self.firsts += [first] if whole else []
            return 0.0 if whole else 1.0
        wait = WAITS.search(reply.head)
        fair = reply.status in (429, 503) and wait
        self.ends["refused, with retry-after" if fair else f"status {reply.status}"] += 1
        return float(wait[1]) if wait else 1.0

    def rate(self, seconds: float) -> float:
        """Tokens per second from the first on, for as long as the clients asked."""
        start = min(self.came, default=0.0)
        return sum(when <= seconds for when in self.came) / (seconds - start) if start < seconds else 0.0


async def told(seen: Seen, line: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> float:
    """Ask, count the tokens as they come, and return the seconds after which its client asks again."""
    asked, first = time.perf_counter(), 0.0

    def hear(chunk: bytes) -> None:
        nonlocal first
        if count := len(TEXT.findall(chunk)):
            now = time.perf_counter()
            first = first or now - asked
            seen.came += [now - seen.began] * count

    reply = await ask(*line, request, hear)
    return seen.note(reply, first)


def request(options: argparse.Namespace, chance: random.Random, **more: object) -> bytes:
    """A streamed chat request as it stands on the wire."""
    return request_bytes(CHAT, json.dumps({**asking(options, chance, 30), "stream": True, **more}).encode(), KEY)


async def crowd(
    port: int, options: argparse.Namespace, chance: random.Random, streams: int, pause: float = 0.0
) -> Seen:
    """Have so many clients ask again and again for `--seconds`, and wait for the last answers.

    With a `pause`, they ask with priority and rest that long between two answers.
    """
    seen = Seen()
    more = {"service_tier": "priority"} if pause else {}

    async def one() -> None:
        line = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        while time.perf_counter() - seen.began < options.seconds:
            wait = await told(seen, line, request(options, chance, **more))
            left = options.seconds - (time.perf_counter() - seen.began)
            await asyncio.sleep(max(0.0, min(wait or pause, left)))
        line[1].close()

    async def bounded() -> None:
        try:
            await asyncio.wait_for(one(), options.seconds + BOUND)
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as fault:
            seen.ends[f"unanswered ({type(fault).__name__})"] += 1

    await asyncio.gather(*(bounded() for _ in range(streams)))
    return seen


def spent(pid: int) -> tuple[float, float]:
    """CPU seconds of the server, and of all its engine processes together."""
    return cpu_seconds(pid), sum(cpu_seconds(one.pid) for one in psutil.Process(pid).children(recursive=True))


def per_token(before: tuple[float, float], after: tuple[float, float], *crowds: Seen) -> str:
    """The CPU of a token, in words."""
    count = sum(len(seen.came) for seen in crowds) / 1000
    server, engine = ((late - early) / max(count, 0.001) for early, late in zip(before, after, strict=True))
    return f"CPU of a token {server:.2f} ms of the server, {engine:.2f} ms of engines"


@contextmanager
def memory(pid: int) -> Iterator[list[float]]:
    """Watch the resident MB of a server and all its processes: the first and the most so far."""
    seen, over = [total(pid)] * 2, Event()

    def watch() -> None:
        while not over.wait(0.5):
            seen[1] = max(seen[1], total(pid))

    watching = Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def total(pid: int) -> float:
    """Resident MB of a process and all below it."""
    process = psutil.Process(pid)
    found = 0
    for one in (process, *process.children(recursive=True)):
        try:
            found += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return found / 1e6


def row(name: str, value: str) -> None:
    """Print a row of the table."""
    print(f"{name:42}{value}", flush=True)


async def run(port: int, pid: int, options: argparse.Namespace) -> None:
    """Do all of it, and print the rows of the table."""
    chance = random.Random(options.seed)  # noqa: S311
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", headers=headers, timeout=300) as client:

        async def asked() -> list[float]:
            end = time.monotonic() + options.seconds
            return await people(client, options, chance, lambda: time.monotonic() > end)

        await first_token(client, asking(options, chance, 30))
        alone = await asked()
        row("people alone, first token, median / p95", times(alone))
        with memory(pid) as used:
            start = spent(pid)
            best = await crowd(port, options, chance, options.slots)
            rate, cost = best.rate(options.seconds), per_token(start, spent(pid), best)
            row(f"{options.slots} streams", f"{rate:.1f} tokens/s; {cost}; {counted(best.ends)}")
            batch = await ordered(client, options, chance) if options.lines else None
            before, start = used[1], spent(pid)
            many, first = await asyncio.gather(
                crowd(port, options, chance, options.streams), crowd(port, options, chance, 1, pause=options.every)
            )
        goodput, cost = (
            many.rate(options.seconds) + first.rate(options.seconds),
            per_token(start, spent(pid), many, first),
        )
        row(f"{options.streams} streams", f"{goodput:.1f} tokens/s, {goodput / rate:.2f} of the best; {cost}")
        row("  how they ended", counted(many.ends))
        row("  first token, median / p95", times(many.firsts))
        row("  with priority", f"{times(first.firsts)}; {counted(first.ends)}")
        row("  MB of all processes", f"{used[0]:.0f} before, {before:.0f} after the slots, {used[1]:.0f} at most")
        if batch is not None:
            beside = await asked()
            found = (await client.post(f"/batches/{batch['id']}/cancel")).raise_for_status().json()
            ratio = tail(beside) / tail(alone)
            row("people beside the batch, first token", f"{times(beside)}; p95 {ratio:.2f} times that alone")
            row("  lines of the batch done meanwhile", str(found["request_counts"]["completed"]))


def counted(ends: Counter[str]) -> str:
    """How requests ended, in words."""
    return ", ".join(f"{count} {end}" for end, count in ends.most_common())


def times(seconds: list[float]) -> str:
    """Median and 95th percentile."""
    if len(seconds) < 2:
        return "too few"
    return f"{statistics.median(seconds):.3f} / {tail(seconds):.3f} s ({len(seconds)})"


def main() -> None:
    """Read the options, start the server, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="script", help="a catalogue name, a file, or `script`")
    parser.add_argument("--rate", type=float, default=20.0, help="of the script engine, words a second and stream")
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--queue", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each part")
    parser.add_argument("--tokens", type=int, default=48, help="the most of each answer")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two people, on average")
    parser.add_argument("--lines", type=int, default=0, help="of the batch")
    parser.add_argument("--words", type=int, default=60, help="of each line's prompt, about")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    script, port = options.model == "script", free_port()
    settings = {
        "NAME": "local",
        "SLOTS": options.slots,
        "QUEUE": options.queue,
        "KIND": "script" if script else "llama",
    }
    settings |= {"RATE": options.rate} if script else {"POOL": 32768}
    os.environ.update({f"FREEHOLD__ENGINES__0__{name}": str(value) for name, value in settings.items()})
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--port", str(port), "--key", KEY)
        with server(port, *command, "--model", options.model, "--data", folder) as pid:
            print(f"{options.model}, {options.slots} slots, a queue of {options.queue}, {os.cpu_count()} cores")
            asyncio.run(run(port, pid, options))


if __name__ == "__main__":
    main()

"""What servers cost that stand before an engine: each before the same engine that answers at once, in one run.

usage: python -m benches.null_upstream [--peers litellm,ogx,agentic-api] [--rounds 9] [--seconds 1] [--cache FOLDER]

All servers stand at once and are loaded in turn. CPU is that of a server and its child processes, in user and system
mode; a figure is the least of the rounds, because what else runs on a shared machine only adds to it, by up to a half,
and the median stands behind it. A stream has 500 chunks, and its cost is divided by them.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benches.figures import Figure, show
from benches.load import request_bytes, run_load
from benches.null_app import CHUNKS, LONG
from benches.peers import FREEHOLD, KEY, PEERS, Peer, install
from benches.server_cpu import free_port

_START_SECONDS = 180
_CONNECTIONS = {False: 16, True: 4}


@dataclass
class Standing:
    """A server that answers, and what was seen of it."""

    peer: Peer
    version: str
    port: int
    pid: int
    ready: float
    figures: dict[str, list[float]] = field(default_factory=dict)
    memory: float = 0.0


def cases(model: str) -> dict[str, tuple[str, bytes]]:
    """The requests by name: path and body. A name that ends in `stream` streams."""

    def one(path: str, text: str, stream: bool) -> tuple[str, bytes]:
        given = {"messages": [{"role": "user", "content": text}]} if path == "chat/completions" else {"input": text}
        return f"/v1/{path}", json.dumps({"model": model, **given, **({"stream": True} if stream else {})}).encode()

    return {
        "chat": one("chat/completions", "Hello?", False),
        "response": one("responses", "Hello?", False),
        "chat stream": one("chat/completions", LONG, True),
        "response stream": one("responses", LONG, True),
    }


def tree(pid: int) -> list[psutil.Process]:
    """A process and all its children."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def spent(pid: int) -> float:
    """CPU seconds of a process and its children."""
    return sum(times.user + times.system for times in (one.cpu_times() for one in tree(pid)))


@contextmanager
def running(command: tuple[str, ...], env: dict[str, str], log: Path) -> Iterator[int]:
    """Run a server until the block ends; yields its process id."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=out, stderr=out)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def until_ready(pid: int, port: int, request: bytes, log: Path) -> None:
    """Wait until a server answers a request."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and psutil.pid_exists(pid):
        with socket.socket() as probe:
            listens = probe.connect_ex(("127.0.0.1", port)) == 0
        if listens and not (await run_load(port, pid, request, 1, 1)).refused:
            return
        await asyncio.sleep(0.02)
    raise SystemExit(f"{log}: it does not answer\n{log.read_text(errors='replace')[-2000:]}")


async def measure(server: Standing, name: str, seconds: float) -> None:
    """Load a server with one kind of request for about so many seconds, and note microseconds of CPU."""
    path, body = cases(server.peer.model)[name]
    request, stream = request_bytes(path, body, KEY), name.endswith("stream")
    connections = _CONNECTIONS[stream]
    started = time.perf_counter()
    await run_load(server.port, server.pid, request, connections, connections)
    total = max(2 * connections, int(seconds * connections / (time.perf_counter() - started)))
    before = spent(server.pid)
    load = await run_load(server.port, server.pid, request, total, connections)
    if load.refused:
        raise SystemExit(f"{server.peer.name}: {load.refused} of {total} requests ({name}) were refused")
    cost = (spent(server.pid) - before) / total / (CHUNKS if stream else 1) * 1e6
    server.figures.setdefault(name, []).append(cost)
    server.memory = sum(one.memory_info().rss for one in tree(server.pid)) / 1e6


async def stand(stack: ExitStack, peer: Peer, cache: Path, folder: Path, upstream: int) -> Standing:
    """Start a server and wait for its first answer."""
    bin_, version = install(peer, cache) if peer.packages else (Path(sys.executable).parent, "")
    folder.mkdir()
    port = free_port()
    start, log = peer.start(bin_, folder, port, upstream), folder / "log"
    started = time.perf_counter()
    pid = stack.enter_context(running(start.command, dict(start.env), log))
    path, body = cases(peer.model)["chat"]
    await until_ready(pid, port, request_bytes(path, body, KEY), log)
    return Standing(peer, version, port, pid, time.perf_counter() - started)


async def compare(options: argparse.Namespace, folder: Path) -> None:
    """Start everything, measure in turn, and print a table."""
    upstream = free_port()
    with ExitStack() as stack:
        stack.enter_context(running((sys.executable, "-m", "benches.null_app", str(upstream)), {}, folder / "null.log"))
        await asyncio.sleep(1)
        wanted = [FREEHOLD, *(PEERS[name] for name in options.peers.split(",") if name)]
        servers = [await stand(stack, one, options.cache, folder / one.name, upstream) for one in wanted]
        for number in range(options.rounds):
            for name in cases(""):
                for server in servers:
                    await measure(server, name, options.seconds)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        print("\n".join(table(servers)))
        show(list(found(servers)))


def table(servers: list[Standing]) -> Iterator[str]:
    """The figures as a Markdown table, those of others with how many times ours they are."""
    yield f"| | {' | '.join(map(label, servers))} |"
    yield "|---" * (len(servers) + 1) + "|"
    ours = {name: min(figures) for name, figures in servers[0].figures.items()}
    labels = {
        "chat": ("a chat completion, ms: least, median", 1e-3),
        "response": ("a response, stored, ms: least, median", 1e-3),
        "chat stream": ("a streamed chunk of a chat, us: least, median", 1.0),
        "response stream": ("a streamed chunk of a response, us: least, median", 1.0),
    }
    for name, (told, scale) in labels.items():
        cells = []
        for one in servers:
            figure, median = min(one.figures[name]), statistics.median(one.figures[name])
            note = " (not stored)" if name == "response" and not one.peer.stored else ""
            times = f" ({figure / ours[name]:.2g}x)" if one is not servers[0] else ""
            cells.append(f"{figure * scale:.3g}, {median * scale:.3g}{times}{note}")
        yield f"| {told} | {' | '.join(cells)} |"
    yield f"| memory after it, MB | {' | '.join(f'{one.memory:.0f}' for one in servers)} |"
    yield f"| first answer after its start, s | {' | '.join(f'{one.ready:.2f}' for one in servers)} |"


def found(servers: list[Standing]) -> Iterator[Figure]:
    """The figures; ours with their bounds."""
    costs = {
        "chat": ("CPU of a chat completion", "ms", 1e-3, 0.25),
        "response": ("CPU of a stored response", "ms", 1e-3, 0.8),
        "chat stream": ("CPU of a streamed chunk of a chat", "us", 1.0, 25),
        "response stream": ("CPU of a streamed chunk of a response", "us", 1.0, 25),
    }
    for name, (series, unit, scale, most) in costs.items():
        for one in servers:
            value = min(one.figures[name]) * scale
            yield Figure(series, label(one), value, unit, most if one is servers[0] else None)
    for one in servers:
        yield Figure("memory of the server", label(one), one.memory, "MB", 90 if one is servers[0] else None)
    for one in servers:
        yield Figure("first answer after the start", label(one), one.ready, "s", 1 if one is servers[0] else None)


def label(server: Standing) -> str:
    """A server's name and version."""
    return f"{server.peer.name} {server.version}".strip()


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "freehold-benches")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()

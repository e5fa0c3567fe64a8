"""CPU that the server spends per request and per streamed delta, beside a bare Starlette app that sends the same bytes.

usage: python -m benches.server_cpu [--rounds 5] [--requests 2000] [--streams 20] [--words 1000]

Both servers run at once and are loaded in turn; each figure is the median over the rounds. The script engine answers,
so that only the server's own work is measured.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.load import Load, request_bytes, run_load

KEY = "sk-bench"
SHORT = "Say hello to the person who reads this."


@contextmanager
def server(port: int, *command: str) -> Iterator[int]:
    """Run a server until the block ends; yields its process id once the port answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        time.sleep(1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(15)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def measured(words: int) -> dict[str, tuple[str, bytes]]:
    """The measured requests by name: path and body. A name that ends in `stream` streams."""
    long = " ".join(f"word{i % 10}" for i in range(words))

    def chat(text: str, **more: object) -> tuple[str, bytes]:
        body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": text}], **more}
        return "/v1/chat/completions", json.dumps(body).encode()

    def responses(text: str, **more: object) -> tuple[str, bytes]:
        return "/v1/responses", json.dumps({"model": "gpt-5", "input": text, **more}).encode()

    return {
        "chat": chat(SHORT),
        "responses": responses(SHORT, store=False),
        "responses-stored": responses(SHORT),
        "chat-stream": chat(long, stream=True),
        "responses-stream": responses(long, stream=True, store=False),
    }


def cost(load: Load, total: int) -> float:
    """CPU microseconds per request, or per frame where the answer is a stream."""
    if load.refused:
        raise SystemExit(f"{load.refused} requests were refused")
    return load.cpu / total / max(1, load.body.count(b"\n\n")) * 1e6


async def compare(options: argparse.Namespace, folder: Path) -> None:
    """Record Freehold's answers, start the bare app on them, load both in turn, and print a row per request."""
    ours, floor = free_port(), free_port()
    command = (sys.executable, "-m", "freehold.cli.main", "serve", "--engine", "script", "--port", str(ours))
    with server(ours, *command, "--data", str(folder / "data"), "--key", KEY) as our_pid:
        requests = measured(options.words)
        for name, (path, body) in requests.items():
            one = await run_load(ours, our_pid, request_bytes(path, body, KEY), 1, 1)
            (folder / f"{name}.{'sse' if name.endswith('stream') else 'json'}").write_bytes(one.body)
        with server(floor, sys.executable, "-m", "benches.bare", str(floor), str(folder)) as floor_pid:
            print(f"{'CPU microseconds':22}{'freehold':>10}{'bare':>10}{'ratio':>8}")
            for name, (path, body) in requests.items():
                streams = name.endswith("stream")
                total, connections = (options.streams, 4) if streams else (options.requests, 16)
                mine, bare = [], []
                for _ in range(options.rounds):
                    load = await run_load(ours, our_pid, request_bytes(path, body, KEY), total, connections)
                    mine.append(cost(load, total))
                    load = await run_load(floor, floor_pid, request_bytes(f"/{name}", body, KEY), total, connections)
                    bare.append(cost(load, total))
                a, b = statistics.median(mine), statistics.median(bare)
                print(f"{name:22}{a:10.1f}{b:10.1f}{a / b:8.2f}   per {'frame' if streams else 'request'}")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--words", type=int, default=1000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()

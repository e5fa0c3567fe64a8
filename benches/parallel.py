"""Many requests at once on a real model: all answer or are refused cleanly, and memory stays bounded. And how soon the
engine stops when a client goes away.

usage: python -m benches.parallel MODEL [--requests 200] [--tokens 16]     MODEL: a catalogue name or a .gguf file
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from benches.engine_speed import until_loaded
from benches.load import cpu_seconds, exchange, request_bytes
from benches.server_cpu import KEY, free_port, server

PATH = "/v1/chat/completions"


def chat(text: str, tokens: int, stream: bool) -> bytes:
    """A chat request as it stands on the wire."""
    body = {"model": "gpt-4.1", "max_tokens": tokens, "messages": [{"role": "user", "content": text}], "stream": stream}
    return request_bytes(PATH, json.dumps(body).encode(), KEY)


def memory(pid: int) -> tuple[float, float]:
    """Resident MB of the server and of its engine process."""
    process = psutil.Process(pid)
    engine = sum(child.memory_info().rss for child in process.children(recursive=True))
    return process.memory_info().rss / 1e6, engine / 1e6


async def flood(port: int, pid: int, requests: int, tokens: int) -> None:
    """Send all requests at once, each on its own connection, and print what came back."""
    statuses: Counter[str] = Counter()

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        question = f"{number}: name a city that begins with {chr(65 + number % 26)}."
        status, body, _ = await exchange(reader, writer, chat(question, tokens, False))
        answer = json.loads(body)
        words = answer["choices"][0]["message"]["content"] if status == 200 else answer["error"]["code"]
        statuses[f"{status}" if status == 200 and words else f"{status} {words!r}"] += 1
        writer.close()

    before, started = memory(pid), time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(requests)))
    wall, after = time.perf_counter() - started, memory(pid)
    print(f"{requests} at once: {dict(statuses)} in {wall:.1f} s")
    print(f"server {before[0]:.0f} → {after[0]:.0f} MB, engine process {before[1]:.0f} → {after[1]:.0f} MB")


async def leave(port: int, pid: int, stream: bool) -> float:
    """Start a long answer, go away, and return the seconds until the engine's CPU time stands still."""
    (engine,) = psutil.Process(pid).children()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(chat("Tell a very long story.", 2000, stream))
    await (reader.readuntil(b'"content":"') if stream else asyncio.sleep(3))
    await asyncio.sleep(0.5)
    writer.transport.abort()
    gone = last = time.perf_counter()
    used = cpu_seconds(engine.pid)
    while time.perf_counter() - last < 1:
        await asyncio.sleep(0.002)
        if (now := cpu_seconds(engine.pid)) > used:
            used, last = now, time.perf_counter()
    return last - gone


async def run(options: argparse.Namespace) -> None:
    """Start the server and do both."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--model", options.model, "--port", str(port))
        with server(port, *command, "--data", str(Path(folder)), "--key", KEY) as pid:
            await until_loaded(port)
            print(f"idle: server {memory(pid)[0]:.0f} MB")
            for stream in (True, False):
                seconds = [await leave(port, pid, stream) for _ in range(5)]
                kind = "a stream" if stream else "a plain answer"
                median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
                print(f"the client of {kind} leaves: the engine stops after {median:.0f} ms (worst {worst:.0f})")
            await flood(port, pid, options.requests, options.tokens)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=16)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

"""Tokens per second and time to the first token through Freehold, beside the engine called directly, in one run.

usage: python -m benches.engine_speed MODEL.gguf [--streams 1,8,32] [--tokens 64] [--rounds 3] [--slots 32]

MODEL must speak ChatML (the starter models do). Both load the same file with the same parameters and run in turn on the
same prompts, new ones each round, so that no prompt is cached.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benches.load import exchange, request_bytes
from benches.server_cpu import KEY, free_port, server

SYSTEM = "Run {0}. You are a storyteller."
USER = "Tell a long story about traveller number {0} and the sea."


def conversations(streams: int, run: int) -> list[tuple[str, str]]:
    """A system and a user text for each stream, different in each run."""
    return [(SYSTEM.format(f"{run}-{i}"), USER.format(i)) for i in range(streams)]


def chatml(system: str, user: str) -> str:
    """The prompt as the model reads it."""
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


async def chat_streams(
    port: int, talks: list[tuple[str, str]], tokens: int, model: str = "gpt-4.1"
) -> tuple[float, float]:
    """Tokens per second and the median time to the first token, in seconds."""
    firsts: list[float] = []
    counts: list[int] = []

    async def one(system: str, user: str) -> None:
        body = {
            "model": model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        started = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes("/v1/chat/completions", json.dumps(body).encode(), KEY))
        first = 0.0
        async for line in reader:
            if line.startswith(b"data: {"):
                chunk: dict[str, Any] = json.loads(line[6:])
                if not first and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                    first = time.perf_counter() - started
                if chunk.get("usage"):
                    counts.append(chunk["usage"]["completion_tokens"])
            if line.startswith(b"data: [DONE]"):
                break
        firsts.append(first)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one(*talk) for talk in talks))
    return sum(counts) / (time.perf_counter() - started), statistics.median(firsts)


def directly(process: "subprocess.Popen[str]", talks: list[tuple[str, str]], tokens: int) -> tuple[float, float]:
    """The same, asked of benches.direct."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the direct engine has no pipes")
    process.stdin.write(json.dumps([len(talks), tokens, [chatml(*talk) for talk in talks]]) + "\n")
    process.stdin.flush()
    rate, first = json.loads(process.stdout.readline())
    return rate, first


async def compare(options: argparse.Namespace, folder: Path) -> None:
    """Run both in turn and print a row per number of streams."""
    port, pool = free_port(), 32768
    model = Path(options.model).absolute()
    direct = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "direct.py"), str(model), str(options.slots), str(pool)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
    )
    settings = {"NAME": "local", "SLOTS": options.slots, "POOL": pool}
    os.environ.update({f"FREEHOLD__ENGINES__0__{name}": str(value) for name, value in settings.items()})
    command = (sys.executable, "-m", "freehold.cli.main", "serve", "--model", str(model), "--port", str(port))
    try:
        if direct.stdout is None or direct.stdout.readline() != "ready\n":
            raise SystemExit("the direct engine did not load")
        with server(port, *command, "--data", str(folder), "--key", KEY):
            await until_loaded(port)
            run = 0
            print(f"{'streams':>8}{'tok/s':>9}{'direct':>9}{'ratio':>7}{'first token':>13}{'direct':>9}{'ratio':>7}")
            for streams in map(int, options.streams.split(",")):
                ours, theirs = [], []
                for _ in range(options.rounds):
                    run += 2
                    ours.append(await chat_streams(port, conversations(streams, run), options.tokens))
                    theirs.append(directly(direct, conversations(streams, run + 1), options.tokens))
                a, b = medians(ours), medians(theirs)
                print(
                    f"{streams:8}{a[0]:9.1f}{b[0]:9.1f}{a[0] / b[0]:7.2f}{a[1]:11.3f} s{b[1]:7.3f} s{b[1] / a[1]:7.2f}"
                )
    finally:
        direct.terminate()
        direct.wait(15)


def medians(rows: list[tuple[float, float]]) -> list[float]:
    """The median of each column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


async def until_loaded(port: int) -> None:
    """Wait until a first small answer has come."""
    for _ in range(120):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
            request = request_bytes("/v1/chat/completions", json.dumps(body).encode(), KEY)
            status, _, _ = await exchange(reader, writer, request)
            writer.close()
            if status == 200:
                return
        except (OSError, asyncio.IncompleteReadError):
            pass
        await asyncio.sleep(1)
    raise SystemExit("Freehold did not answer")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--streams", default="1,8,32")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=32)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()

"""CPU that the server spends on answers of a server elsewhere: one that costs nothing, beside the script engine.

usage: python -m benches.remote_cpu [--rounds 3] [--requests 2000] [--streams 64] [--words 200] [--pace 0.01]

The chunks of a stream come one by one, `--pace` seconds apart, as they do from a model; in the script engine's column
they come all at once, so that it is the floor.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benches.load import request_bytes, run_load
from benches.server_cpu import KEY, cost, free_port, server

SHORT = "Say hello to the person who reads this."


@contextmanager
def freehold(folder: Path, upstream: int | None) -> Iterator[tuple[int, int]]:
    """Run Freehold before an upstream, or with the script engine; yields its port and process id."""
    port, name = free_port(), f"before-{upstream}"
    kind = f'kind = "remote"\nurl = "http://127.0.0.1:{upstream}/v1"' if upstream else 'kind = "script"'
    config = folder / f"{name}.toml"
    config.write_text(f'[[engines]]\nname = "e"\n{kind}\nslots = 256\n[[embedders]]\nname = "s"\nkind = "script"\n')
    command = (sys.executable, "-m", "freehold.cli.main", "serve", "--config", str(config), "--port", str(port))
    with server(port, *command, "--data", str(folder / name), "--key", KEY) as pid:
        yield port, pid


def bodies(words: int) -> dict[str, tuple[str, bytes, bool]]:
    """The measured requests by name: path, body, and whether it streams."""
    long = " ".join(f"word{number % 10}" for number in range(words))

    def chat(text: str, **more: object) -> bytes:
        return json.dumps({"model": "gpt-4.1", "messages": [{"role": "user", "content": text}], **more}).encode()

    def responses(text: str, **more: object) -> bytes:
        return json.dumps({"model": "gpt-4.1", "input": text, **more}).encode()

    return {
        "chat": ("/v1/chat/completions", chat(SHORT), False),
        "responses-stored": ("/v1/responses", responses(SHORT), False),
        "chat-stream": ("/v1/chat/completions", chat(long, stream=True), True),
        "responses-stream": ("/v1/responses", responses(long, stream=True, store=False), True),
    }


async def compare(options: argparse.Namespace, folder: Path) -> None:
    """Start both servers with their upstreams, load them in turn, and print a row per request."""
    fast, paced = free_port(), free_port()
    null = (sys.executable, "-m", "benches.null_upstream")
    with ExitStack() as stack:
        stack.enter_context(server(fast, *null, str(fast), "--words", "8"))
        words = ("--words", str(options.words), "--pace", str(options.pace))
        stack.enter_context(server(paced, *null, str(paced), *words))
        short, long = (stack.enter_context(freehold(folder, upstream)) for upstream in (fast, paced))
        script = stack.enter_context(freehold(folder, None))
        print(f"{'CPU microseconds':22}{'remote':>10}{'script':>10}{'ratio':>8}")
        for name, (path, body, streams) in bodies(options.words).items():
            total, connections = (options.streams, options.streams) if streams else (options.requests, 16)
            columns: list[list[float]] = [[], []]
            for _ in range(options.rounds):
                for column, (port, pid) in zip(columns, (long if streams else short, script), strict=True):
                    load = await run_load(port, pid, request_bytes(path, body, KEY), total, connections)
                    column.append(cost(load, total))
            a, b = map(statistics.median, columns)
            print(f"{name:22}{a:10.1f}{b:10.1f}{a / b:8.2f}   per {'frame' if streams else 'request'}", flush=True)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--pace", type=float, default=0.01)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()

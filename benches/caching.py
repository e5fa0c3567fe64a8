"""What going on from a prompt that was read saves: time to the first token, and the counts, in one run.

usage: python -m benches.caching [--model smollm2-135m] [--tokens 2000] [--rounds 5]

Each round sends a new prompt of about `--tokens` tokens, then the same with another question, then the same as another
project. After them the server is restarted for each prompt, which is sent again. All are
streamed over HTTP, one at a time.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from benches.figures import Figure, show
from benches.server_cpu import KEY, free_port, server

WORDS = ("apple", "river", "stone", "cloud", "lamp", "horse", "winter", "bread", "music", "garden", "window", "letter")
QUESTIONS = ("Which word came first?", "Say hello.")
ANSWER = 4


@dataclass
class Row:
    """A way of asking: seconds to the first token, and how many tokens were cached, of how many."""

    name: str
    seconds: list[float] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)


class Asker:
    """Asks the server of the moment."""

    def __init__(self, client: httpx2.AsyncClient, model: str) -> None:
        self._client = client
        self._model = model

    async def ask(self, row: Row, text: str, question: str, key: str = KEY) -> None:
        """Ask, read the whole answer, and note what it shows."""
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": f"{text} {question}"}],
            "prompt_cache_retention": "24h",
            "max_completion_tokens": ANSWER,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        started, first = time.perf_counter(), 0.0
        usage: dict[str, Any] = {}
        headers = {"authorization": f"Bearer {key}"}
        async with self._client.stream("POST", "/chat/completions", json=body, headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                if not first and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                    first = time.perf_counter() - started
                usage = chunk["usage"] or usage
        row.seconds.append(first or time.perf_counter() - started)
        row.cached.append(usage["prompt_tokens_details"]["cached_tokens"])
        row.tokens.append(usage["prompt_tokens"])


@asynccontextmanager
async def serving(options: argparse.Namespace, folder: Path) -> AsyncGenerator[Asker, None]:
    """Run Freehold on the data folder for the length of the block."""
    port = free_port()
    command = (sys.executable, "-m", "freehold.cli.main", "serve", "--port", str(port), "--data", str(folder))
    with server(port, *command, "--key", KEY, "--model", options.model):
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", timeout=600) as client:
            asker = Asker(client, options.model)
            await asker.ask(Row("warm-up"), "Hello.", "Say hello.")
            yield asker


def prompt(chance: random.Random, tokens: int) -> str:
    """A text of about so many tokens that no other begins like."""
    return f"{chance.random()} " + " ".join(chance.choice(WORDS) for _ in range(tokens - 40))


def made_key(folder: Path, project: str) -> str:
    """A key of another project."""
    made = (sys.executable, "-m", "freehold.cli.main", "keys", "create", "--project", project)
    environment = {**os.environ, "FREEHOLD_DATA": str(folder)}
    return subprocess.run(made, capture_output=True, text=True, check=True, env=environment).stdout.split()[-1]


async def measured(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Run both servers, one after the other, and return a row for each way."""
    chance = random.Random(options.seed)  # noqa: S311 - words, not secrets
    texts = [prompt(chance, options.tokens) for _ in range(options.rounds)]
    cold, warm, other, restarted, stranger = rows = [
        Row("cold"),
        Row("again, with another question"),
        Row("the same, of another project"),
        Row("again, after a restart"),
        Row("of a third project, after a restart"),
    ]
    os.environ.update({"FREEHOLD__ENGINES__0__NAME": "local", "FREEHOLD__ENGINES__0__POOL": str(4 * options.tokens)})
    async with serving(options, folder) as asker:
        keys = [await asyncio.to_thread(made_key, folder, project) for project in ("b", "c")]
        for text in texts:
            await asker.ask(cold, text, QUESTIONS[0])
            await asker.ask(warm, text, QUESTIONS[1])
            await asker.ask(other, text, QUESTIONS[0], keys[0])
    for text in texts:  # each of a new process: one that has read a text once has it in memory
        async with serving(options, folder) as asker:
            await asker.ask(stranger, text, QUESTIONS[1], keys[1])
            await asker.ask(restarted, text, QUESTIONS[1])
    return rows


def table(rows: list[Row]) -> Iterator[str]:
    """The rows as a Markdown table; ratios are to the first one."""
    cold = statistics.median(rows[0].seconds)
    yield "| first token | median | of the first | cached tokens | of |"
    yield "|---|---|---|---|---|"
    for row in rows:
        median = statistics.median(row.seconds)
        cached = f"{min(row.cached)} to {max(row.cached)}" if min(row.cached) != max(row.cached) else str(row.cached[0])
        yield f"| {row.name} | {median:.3f} s | {median / cold:.2f} | {cached} | {max(row.tokens)} |"


def found(rows: list[Row]) -> Iterator[Figure]:
    """The figures, and what they are held to."""
    cold, warm, other, restarted, stranger = rows
    median = {row.name: statistics.median(row.seconds) for row in rows}
    for row in rows:
        yield Figure("first token of a prompt of 2,000 tokens", row.name, median[row.name], "s")
    yield Figure("first token, of the first time", warm.name, median[warm.name] / median[cold.name], most=0.1)
    yield Figure("first token, of the first time", restarted.name, median[restarted.name] / median[cold.name], most=0.3)
    for row in (other, stranger):
        yield Figure("cached tokens", row.name, max(row.cached), most=0)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measured(options, Path(folder)))
    print("\n".join(table(rows)))
    show(list(found(rows)))


if __name__ == "__main__":
    main()

"""Interactive chat beside a batch: what each costs the other, in one run on a real model.

usage: python -m benches.beside [--model smollm2-135m] [--lines 300] [--every 3] [--seconds 60] [--rounds 2]

A round measures three things in turn: people alone (one asks every `--every` seconds, on average), the batch alone,
and both at once. It prints the time to the first token that people see, median and 95th percentile, the batch's tokens
per second, and how each changes when the other is there.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

from benches.server_cpu import KEY, free_port, server

CHAT = "/v1/chat/completions"
TOPICS = ("the sea", "a city at night", "bread", "rain", "an old house", "the moon", "winter", "friends", "music")


@dataclass
class Shown:
    """What was measured over all rounds: seconds to the first token, and tokens per second of batches."""

    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    batch_alone: list[float] = field(default_factory=list)
    batch_beside: list[float] = field(default_factory=list)


def asking(options: argparse.Namespace, chance: random.Random, words: int) -> dict[str, Any]:
    """A request with a prompt of its own, so that no cache answers for it."""
    text = " ".join(chance.choice(TOPICS) for _ in range(words // 2))
    messages = [{"role": "user", "content": f"{chance.random()} Write about these: {text}."}]
    return {"model": options.model, "messages": messages, "max_completion_tokens": options.tokens}


async def first_token(client: httpx2.AsyncClient, body: dict[str, Any]) -> float:
    """Ask, read the whole answer, and return the seconds to its first text."""
    started, first = time.perf_counter(), 0.0
    async with client.stream("POST", "/chat/completions", json={**body, "stream": True}) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("data: {") and not first:
                (choice,) = json.loads(line.removeprefix("data: "))["choices"]
                first = time.perf_counter() - started if choice["delta"].get("content") else 0.0
    return first or time.perf_counter() - started


async def people(
    client: httpx2.AsyncClient, options: argparse.Namespace, chance: random.Random, until: Any
) -> list[float]:
    """Ask at random moments until `until()`; return the seconds to each first token. Nobody waits for the others."""
    async with asyncio.TaskGroup() as group:
        asked: list[asyncio.Task[float]] = []
        while not until():
            await asyncio.sleep(chance.expovariate(1 / options.every))
            asked.append(group.create_task(first_token(client, asking(options, chance, 30))))
    return [task.result() for task in asked]


async def ordered(client: httpx2.AsyncClient, options: argparse.Namespace, chance: random.Random) -> dict[str, Any]:
    """Begin a batch and return it."""
    lines = [
        {"custom_id": str(n), "method": "POST", "url": CHAT, "body": asking(options, chance, options.words)}
        for n in range(options.lines)
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    uploaded = await client.post("/files", files={"file": ("batch.jsonl", content)}, data={"purpose": "batch"})
    order = {"input_file_id": uploaded.json()["id"], "endpoint": CHAT, "completion_window": "24h"}
    return (await client.post("/batches", json=order)).raise_for_status().json()


async def batch(client: httpx2.AsyncClient, options: argparse.Namespace, chance: random.Random) -> float:
    """Run a batch to its end and return its output tokens per second."""
    found = await ordered(client, options, chance)
    began = 0.0
    while found["status"] in ("validating", "in_progress"):
        began = began or (time.perf_counter() if found["status"] == "in_progress" else 0.0)
        await asyncio.sleep(0.2)
        found = (await client.get(f"/batches/{found['id']}")).raise_for_status().json()
    took = time.perf_counter() - began
    while found["status"] == "finalizing":
        await asyncio.sleep(0.2)
        found = (await client.get(f"/batches/{found['id']}")).raise_for_status().json()
    if found["request_counts"]["completed"] != options.lines:
        raise SystemExit(f"the batch did not go well: {found}")
    return found["usage"]["output_tokens"] / took


async def run(port: int, options: argparse.Namespace) -> Shown:
    """Run every round."""
    shown, chance = Shown(), random.Random(options.seed)  # noqa: S311
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", headers=headers, timeout=300) as client:
        await first_token(client, asking(options, chance, 30))
        for number in range(options.rounds):
            end = time.monotonic() + options.seconds
            shown.alone += await people(client, options, chance, lambda: time.monotonic() > end)  # noqa: B023
            shown.batch_alone.append(await batch(client, options, chance))
            both = asyncio.create_task(batch(client, options, chance))
            shown.beside += await people(client, options, chance, both.done)
            shown.batch_beside.append(await both)
            print(f"round {number + 1}: {tell(shown)}", flush=True)
    return shown


def tail(seconds: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def tell(shown: Shown) -> str:
    """The figures so far, in words."""
    middle = statistics.median
    return (
        f"first token, median / p95: {middle(shown.alone):.3f} / {tail(shown.alone):.3f} s alone ({len(shown.alone)}), "
        f"{middle(shown.beside):.3f} / {tail(shown.beside):.3f} s beside the batch ({len(shown.beside)}), "
        f"p95 ratio {tail(shown.beside) / tail(shown.alone):.2f}; "
        f"batch {middle(shown.batch_alone):.1f} tokens/s alone, {middle(shown.batch_beside):.1f} beside people, "
        f"ratio {middle(shown.batch_beside) / middle(shown.batch_alone):.2f}"
    )


def main() -> None:
    """Read the options, start the server, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--words", type=int, default=60, help="of each line's prompt, about")
    parser.add_argument("--tokens", type=int, default=48, help="the most of each answer")
    parser.add_argument("--every", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="of people alone")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--model", options.model)
        with server(port, *command, "--port", str(port), "--key", KEY, "--data", folder):
            shown = asyncio.run(run(port, options))
    print(f"{options.model}, {os.cpu_count()} cores: {tell(shown)}")


if __name__ == "__main__":
    main()

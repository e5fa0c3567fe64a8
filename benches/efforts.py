"""How long a model thinks at each reasoning effort, against the budget that each is.

usage: python -m benches.efforts MODEL [--times 50] [--efforts minimal,low,medium]     MODEL: a catalogue name or a file
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from benches.engine_speed import until_loaded
from benches.server_cpu import KEY, free_port, server
from freehold.runs.effort import BUDGETS

QUESTIONS = (
    "A farmer has 17 sheep, and all but 9 run away. How many are left?",
    "Which is larger, 9.11 or 9.9?",
    "How many days are there from March 3 to June 1?",
    "Write a bash script that transposes a matrix.",
    "Prove that there are infinitely many primes.",
)


async def think(client: AsyncOpenAI, model: str, effort: Any, times: int) -> list[int]:
    """Ask `times` times, eight at once, and return the tokens of each thought."""
    places = asyncio.Semaphore(8)

    async def one(question: str) -> int:
        async with places:
            answer = await client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": question}],
                reasoning_effort=effort,
                max_completion_tokens=BUDGETS[effort] + 16,
                temperature=1,
                stop=[" ", "\n", ".", ","],  # it is the thought that is measured
            )
        if answer.usage is None or answer.usage.completion_tokens_details is None:
            raise RuntimeError("an answer without usage")
        return answer.usage.completion_tokens_details.reasoning_tokens or 0

    return list(await asyncio.gather(*(one(question) for question in islice(cycle(QUESTIONS), times))))


async def run(options: argparse.Namespace) -> None:
    """Start the server and print a line for each effort; exit with 1 when a thought passed its budget."""
    port, kept = free_port(), True
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--model", options.model, "--port", str(port))
        with server(port, *command, "--data", str(Path(folder)), "--key", KEY):
            await until_loaded(port)
            client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, timeout=3_600, max_retries=0)
            print("| effort | budget | times | median | most | over |\n|---|---|---|---|---|---|")
            for effort in options.efforts.split(","):
                budget = BUDGETS[effort]
                tokens = await think(client, options.model, effort, options.times)
                over = sum(one > budget for one in tokens)
                kept = kept and not over
                row = (effort, budget, options.times, f"{statistics.median(tokens):g}", max(tokens), over)
                print("| " + " | ".join(map(str, row)) + " |", flush=True)
    raise SystemExit(not kept)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--efforts", default=",".join(BUDGETS))
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

"""Tokens per second of answers that are held to a grammar, against free ones: same model, in one run.

usage: python -m benches.constrained MODEL [--tokens 128] [--rounds 5] [--engine llama]

MODEL is a name of the catalogue or a file.

The ways of asking take turns, one stream at a time, with temperature 0. Each has asked once before it is measured, so
the prompts are cached, and what is timed is the making of the grammar and the decoding. The schemas and questions want
more than `--tokens` tokens; where a model ends sooner all the same, the column `tokens` says so.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from typing import Any

from openai import AsyncOpenAI

from benches.engine_speed import until_loaded
from benches.server_cpu import KEY, free_port, server

LIST = "Write a JSON array of 100 invented people, each with a name, an age, a city and three hobbies."
STORY = "Tell a very long story about a traveller and the sea."
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "city": {"enum": ["Paris", "Rome", "Oslo", "Lima"]},
        "email": {"type": "string", "format": "email"},
        "hobbies": {"type": "array", "items": {"type": "string", "pattern": "^[a-z ]{3,30}$"}, "minItems": 3},
    },
    "required": ["name", "age", "city", "email", "hobbies"],
    "additionalProperties": False,
}
PEOPLE = {
    "type": "object",
    "properties": {"people": {"type": "array", "items": PERSON, "minItems": 100}},
    "required": ["people"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WAYS: dict[str, tuple[str, dict[str, Any], str]] = {
    "free JSON": (LIST, {}, "free JSON"),
    "strict json_schema": (
        LIST,
        {"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": PEOPLE, "strict": True}}},
        "free JSON",
    ),
    "json_object": (LIST, {"response_format": {"type": "json_object"}}, "free JSON"),
    "free text": (STORY, {}, "free text"),
    "text beside a strict function": (
        STORY,
        {"tools": [{"type": "function", "function": {"name": "weather", "parameters": WEATHER, "strict": True}}]},
        "free text",
    ),
}
"""A way of asking: the question, what is asked with it, and the free way that it is compared with."""


async def rate(client: AsyncOpenAI, way: str, tokens: int) -> tuple[float, int]:
    """Tokens per second of one answer, and its tokens."""
    question, more, _ = WAYS[way]
    started = time.perf_counter()
    answer = await client.chat.completions.create(
        model="gpt-4.1", messages=[{"role": "user", "content": question}], temperature=0, max_tokens=tokens, **more
    )
    seconds = time.perf_counter() - started
    if answer.usage is None:
        raise SystemExit(f"{way}: the answer does not say how long it is")
    return answer.usage.completion_tokens / seconds, answer.usage.completion_tokens


async def run(options: argparse.Namespace) -> None:
    """Start the server, ask in turn and print a row for each way."""
    port = free_port()
    found: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--model", options.model, "--port", str(port))
        command = (*command, "--engine", options.engine)
        with server(port, *command, "--data", folder, "--key", KEY):
            await until_loaded(port)
            client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, timeout=3_600, max_retries=0)
            for measured in [False] + [True] * options.rounds:
                for way in WAYS:
                    one = await rate(client, way, options.tokens if measured else 1)
                    found[way] += [one] if measured else []
    medians = {way: statistics.median(speed for speed, _ in ones) for way, ones in found.items()}
    print(f"{options.model} on {options.engine}, {options.tokens} tokens, median of {options.rounds}")
    print("| answer | tokens | tokens/s | of the free |\n|---|---|---|---|")
    for way, (_, _, free) in WAYS.items():
        tokens = min(length for _, length in found[way])
        print(f"| {way} | {tokens} | {medians[way]:.1f} | {medians[way] / medians[free]:.2f} |")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--engine", default="llama", choices=("llama", "openvino"))
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

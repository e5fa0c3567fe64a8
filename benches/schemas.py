"""Strict structured outputs on hundreds of real schemas: what is called complete validates, always.

usage: python -m benches.schemas [--model qwen2.5-coder-0.5b] [--count 500] [--unchanged 50] [--tokens 400]

Each schema is asked for once at temperature 1, every other one streamed; `benches.schema_sources` says where they come
from. An answer is `valid` when it is complete and an independent validator takes it, `incomplete` when the token limit
cut it, `refused` when the schema is not taken, with a 400 that says why. Whatever else happens has failed, and is
printed whole.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NoReturn

import jsonschema_rs
from msgspec import Struct, to_builtins
from openai import APIStatusError, AsyncOpenAI
from openai.types.responses import Response

from benches.engine_speed import until_loaded
from benches.schema_sources import Drawn, draw
from benches.server_cpu import KEY, free_port, server

QUESTION = "Give an example."

Outcome = Literal["valid", "incomplete", "refused", "failed"]


class Result(Struct, frozen=True):
    """What came of a schema: the answer, or why there is none."""

    drawn: Drawn
    streamed: bool
    outcome: Outcome
    said: str
    tokens: int = 0


async def ask(client: AsyncOpenAI, number: int, schema: dict[str, Any], tokens: int) -> Response:
    """Ask for an example of a schema; odd ones are streamed."""
    request: Any = {
        "input": QUESTION,
        "text": {"format": {"type": "json_schema", "name": "example", "schema": schema, "strict": True}},
        "temperature": 1,
        "max_output_tokens": tokens,
        "store": False,
    }
    if number % 2 == 0:
        return await client.responses.create(**request)
    written: list[str] = []
    ended: Response | None = None
    async with await client.responses.create(**request, stream=True) as stream:
        async for event in stream:
            match event.type:
                case "response.output_text.delta":
                    written.append(event.delta)
                case "response.completed" | "response.incomplete" | "response.failed":
                    ended = event.response
                case _:
                    pass
    if ended is None:
        raise RuntimeError("the stream ended before the response did")
    if ended.output_text != "".join(written):
        raise RuntimeError("the deltas are not the answer")
    return ended


async def judge(client: AsyncOpenAI, number: int, drawn: Drawn, tokens: int) -> Result:
    """Ask for an example of a schema and say what came of it."""
    streamed = number % 2 == 1
    try:
        answer = await ask(client, number, drawn.schema, tokens)
    except APIStatusError as error:
        refused = error.status_code == 400 and error.code == "invalid_json_schema" and error.param and error.message
        return Result(drawn, streamed, "refused" if refused else "failed", f"{error.status_code}: {error.message}")
    except RuntimeError as error:
        return Result(drawn, streamed, "failed", str(error))
    text, used = answer.output_text, answer.usage.output_tokens if answer.usage else 0
    if answer.status == "incomplete":
        details = answer.incomplete_details
        cut = details is not None and details.reason == "max_output_tokens" and used == tokens
        return Result(drawn, streamed, "incomplete" if cut else "failed", f"{details} after {used}: {text}", used)
    if answer.status != "completed":
        return Result(drawn, streamed, "failed", f"{answer.status}: {answer.error}: {text}", used)
    if flaw := invalid(text, drawn.schema):
        return Result(drawn, streamed, "failed", f"{flaw}: {text}", used)
    return Result(drawn, streamed, "valid", text, used)


def invalid(text: str, schema: dict[str, Any]) -> str:
    """What is wrong with an answer; empty when nothing is."""
    try:
        value = json.loads(text, parse_constant=_no_json)
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)
    except ValueError as error:
        return f"{type(error).__name__} {error}"
    return ""


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


async def play(client: AsyncOpenAI, drawn: list[Drawn], options: argparse.Namespace) -> list[Result]:
    """Ask for all schemas, a few at once; what fails is printed as it comes."""
    places = asyncio.Semaphore(options.concurrency)

    async def one(number: int, each: Drawn) -> Result:
        async with places:
            result = await judge(client, number, each, options.tokens)
        if result.outcome == "failed":
            print(f"FAILED {json.dumps(to_builtins(result))}", flush=True)
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number, each)) for number, each in enumerate(drawn)]
    return [task.result() for task in tasks]


def table(results: list[Result]) -> str:
    """A row for each collection and way of asking."""
    lines = ["| schemas | streamed | asked | valid | incomplete | refused | failed |", "|---|---|---|---|---|---|---|"]
    for kind, streamed in sorted({(one.drawn.kind, one.streamed) for one in results}):
        counts = Counter(one.outcome for one in results if (one.drawn.kind, one.streamed) == (kind, streamed))
        cells = [counts[name] for name in ("valid", "incomplete", "refused", "failed")]
        lines.append(f"| {kind} | {'yes' if streamed else 'no'} | {counts.total()} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> None:
    """Start the server, ask, print the table and write the results; exit with 1 when something failed."""
    drawn, port = draw(options.count, options.unchanged, options.seed, options.longest), free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--model", options.model, "--port", str(port))
        with server(port, *command, "--data", folder, "--key", KEY):
            await until_loaded(port)
            client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, timeout=3_600, max_retries=0)
            started = time.perf_counter()
            results = await play(client, drawn, options)
            seconds = time.perf_counter() - started
    print(f"{options.model}, at most {options.tokens} tokens, {seconds:.0f} s\n{table(results)}")
    Path(options.results).write_text("".join(json.dumps(to_builtins(one)) + "\n" for one in results))
    print(f"answers and reasons are in {options.results}")
    raise SystemExit(any(one.outcome == "failed" for one in results))


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--unchanged", type=int, default=50, help="schemas to ask for as they stand, beside the others")
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--longest", type=int, default=1500, help="characters that a schema may have")
    parser.add_argument("--concurrency", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", default=str(Path(tempfile.gettempdir()) / "schemas.jsonl"))
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

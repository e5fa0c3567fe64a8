"""The Berkeley Function Calling Leaderboard on Freehold: native tool calls, scored by bfcl-eval's own checker.

usage: python -m benches.bfcl [--model qwen2.5-coder-0.5b] [--limit 40] [--concurrency 4] [--failures FILE.jsonl]

MODEL is a catalogue name or a file. A limit takes the same evenly spread entries of each category every time; 0 takes
all. `invalid` counts calls whose arguments are not what the function's JSON Schema says: there must be none. `cut` are
answers that the token limit ended. bfcl-eval is installed into the user's cache, without the model clients that it
depends on.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema_rs
from openai import AsyncOpenAI
from openai.types.chat.chat_completion import Choice

from benches.downloads import installed
from benches.engine_speed import until_loaded
from benches.server_cpu import KEY, free_port, server

CATEGORIES = ("simple_python", "multiple", "parallel", "irrelevance")
VERSION = "2026.3.23"
PACKAGES = (
    f"bfcl-eval=={VERSION}",
    *("filelock==3.20.0", "python-dotenv==1.0.1", "tenacity==9.1.2"),
    *("tree_sitter==0.21.3", "tree-sitter-java==0.21.0", "tree-sitter-javascript==0.21.4"),
)
MOST_TOKENS = 512

Entry = dict[str, Any]


@dataclass
class Row:
    """What a category showed."""

    category: str
    asked: int = 0
    right: int = 0
    calls: int = 0
    invalid: int = 0
    cut: int = 0
    seconds: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def show(self) -> str:
        """The row of the table."""
        share = f"{100 * self.right / self.asked:.1f} %"
        cells = (self.category, self.asked, share, self.calls, self.invalid, self.cut, f"{self.seconds:.0f}")
        return "| " + " | ".join(map(str, cells)) + " |"


class Bfcl:
    """The parts of bfcl-eval that are needed: its questions, its conversion of functions and its checker."""

    def __init__(self) -> None:
        sys.path.append(str(installed(f"bfcl-eval-{VERSION}", *PACKAGES)))
        # Its table of models imports every vendor's client. The checker looks up one flag there: whether the dots in
        # names became underscores.
        models = types.ModuleType("bfcl_eval.constants.model_config")
        models.__dict__["MODEL_CONFIG_MAPPING"] = {"freehold": types.SimpleNamespace(underscore_to_dot=True)}
        sys.modules[models.__name__] = models
        utils = import_module("bfcl_eval.utils")
        enums = import_module("bfcl_eval.constants.enums")
        self._load: Callable[[str], list[Entry]] = utils.load_dataset_entry
        self._load_answers: Callable[[str], list[Entry]] = utils.load_ground_truth_entry
        self._check = import_module("bfcl_eval.eval_checker.ast_eval.ast_checker").ast_checker
        self._convert = import_module("bfcl_eval.model_handler.utils").convert_to_tool
        self._types = import_module("bfcl_eval.constants.type_mappings").GORILLA_TO_OPENAPI
        self._style, self._python = enums.ModelStyle.OPENAI_COMPLETIONS, enums.Language.PYTHON

    def entries(self, category: str, limit: int) -> list[Entry]:
        """An evenly spread sample of a category's questions, with their answers where they have some."""
        entries = self._load(category)
        if category != "irrelevance":
            answers = {one["id"]: one["ground_truth"] for one in self._load_answers(category)}
            entries = [entry | {"answer": answers[entry["id"]]} for entry in entries]
        return spread(entries, limit)

    def tools(self, entry: Entry) -> list[Any]:
        """The functions of a question as tools of the Chat API."""
        return self._convert(entry["function"], self._types, self._style)

    def flaws(self, category: str, entry: Entry, calls: list[Any]) -> list[str]:
        """What is wrong with the calls; empty when they are right."""
        if category == "irrelevance":
            return ["a function was called, and none fits"] if calls else []
        if not calls:
            return ["no function was called"]
        found = self._check(entry["function"], calls, entry["answer"], self._python, category, "freehold")
        return [] if found["valid"] else [str(one) for one in found["error"]]


def spread(entries: Sequence[Entry], limit: int) -> list[Entry]:
    """`limit` entries at even distances, or all for 0."""
    size = min(limit or len(entries), len(entries))
    return [entries[number * len(entries) // size] for number in range(size)]


async def answer(client: AsyncOpenAI, entry: Entry, tools: list[Any]) -> Choice:
    """Ask a question; every entry of these categories has one turn."""
    (messages,) = entry["question"]
    given = await client.chat.completions.create(
        model="gpt-4.1", messages=messages, tools=tools, temperature=0, max_tokens=MOST_TOKENS
    )
    return given.choices[0]


def read_calls(choice: Choice, tools: list[Any]) -> tuple[list[Any], list[str]]:
    """The calls as bfcl reads them, `{name: arguments}`, and what their schemas say against them."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    calls: list[Any] = []
    invalid: list[str] = []
    for call in choice.message.tool_calls or []:
        if call.type != "function":
            raise RuntimeError(f"a call of an unknown type: {call.type}")
        try:
            arguments = json.loads(call.function.arguments)
            jsonschema_rs.validator_for(schemas[call.function.name]).validate(arguments)
        except ValueError as error:
            invalid.append(f"{call.function.name}({call.function.arguments}): {error}")
        else:
            calls.append({call.function.name: arguments})
    return calls, invalid


async def play(client: AsyncOpenAI, bfcl: Bfcl, category: str, options: argparse.Namespace) -> Row:
    """Ask a category's questions, a few at once, and count."""
    row = Row(category)
    places = asyncio.Semaphore(options.concurrency)
    started = time.perf_counter()

    async def one(entry: Entry) -> None:
        tools = bfcl.tools(entry)
        async with places:
            choice = await answer(client, entry, tools)
        calls, invalid = read_calls(choice, tools)
        cut = choice.finish_reason == "length"
        flaws = invalid or bfcl.flaws(category, entry, calls)
        row.asked += 1
        row.calls += len(calls) + len(invalid)
        row.invalid += 0 if cut else len(invalid)
        row.cut += cut
        row.right += not flaws
        if flaws:
            shown = {"id": entry["id"], "flaws": flaws, "calls": calls, "text": choice.message.content, "cut": cut}
            row.failures.append(shown | {"question": entry["question"], "tools": tools, "answer": entry.get("answer")})

    async with asyncio.TaskGroup() as group:
        for entry in bfcl.entries(category, options.limit):
            group.create_task(one(entry))
    row.seconds = time.perf_counter() - started
    return row


async def run(options: argparse.Namespace) -> None:
    """Start the server, print a row per category and write the failures; exit with 1 where a call broke its schema."""
    bfcl, port = Bfcl(), free_port()
    invalid, failures = 0, Path(options.failures)
    failures.write_text("")
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--model", options.model, "--port", str(port))
        with server(port, *command, "--data", folder, "--key", KEY):
            await until_loaded(port)
            client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, timeout=3_600, max_retries=0)
            print(f"{options.model}, bfcl-eval {VERSION}, temperature 0")
            print("| category | questions | right | calls | invalid | cut | seconds |\n|---|---|---|---|---|---|---|")
            for category in options.categories.split(","):
                row = await play(client, bfcl, category, options)
                print(row.show(), flush=True)
                invalid += row.invalid
                kept = failures.read_text()
                failures.write_text(kept + "".join(json.dumps(one) + "\n" for one in row.failures))
    print(f"what failed is in {failures}")
    raise SystemExit(invalid > 0)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--categories", default=",".join(CATEGORIES))
    parser.add_argument("--failures", default=str(Path(tempfile.gettempdir()) / "bfcl-failures.jsonl"))
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

"""Whether a model that answers from files names the right one: 20 questions over the 12 files of `benches/library`.

usage: python -m benches.citations MODEL [--embedder nomic-embed-text-v1.5] [--times 1]

MODEL is a catalogue name or a file. Each question is one `responses.create` with the tool `file_search`. Right is an
answer whose annotations name the file that holds it, and no more than one other; it is also counted how many hold the
fact itself. Exits with 1 when fewer than 18 of 20 are right.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from openai import AsyncOpenAI
from openai.types.responses import Response

from benches.engine_speed import until_loaded
from benches.server_cpu import KEY, free_port, server

LIBRARY = Path(__file__).parent / "library"
_NEEDED = 0.9


class Question(NamedTuple):
    """What is asked, the file that says it, and what the answer must hold."""

    question: str
    file: str
    answer: str


async def filled(client: AsyncOpenAI) -> str:
    """Put the library into a new store and return its id."""
    store = await client.vector_stores.create(name="library")
    paths = [path for path in sorted(LIBRARY.iterdir()) if path.name != "questions.json"]
    ids = [(await client.files.create(file=path, purpose="assistants")).id for path in paths]
    batch = await client.vector_stores.file_batches.create_and_poll(store.id, file_ids=ids)
    if batch.file_counts.completed != len(paths):
        raise RuntimeError(f"not every file was taken in: {batch.file_counts}")
    return store.id


def cited(response: Response) -> list[str]:
    """The names of the files that the answer names, once each."""
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    notes = [note for part in parts if part.type == "output_text" for note in part.annotations]
    return list(dict.fromkeys(note.filename for note in notes if note.type == "file_citation"))


async def ask(client: AsyncOpenAI, store: str, question: Question) -> tuple[bool, bool]:
    """Ask once; return whether the right file is named, and whether the answer holds the fact."""
    response = await client.responses.create(
        input=question.question,
        tools=[{"type": "file_search", "vector_store_ids": [store]}],
        max_output_tokens=200,
        store=False,
    )
    named = cited(response)
    right = question.file in named and len(named) <= 2
    answered = question.answer.lower() in response.output_text.lower()
    told = f"{'ok' if right and answered else 'NO'} {question.question}\n   {named}: {response.output_text!r}"
    print(told if right and answered else f"{told}\n   {[item.type for item in response.output]}", flush=True)
    return right, answered


async def run(options: argparse.Namespace) -> bool:
    """Start the server, ask, and print the counts; return whether they suffice."""
    questions = [Question(**one) for one in json.loads((LIBRARY / "questions.json").read_text())]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config, kind = Path(folder) / "freehold.toml", "onnx" if Path(options.embedder).is_dir() else "llama"
        config.write_text(f'[[embedders]]\nname = "bench"\nkind = "{kind}"\nmodel = "{options.embedder}"\n')
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--config", str(config), "--port", str(port))
        with server(port, *command, "--model", options.model, "--data", str(Path(folder) / "data"), "--key", KEY):
            await until_loaded(port)
            client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, timeout=900, max_retries=0)
            store = await filled(client)
            results = [await ask(client, store, question) for question in questions * options.times]
    right, answered = (sum(column) for column in zip(*results, strict=True))
    print(f"{options.model}: {right} of {len(results)} name the right file, {answered} hold the fact")
    return right >= _NEEDED * len(results)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--embedder", default="nomic-embed-text-v1.5")
    parser.add_argument("--times", type=int, default=1)
    raise SystemExit(not asyncio.run(run(parser.parse_args())))


if __name__ == "__main__":
    main()

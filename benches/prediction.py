"""Tokens per second of an answer that is mostly known, with and without guessing ahead, in one run.

usage: python -m benches.prediction MODEL.gguf [--draft SMALLER.gguf] [--tokens 200] [--rounds 3]

Two engines load the same file, one with `speculation = "prompt"` or with a draft model, and answer in turn: first an
edit of a file, which is also the request's prediction, then a story, which repeats nothing. Time runs from the first
token.
"""

import argparse
import asyncio
import platform
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec.structs import replace

from freehold.core.deltas import Stop, Text
from freehold.core.ports import Engine
from freehold.core.prompt import Prompt, Sampling, Turn
from freehold.engines.registry import EngineSpec, open_engine

FILE = '''class Stack:
    """A stack of numbers."""

    def __init__(self, limit=100):
        self.items = []
        self.limit = limit

    def push(self, item):
        if len(self.items) >= self.limit:
            raise OverflowError("the stack is full")
        self.items.append(item)
        return self

    def pop(self):
        if not self.items:
            raise IndexError("the stack is empty")
        return self.items.pop()

    def peek(self):
        if not self.items:
            raise IndexError("the stack is empty")
        return self.items[-1]


def evaluate(tokens):
    stack = Stack()
    for token in tokens:
        if token == "+":
            right = stack.pop()
            left = stack.pop()
            stack.push(left + right)
        elif token == "-":
            right = stack.pop()
            left = stack.pop()
            stack.push(left - right)
        else:
            stack.push(float(token))
    return stack.pop()
'''
EDIT = f"Rename the class Stack to Pile in this file. Answer with the whole file only.\n\n```python\n{FILE}```"
STORY = "Write a story about the keeper of a lighthouse."


async def answered(by: Engine, text: str, tokens: int) -> tuple[float, str, Stop]:
    """Tokens per second after the first, the answer, and its end."""
    sampling = Sampling(temperature=0.0, max_tokens=tokens)
    asked = Prompt(model="model", turns=(Turn("user", text),), sampling=sampling, predicted=FILE)
    first, pieces = 0.0, list[str]()
    async for delta in by.generate(asked):
        if isinstance(delta, Text):
            first = first or time.perf_counter()
            pieces.append(delta.text)
        elif isinstance(delta, Stop):
            return (delta.usage.output - 1) / (time.perf_counter() - first), "".join(pieces), delta
    raise RuntimeError("the answer has no end")


async def main(model: Path, draft: Path | None, tokens: int, rounds: int) -> None:
    """Run both sides in turn and print what they did."""
    print(f"{model.stem} on {platform.processor() or platform.machine()}")
    async with AsyncExitStack() as stack:
        engines: dict[str, Engine] = {}
        plain = EngineSpec(name="plain", models=("model",), slots=2, context=4096, pool=8192)
        ahead = replace(plain, speculation="prompt") if draft is None else replace(plain, draft="draft")
        files = {"model": model, "draft": draft or model}
        for side, spec in (("plain", plain), ("ahead", ahead)):
            engines[side] = await stack.enter_async_context(open_engine(spec, files.__getitem__))
        for name, text in (("edit", EDIT), ("story", STORY)):
            ratios: list[float] = []
            for _ in range(rounds):
                before, told, _ = await answered(engines["plain"], text, tokens)
                after, guessed, end = await answered(engines["ahead"], text, tokens)
                ratios.append(after / before)
            usage = end.usage
            print(
                f"{name}: {statistics.median(ratios):.2f} times the tokens per second"
                f" ({', '.join(f'{ratio:.2f}' for ratio in ratios)}), {usage.output} tokens,"
                f" accepted {usage.accepted}, rejected {usage.rejected}, same text: {told == guessed}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--draft", type=Path)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(main(given.model, given.draft, given.tokens, given.rounds))

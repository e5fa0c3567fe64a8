"""Measures an engine with a model: how long a first token takes, and how fast tokens come to one and to many."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from math import prod
from typing import Protocol, runtime_checkable

from msgspec import Struct

from freehold.core.deltas import Stop
from freehold.core.errors import EngineFailed
from freehold.core.ports import Engine
from freehold.core.prompt import Prompt, Sampling, Turn
from freehold.engines.registry import EngineSpec, Find, open_engine
from freehold.engines.trial.machine import resident

_WORDS = ("harbour", "lantern", "orchard", "meadow", "thunder", "copper", "window", "garden", "river", "castle")
_FEWEST = 8  # tokens of an answer


class Plan(Struct, frozen=True, kw_only=True):
    """What is measured: a prompt of `prompt` tokens, and answers of `tokens` at most to each number of `streams`.

    `rounds` is how often; of each figure the median counts.
    """

    prompt: int = 900
    streams: tuple[int, ...] = (1, 8, 32)
    tokens: tuple[int, ...] = (64, 64, 64)
    rounds: int = 3

    @property
    def steps(self) -> int:
        """How many steps an engine's trial has, each of which is told when it is over."""
        return 1 + self.rounds * (1 + len(self.streams))


def plan_for(size: int, bandwidth: float, quick: bool) -> Plan:
    """Return a plan for a model of `size` bytes on a machine that reads `bandwidth` bytes a second.

    A model that cannot be fast is asked for less, so that no part of the trial takes minutes.
    """
    seconds, most = (3.0, 32) if quick else (8.0, 64)
    rate = bandwidth / size
    streams = Plan().streams
    tokens = tuple(max(_FEWEST, min(most, int(rate * seconds * min(count, 4) / count))) for count in streams)
    return Plan(streams=streams, tokens=tokens, rounds=1 if quick else 3)


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured of an engine of a `kind`: seconds to the first token of a prompt of `prompt` tokens.

    `rates` are tokens a second of all streams together, by their number. `memory` is in bytes, None where the engine
    has no process of its own.
    """

    kind: str
    backend: str
    prompt: int
    first_token: float
    rates: dict[int, float]
    memory: int | None


@runtime_checkable
class InProcesses(Protocol):
    """An engine whose models run in processes of their own."""

    @property
    def processes(self) -> tuple[int, ...]:
        """The ids of the processes."""
        ...


async def measure(spec: EngineSpec, find: Find, plan: Plan, told: Callable[[], None]) -> Measured:
    """Open the engine of `spec` and measure it with its first model; `told` is called after each step of the plan.

    Raises what opening the engine raises, and EngineFailed.
    """
    async with open_engine(spec, find) as engine:
        model = engine.models[0]
        await _asked(engine, _prompt(model.name, "Say hello.", _FEWEST))
        told()
        wanted = min(plan.prompt, model.context // 2)
        firsts, reads = list[float](), list[int]()
        rates: dict[int, list[float]] = {count: [] for count in plan.streams}
        for number in range(plan.rounds):
            prompt = await _long(engine, model.name, number, wanted)
            firsts.append((await _asked(engine, prompt))[0])
            reads.append(len(prompt.tokens))
            told()
            for count, tokens in zip(plan.streams, plan.tokens, strict=True):
                rates[count].append(await _rate(engine, model.name, count, tokens, f"{number}-{count}"))
                told()
        processes = engine.processes if isinstance(engine, InProcesses) else ()
        return Measured(
            kind=spec.kind,
            backend=model.backend,
            prompt=round(statistics.median(reads)),
            first_token=statistics.median(firsts),
            rates={count: statistics.median(found) for count, found in rates.items()},
            memory=sum(map(resident, processes)) if processes else None,
        )


def gain(one: Measured, other: Measured) -> float:
    """How many times as fast `other` is as `one`: the geometric mean over the first token and all streams."""
    ratios = [one.first_token / other.first_token, *(other.rates[count] / rate for count, rate in one.rates.items())]
    return prod(ratios) ** (1 / len(ratios))


def share(rate: float, size: int, bandwidth: float) -> float:
    """The share of what the memory allows: each token of a single stream reads the `size` bytes of the model once."""
    return rate * size / bandwidth


def _prompt(model: str, text: str, tokens: int) -> Prompt:
    return Prompt(model=model, turns=(Turn("user", text),), sampling=Sampling(temperature=0.0, max_tokens=tokens))


async def _long(engine: Engine, model: str, number: int, wanted: int) -> Prompt:
    """An admitted prompt of about `wanted` tokens, different from its beginning on for each number."""

    async def of(lines: int) -> Prompt:
        text = "\n".join(_line(number, place) for place in range(lines)) + "\nWhich of these is the oldest?"
        return await engine.admit(_prompt(model, text, 1))

    lines = 8
    prompt = await of(lines)
    for _ in range(3):  # what stands around the lines counts too
        lines = max(1, round(lines * wanted / len(prompt.tokens)))
        prompt = await of(lines)
    return prompt


def _line(number: int, place: int) -> str:
    first, second = (_WORDS[(number + place * step) % len(_WORDS)] for step in (3, 7))
    return f"{number * 1000 + place}. The {first} behind the {second} was built in {1500 + (place * 37) % 500}."


async def _asked(engine: Engine, prompt: Prompt) -> tuple[float, int]:
    """Return the seconds to the first token of an answer, and the tokens that it had."""
    started, first = time.perf_counter(), 0.0
    async with aclosing(engine.generate(prompt)) as deltas:
        async for delta in deltas:
            first = first or time.perf_counter() - started
            if isinstance(delta, Stop):
                return first, delta.usage.output
    raise EngineFailed("The engine stopped in the middle of the answer.")


async def _rate(engine: Engine, model: str, streams: int, tokens: int, name: str) -> float:
    """Tokens a second of so many streams, with the time that their prompts take."""
    asked = [_prompt(model, f"{name}-{n}: Tell a long story about traveller {n}.", tokens) for n in range(streams)]
    started = time.perf_counter()
    answers: Sequence[tuple[float, int]] = await asyncio.gather(*(_asked(engine, prompt) for prompt in asked))
    return sum(count for _, count in answers) / (time.perf_counter() - started)

"""Prompts that were read are gone on from: exactly, within a project only, and for 24 hours where that is asked for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from freehold.core.ports import Engine
from freehold.core.prompt import Caching, Prompt, Sampling, Turn
from freehold.engines.registry import EngineSpec, open_engine
from tests.asking import said

LONG = "Here is a list of words. " + "apple river stone cloud " * 80
GREEDY = Sampling(temperature=0.0, max_tokens=12)


@asynccontextmanager
async def engine(path: Path, kept: Path | None = None) -> AsyncGenerator[Engine, None]:
    spec = EngineSpec(name="local", models=("smol",), slots=4, context=2048, pool=8192, kept=kept and str(kept))
    async with open_engine(spec, lambda name: path) as opened:
        yield opened


def prompt(text: str, owner: str = "a", lasting: bool = False) -> Prompt:
    caching = Caching(owner=owner, lasting=lasting)
    return Prompt(model="smol", turns=(Turn("user", text),), sampling=GREEDY, caching=caching)


@pytest.mark.timeout(600)
def test_a_prompt_that_was_read_is_gone_on_from_word_for_word(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:
            cold, first = await said(llama, prompt(LONG + "Say hello."))
            again, second = await said(llama, prompt(LONG + "Say hello."))
            other, third = await said(llama, prompt(LONG + "Name one of the words."))
            stranger, fourth = await said(llama, prompt(LONG + "Say hello.", owner="b"))
            assert cold == again == stranger
            assert other
            read = first.usage.input
            assert (first.usage.cached, second.usage.cached) == (0, read - 1)
            assert read - 30 < third.usage.cached < read
            assert fourth.usage.cached == 0
            assert fourth.usage.cache_write == read
            _, short = await said(llama, prompt("Say hello."))
            assert [stop.usage.cache_write for stop in (first, second, third, short)] == [read, 1, 0, 0]

    asyncio.run(main())


@pytest.mark.timeout(600)
def test_those_who_ask_at_once_share_what_one_of_them_reads(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:
            asked = [prompt(f"{LONG}{LONG} Say {word}.") for word in ("one", "two", "three", "four")]
            stops = [stop for _, stop in await asyncio.gather(*(said(llama, one) for one in asked))]
            cached = sorted(stop.usage.cached for stop in stops)
            assert cached[0] == 0
            assert cached[1] > 600

    asyncio.run(main())


@pytest.mark.timeout(600)
def test_what_is_to_last_is_there_after_a_restart_for_its_project(smollm2: Path, tmp_path: Path) -> None:
    async def before() -> None:
        async with engine(smollm2, tmp_path) as llama:
            assert llama.models[0].lasting
            await said(llama, prompt(LONG, lasting=True))
            await said(llama, prompt("Not to be kept. " + LONG))

    async def after() -> None:
        async with engine(smollm2, tmp_path) as llama:
            text, stop = await said(llama, prompt(LONG))
            assert text
            assert stop.usage.cached == stop.usage.input - 1
            assert (await said(llama, prompt(LONG, owner="b")))[1].usage.cached == 0
            assert (await said(llama, prompt("Not to be kept. " + LONG)))[1].usage.cached < 30

    async def damaged() -> None:
        async with engine(smollm2, tmp_path) as llama:
            text, stop = await said(llama, prompt(LONG))
            assert (bool(text), stop.usage.cached) == (True, 0)

    asyncio.run(before())
    asyncio.run(after())
    (state,) = tmp_path.rglob("*.state")
    state.write_bytes(state.read_bytes()[:-1000])
    asyncio.run(damaged())
    assert not list(tmp_path.rglob("*.state"))

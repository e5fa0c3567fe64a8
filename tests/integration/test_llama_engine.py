"""The embedded engine with a real model: SmolLM2-135M."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from msgspec import json
from msgspec.structs import replace

from freehold.core.deltas import Stop, Thought
from freehold.core.errors import EngineBusy, EngineFailed, Invalid, NotFound
from freehold.core.ports import Engine
from freehold.core.prompt import Begun, Function, JsonFormat, Prompt, Sampling, Turn
from freehold.engines.parsers.thoughts import DOUBT, least
from freehold.engines.registry import EngineSpec, open_engine
from tests.asking import said

GREEDY = Sampling(temperature=0.0, max_tokens=12)
LONG = "Here is a list of words. " + "apple river stone cloud " * 100 + "Say hello."


@asynccontextmanager
async def engine(
    path: Path, slots: int = 4, queue: int = 64, context: int = 2048, pool: int = 4096
) -> AsyncGenerator[Engine, None]:
    spec = EngineSpec(name="local", models=("smol",), slots=slots, queue=queue, context=context, pool=pool)
    async with open_engine(spec, lambda name: path) as opened:
        yield opened


def prompt(text: str, sampling: Sampling = GREEDY) -> Prompt:
    return Prompt(model="smol", turns=(Turn("user", text),), sampling=sampling)


async def idle(by: Engine, within: float) -> float:
    """Return the seconds until nothing runs any more; fails when that takes longer than `within`."""
    start = time.monotonic()
    async with asyncio.timeout(within):
        while by.load.running:  # noqa: ASYNC110 - what is measured is what a caller of `load` can see
            await asyncio.sleep(0.001)
    return time.monotonic() - start


def workers() -> list[psutil.Process]:
    """Return the processes that run the model."""
    return [child for child in psutil.Process().children() if "freehold.engines.worker.host" in child.cmdline()]


def the_worker() -> psutil.Process:
    """Return the one process that runs the model."""
    (worker,) = workers()
    return worker


def test_says_what_it_serves(smollm2: Path) -> None:
    created = int(smollm2.stat().st_mtime)

    async def main() -> None:
        async with engine(smollm2, context=1024) as llama:
            (served,) = llama.models
            assert (served.name, served.context, served.max_output) == ("smol", 1024, 512)
            assert served.created == created
            assert served.backend.startswith("llama.cpp (xllamacpp 2026.")
            assert served.fingerprint.startswith("fp_")
            assert len(served.fingerprint) == 13
            assert (served.temperature, served.top_p) == (0.7, 0.9)
            with pytest.raises(NotFound):
                await llama.admit(Prompt(model="other", turns=()))

    asyncio.run(main())


def test_answers_the_same_greedily_and_counts_exactly(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:
            asked = await llama.admit(prompt("What is the capital of France?"))
            first, stop = await said(llama, asked)
            assert len(first.split()) >= 3
            assert stop.usage.input == len(asked.tokens)
            assert (await said(llama, asked))[0] == first
            for limit in (1, 7, 33):
                story = prompt("Write a long story.", Sampling(temperature=0.0, max_tokens=limit))
                _, stop = await said(llama, story)
                assert (stop.reason, stop.usage.output) == ("length", limit)

    asyncio.run(main())


def test_ends_by_itself_and_at_a_stop_sequence(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:
            text, stop = await said(llama, prompt("Say hi.", Sampling(temperature=0.0, max_tokens=400)))
            assert stop.reason == "stop"
            assert stop.usage.output < 400
            third = text.split()[2]
            limits = Sampling(temperature=0.0, max_tokens=400, stop=("no such words", third))
            cut, stop = await said(llama, prompt("Say hi.", limits))
            assert stop.reason == "stop"
            assert cut == text[: text.index(third)]

    asyncio.run(main())


def test_a_thought_that_ends_far_below_its_budget_goes_on(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:

            async def think(budget: int) -> tuple[int, str]:
                asked = replace(prompt("Say hi.", replace(GREEDY, max_tokens=budget + 16)), thinking=budget)
                deltas = [delta async for delta in llama.generate(asked)]
                assert isinstance(deltas[-1], Stop)
                thought = "".join(delta.text for delta in deltas if isinstance(delta, Thought))
                return deltas[-1].usage.reasoning, thought

            short, long = await think(32), await think(1_024)
            assert 0 < short[0] <= 32 and DOUBT not in short[1]
            assert least(1_024) <= long[0] <= 1_024 and DOUBT in long[1]
            assert not long[1].endswith(DOUBT)

    asyncio.run(main())


def test_a_seed_makes_chance_repeatable(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:

            async def tale(seed: int) -> str:
                sampling = Sampling(temperature=1.5, top_p=1.0, seed=seed, max_tokens=16)
                return (await said(llama, prompt("Tell me a story.", sampling)))[0]

            await tale(0)
            assert await tale(1) == await tale(1)
            assert await tale(1) != await tale(2)

    asyncio.run(main())


def test_the_same_long_prefix_is_computed_once(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:
            _, first = await said(llama, prompt(LONG, Sampling(temperature=0.0, max_tokens=2)))
            _, second = await said(llama, prompt(LONG + " And bye.", Sampling(temperature=0.0, max_tokens=2)))
            assert first.usage.cached == 0
            assert 350 < second.usage.cached < second.usage.input

    asyncio.run(main())


def test_more_answers_than_slots_all_come(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2, slots=4) as llama:
            answers = [asyncio.create_task(said(llama, prompt(f"Count from {n}."))) for n in range(12)]
            await asyncio.sleep(0.05)
            assert llama.load.running <= 4
            ends = await asyncio.gather(*answers)
            assert all(1 <= stop.usage.output <= 12 and text for text, stop in ends)
            assert llama.load.running == llama.load.waiting == 0

    asyncio.run(main())


def test_a_full_line_is_refused_before_anything_is_counted(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2, slots=1, queue=0) as llama:
            running = llama.generate(prompt("Write a long story.", Sampling(max_tokens=400)))
            await anext(running)
            with pytest.raises(EngineBusy):
                await llama.admit(prompt("Hello"))
            await running.aclose()
            await idle(llama, 2.0)
            assert (await said(llama, prompt("Hello")))[0]

    asyncio.run(main())


def test_closing_an_answer_frees_its_slot(smollm2: Path) -> None:
    async def main() -> list[float]:
        times = []
        async with engine(smollm2, slots=1) as llama:
            for _ in range(5):
                running = llama.generate(prompt("Write a long story.", Sampling(max_tokens=400)))
                for _ in range(3):
                    await anext(running)
                await running.aclose()
                times.append(await idle(llama, 2.0))
        return times

    assert sorted(asyncio.run(main()))[2] < 0.1


def test_an_answer_that_nobody_waits_for_is_stopped_while_its_prompt_is_read(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:
            task = asyncio.create_task(said(llama, prompt(LONG * 4, Sampling(max_tokens=200))))
            while not llama.load.running:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.wait([task])
            await idle(llama, 5.0)
            assert task.cancelled()

    asyncio.run(main())


def test_answers_that_fill_the_shared_memory_all_come_to_their_end(smollm2: Path) -> None:
    """A slot that still holds a long prompt, and new prompts that need its room while it is being reused."""

    async def main() -> None:
        async with engine(smollm2, slots=4, context=1024, pool=1024) as llama:
            await said(llama, prompt("a " * 980, Sampling(temperature=0.0, max_tokens=4)))
            sampling = Sampling(temperature=0.0, max_tokens=20)
            texts = [f"{n} tell me a long story" + " x" * (60 * n) for n in range(4)]
            ends = await asyncio.gather(*(said(llama, prompt(text, sampling)) for text in texts))
            assert all(1 <= stop.usage.output <= 20 for _, stop in ends)

    asyncio.run(main())


def test_an_answer_stops_where_the_context_ends(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2, slots=1, context=256, pool=256) as llama:
            asked = await llama.admit(prompt("a " * 200, Sampling(temperature=0.0, max_tokens=4000)))
            _, stop = await said(llama, asked)
            assert (stop.reason, stop.usage.input + stop.usage.output) == ("length", 256)

    asyncio.run(main())


def test_a_prompt_that_is_too_long_is_refused_in_openais_words(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2, context=256, pool=256) as llama:
            with pytest.raises(Invalid) as refusal:
                await llama.admit(prompt("word " * 400))
            assert refusal.value.message == (
                "This model's maximum context length is 256 tokens. However, your messages resulted in 431 tokens. "
                "Please reduce the length of the messages."
            )
            assert (refusal.value.code, refusal.value.param) == ("context_length_exceeded", "input")

    asyncio.run(main())


def test_a_killed_worker_fails_its_answers_at_once_and_comes_back(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as llama:
            running = llama.generate(prompt("Write a long story.", Sampling(max_tokens=400)))
            await anext(running)
            killed = the_worker()
            os.kill(killed.pid, signal.SIGKILL)
            start = time.monotonic()
            with pytest.raises(EngineFailed, match="ended in the middle of the request"):
                while True:
                    await anext(running)
            assert time.monotonic() - start < 1.0
            assert llama.load.running == 0
            text, _ = await said(llama, prompt("What is the capital of France?"))
            assert text
            assert the_worker().pid != killed.pid

    asyncio.run(main())


@pytest.mark.parametrize(
    ("keep", "reason"), [(0, "it is not a GGUF file"), (50_000, "cut off"), (50_000_000, "corrupted or incomplete")]
)
def test_a_broken_file_fails_the_start_with_its_reason(smollm2: Path, tmp_path: Path, keep: int, reason: str) -> None:
    async def main() -> None:
        with pytest.raises(EngineFailed, match=f"The model 'smol' could not be loaded from .*{reason}"):
            async with engine(broken):
                pass

    broken = tmp_path / "broken.gguf"
    with smollm2.open("rb") as file:
        broken.write_bytes(file.read(keep) or b"not a model")
    asyncio.run(main())


def test_a_model_whose_spaces_are_misread_in_grammars_is_held_to_nothing(tiny_model: Path, smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as held:
            assert held.models[0].constrained
        async with engine(tiny_model) as free:
            assert not free.models[0].constrained
            offered = replace(prompt("call f"), functions=(Function(name="f"),))
            _, stop = await said(free, offered)
            assert stop.usage.output == 12

    asyncio.run(main())


def test_goes_on_behind_what_was_said(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as by:
            asked = prompt("Count from one to twenty.", Sampling(temperature=0.0, max_tokens=24))
            whole, stop = await said(by, asked)
            for size in (whole.index(" "), whole.index(" ", len(whole) // 2), len(whole)):
                rest, end = await said(by, replace(asked, begun=Begun(said=(whole[:size],))))
                assert rest == whole[size:]
                assert (end.reason, end.usage.input, end.usage.output) == (stop.reason, stop.usage.input, 24)

    asyncio.run(main())


def test_goes_on_in_the_middle_of_a_schema(smollm2: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer"}, "coast": {"type": "boolean"}},
        "required": ["city", "people", "coast"],
        "additionalProperties": False,
    }

    async def main() -> None:
        async with engine(smollm2) as by:
            asked = replace(
                prompt("Describe Oslo.", Sampling(temperature=0.0, max_tokens=120)),
                format=JsonFormat(schema=schema, name="town", strict=True),
            )
            whole, _ = await said(by, asked)
            for size in (1, 9, len(whole) - 4):
                rest, end = await said(by, replace(asked, begun=Begun(said=(whole[:size],))))
                assert set(json.decode(whole[:size] + rest)) == {"city", "people", "coast"}
                assert end.reason == "stop" and 0 < end.usage.output < 120

    asyncio.run(main())


def test_batches_have_a_process_of_their_own_that_people_do_not_wait_for(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as local:
            alone, _ = await said(local, prompt("Say hello."))
            (first,) = workers()
            batch = replace(prompt("Count to a hundred.", Sampling(temperature=0.0, max_tokens=200)), batch=True)
            going = asyncio.create_task(said(local, batch))
            async with asyncio.timeout(30):
                while len(workers()) < 2:  # noqa: ASYNC110 - processes have no event
                    await asyncio.sleep(0.01)
            assert (await said(local, prompt("Say hello.")))[0] == alone
            text, stop = await going
            assert text
            assert stop.usage.output > 12
            (second,) = (worker for worker in workers() if worker.pid != first.pid)
            assert second.nice() == 19

    asyncio.run(main())

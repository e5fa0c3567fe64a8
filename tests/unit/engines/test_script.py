"""The script engine: its words, its limits and its crash on demand."""

import asyncio
import time

import pytest

from freehold.core.deltas import Delta, Stop, Text, Usage
from freehold.core.errors import EngineBusy, EngineFailed, Invalid
from freehold.core.prompt import Prompt, Sampling, Turn
from freehold.engines.gate import Gate
from freehold.engines.script import CONTEXT, ScriptEngine


def engine(rate: float = 0.0, slots: int = 4, queue: int = 4) -> ScriptEngine:
    return ScriptEngine(("script",), Gate(slots, queue), rate)


def prompt(text: str, sampling: Sampling | None = None) -> Prompt:
    return Prompt(model="script", turns=(Turn("user", text),), sampling=sampling or Sampling())


async def said(asked: Prompt, by: ScriptEngine | None = None) -> list[Delta]:
    return [delta async for delta in (by or engine()).generate(asked)]


def test_says_the_last_user_turn_word_by_word() -> None:
    turns = (
        Turn("user", "no"),
        Turn("assistant", "nor this"),
        Turn("user", " one  two\nthree"),
        Turn("assistant", "x"),
    )
    deltas = asyncio.run(said(Prompt(model="script", turns=turns)))
    assert deltas[:-1] == [Text(" one  "), Text("two\n"), Text("three")]
    assert deltas[-1] == Stop("stop", Usage(input=7, output=3))


def test_has_nothing_to_say_to_nothing() -> None:
    turns = (Turn("system", "be brief"),)
    assert asyncio.run(said(Prompt(model="script", turns=turns))) == [Stop("stop", Usage(input=2))]


@pytest.mark.parametrize(
    ("sampling", "text", "reason"),
    [
        (Sampling(max_tokens=2), "one two ", "length"),
        (Sampling(max_tokens=4), "one two three four", "stop"),
        (Sampling(max_tokens=0), "", "length"),
        (Sampling(stop=("thr",)), "one two ", "stop"),
        (Sampling(stop=("four", "e t")), "on", "stop"),
        (Sampling(stop=("three",), max_tokens=2), "one two ", "length"),
        (Sampling(stop=("five",)), "one two three four", "stop"),
    ],
)
def test_keeps_to_max_tokens_and_stop(sampling: Sampling, text: str, reason: str) -> None:
    *words, stop = asyncio.run(said(prompt("one two three four", sampling)))
    assert "".join(word.text for word in words if isinstance(word, Text)) == text
    assert isinstance(stop, Stop)
    assert (stop.reason, stop.usage.output) == (reason, len(words))


def test_crashes_when_told_to() -> None:
    async def main() -> list[Delta]:
        deltas: list[Delta] = []
        with pytest.raises(EngineFailed, match="after 3 words"):
            deltas.extend([delta async for delta in collected(deltas)])
        return deltas

    async def collected(into: list[Delta]):
        async for delta in engine().generate(prompt("!crash after 3 left right")):
            into.append(delta)
            if isinstance(delta, Stop):
                yield delta

    assert asyncio.run(main()) == [Text("left "), Text("right "), Text("left ")]


def test_does_not_crash_before_a_limit_that_comes_first() -> None:
    deltas = asyncio.run(said(prompt("!crash after 3", Sampling(max_tokens=1))))
    assert deltas == [Text("word "), Stop("length", Usage(input=3, output=1))]


def test_speaks_at_its_rate() -> None:
    start = time.monotonic()
    asyncio.run(said(prompt("a b c d e"), engine(rate=50.0)))
    assert 0.1 <= time.monotonic() - start < 2.0


def test_refuses_a_prompt_beyond_its_context() -> None:
    with pytest.raises(
        Invalid, match=f"maximum context length is {CONTEXT} tokens.*resulted in {CONTEXT} tokens"
    ) as no:
        asyncio.run(engine().admit(prompt("w " * CONTEXT)))
    assert (no.value.code, no.value.param) == ("context_length_exceeded", "input")


def test_is_busy_when_its_line_is_full_and_free_when_an_answer_is_closed() -> None:
    async def main() -> None:
        full = engine(slots=1, queue=0)
        running = full.generate(prompt("a b c"))
        assert await anext(running) == Text("a ")
        assert full.load.running == 1
        with pytest.raises(EngineBusy):
            await full.admit(prompt("hello"))
        with pytest.raises(EngineBusy):
            await said(prompt("hello"), full)
        await running.aclose()
        assert full.load.running == 0
        assert len(await said(prompt("hello"), full)) == 2

    asyncio.run(main())


def test_lets_other_tasks_run_while_it_is_as_fast_as_it_can() -> None:
    async def main() -> None:
        task = asyncio.create_task(said(prompt("w " * 16_000)))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10

    asyncio.run(main())

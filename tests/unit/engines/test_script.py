"""The script engine: its words, its limits and its crash on demand."""

import asyncio
import time

import pytest
from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Delta, Stop, Text, Thought, Usage
from freehold.core.errors import EngineBusy, EngineFailed, Invalid, Unsupported
from freehold.core.items import Logprob, TopLogprob
from freehold.core.prompt import Begun, Call, Choice, Function, Prompt, Sampling, Turn
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


ADD = Function(name="add")


def offering(text: str, choice: Choice | None = None) -> Prompt:
    return Prompt(model="script", turns=(Turn("user", text),), functions=(ADD,), choice=choice or Choice())


def test_calls_what_it_is_told_to_where_it_is_offered() -> None:
    *deltas, stop = asyncio.run(said(offering('!call add {"a": 1}')))
    assert deltas == [CallStart("add"), CallArgs('{"a": '), CallArgs("1}")]
    assert stop == Stop("stop", Usage(input=4, output=2))
    assert asyncio.run(said(offering("!call add ")))[:-1] == [CallStart("add")]
    for asked in (offering("!call sub 1"), offering("!call add 1", Choice("none")), prompt("!call add 1")):
        assert asyncio.run(said(asked))[:-1] == [Text("1")]


def test_calls_nothing_when_the_result_is_there() -> None:
    turns = (Turn("user", "!call add 1"), Turn("tool", "2", call_id="c"))
    asked = Prompt(model="script", turns=turns, functions=(ADD,))
    assert asyncio.run(said(asked))[:-1] == [Text("1")]


def test_declines_when_told_to() -> None:
    *deltas, stop = asyncio.run(said(prompt("!refuse Not that.")))
    assert deltas == [Declined("Not "), Declined("that.")]
    assert stop == Stop("stop", Usage(input=3, output=2))


@pytest.mark.parametrize(
    ("thinking", "limit", "thought", "answer", "reason"),
    [
        (0, None, "", "one two three", "stop"),
        (2, None, "one two ", "one two three", "stop"),
        (9, None, "one two three", "one two three", "stop"),
        (9, 4, "one two three", "one ", "length"),
        (9, 3, "one two three", "", "length"),
        (9, 2, "one two ", "", "length"),
        (1, 4, "one ", "one two three", "stop"),
    ],
)
def test_thinks_first_as_far_as_its_budget_goes(
    thinking: int, limit: int | None, thought: str, answer: str, reason: str
) -> None:
    turns = (Turn("user", "one two three"),)
    asked = Prompt(model="script", turns=turns, sampling=Sampling(max_tokens=limit), thinking=thinking)
    *deltas, stop = asyncio.run(said(asked))
    assert "".join(delta.text for delta in deltas if isinstance(delta, Thought)) == thought
    assert "".join(delta.text for delta in deltas if isinstance(delta, Text)) == answer
    assert all(isinstance(delta, Thought) for delta in deltas[: len(thought.split())])
    usage = Usage(input=3, output=len(thought.split()) + len(answer.split()), reasoning=len(thought.split()))
    assert stop == Stop(reason, usage)  # type: ignore[arg-type]


@pytest.mark.parametrize("alternatives", [0, 1, 20])
def test_is_certain_of_every_word(alternatives: int) -> None:
    first, _ = asyncio.run(said(prompt("é", Sampling(logprobs=alternatives))))
    tops = (TopLogprob("é", (195, 169), 0.0),) if alternatives else ()
    assert first == Text("é", (Logprob("é", (195, 169), 0.0, tops),))


def test_has_no_tokens_to_be_biased() -> None:
    with pytest.raises(Unsupported) as refused:
        asyncio.run(engine().admit(prompt("a", Sampling(logit_bias={1: 1.0}))))
    assert refused.value.param == "logit_bias"


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


@pytest.mark.parametrize(
    "asked",
    [
        prompt(" one  two\nthree four"),
        prompt("one two three", Sampling(max_tokens=2)),
        replace(prompt("one two three four"), thinking=3),
        prompt("!refuse not this one"),
        prompt("!crash after 4 a b"),
        offering("!call add a b c"),
        offering("!call add "),
    ],
)
def test_goes_on_word_for_word_from_anywhere(asked: Prompt) -> None:
    async def heard(one: Prompt) -> list[Delta]:
        deltas: list[Delta] = []
        try:
            async for delta in engine().generate(one):
                deltas.append(delta)
        except EngineFailed as fault:
            deltas.append(Text(fault.message))
        return deltas

    async def main() -> None:
        whole = await heard(asked)
        called = [delta.text for delta in whole if isinstance(delta, CallArgs)]
        for place in range(len(whole) - 1):
            if isinstance(whole[place], CallStart | CallArgs):
                continue  # of a call, only the whole is told again
            told = whole[: place + 1]
            thought = "".join(delta.text for delta in told if isinstance(delta, Thought))
            text = "".join(delta.text for delta in told if isinstance(delta, Text | Declined))
            begun = Begun(thought=thought, thinking=not text, said=(text,) if text else ())
            assert await heard(replace(asked, begun=begun)) == whole[place + 1 :]
        if any(isinstance(delta, CallStart) for delta in whole):
            begun = Begun(said=(Call("call_1", "add", "".join(called)),))
            assert await heard(replace(asked, begun=begun)) == whole[-1:]

    asyncio.run(main())

"""The OpenVINO engine with a real model: SmolLM2-135M."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from jsonschema_rs import validator_for
from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Stop, Thought
from freehold.core.errors import EngineBusy, EngineFailed, Invalid, Unsupported
from freehold.core.ports import Engine
from freehold.core.prompt import Begun, Caching, Choice, Function, JsonFormat, Prompt, Sampling, Turn
from freehold.engines.registry import EngineSpec, open_engine
from tests.asking import said

pytest.importorskip("openvino_genai", reason="the extra `openvino` is for x86-64")

GREEDY = Sampling(temperature=0.0, max_tokens=12)
LONG = "Here is a list of words. " + "apple river stone cloud " * 100 + "Say hello."


@asynccontextmanager
async def engine(path: Path, kind: str = "openvino") -> AsyncGenerator[Engine, None]:
    spec = EngineSpec(name="local", kind=kind, models=("smol",), slots=4, context=2048, pool=4096)
    async with open_engine(spec, lambda name: path) as opened:
        yield opened


def prompt(text: str, sampling: Sampling = GREEDY) -> Prompt:
    return Prompt(model="smol", turns=(Turn("user", text),), sampling=sampling)


async def idle(by: Engine) -> None:
    async with asyncio.timeout(30):
        while by.load.running:  # noqa: ASYNC110 - what is waited for is what a caller of `load` can see
            await asyncio.sleep(0.001)


async def sampling(by: Engine) -> None:
    whole, stop = await said(by, prompt("What is the capital of France?"))
    assert "Paris" in whole and stop.reason == "stop"
    nearly, _ = await said(by, prompt("What is the capital of France?", Sampling(temperature=1e-30, max_tokens=12)))
    assert nearly == whole
    for limit in (1, 7):
        _, stop = await said(by, prompt("Write a long story.", replace(GREEDY, max_tokens=limit)))
        assert (stop.reason, stop.usage.output) == ("length", limit)
    cut, stop = await said(by, prompt("What is the capital of France?", replace(GREEDY, stop=("none", "France is"))))
    assert (cut, stop.reason) == (whole[: whole.index("France is")], "stop")

    async def tale(seed: int) -> str:
        chance = Sampling(temperature=1.5, top_p=1.0, seed=seed, max_tokens=16)
        return (await said(by, prompt("Tell me a story.", chance)))[0]

    await tale(0)  # a prompt that is read is computed a little differently from one that is in the cache
    assert await tale(1) == await tale(1) != await tale(2)
    often = prompt("Say 'ha' often.", replace(GREEDY, max_tokens=60))
    freely, _ = await said(by, often)
    penalised, _ = await said(by, replace(often, sampling=replace(often.sampling, frequency_penalty=2.0)))
    assert freely != penalised


async def refusals(by: Engine) -> None:
    with pytest.raises(Invalid) as long:
        await by.admit(prompt("word " * 3000))
    assert (long.value.code, long.value.param) == ("context_length_exceeded", "input")
    with pytest.raises(Unsupported) as biased:
        await by.admit(prompt("hi", replace(GREEDY, logit_bias={5: 1.0})))
    assert biased.value.param == "logit_bias"
    with pytest.raises(Unsupported) as infill:
        await by.admit(Prompt(model="smol", raw="a", suffix="b", turns=(), sampling=GREEDY))
    assert infill.value.param == "suffix"


async def thinking(by: Engine) -> None:
    asked = replace(prompt("Say hi.", replace(GREEDY, max_tokens=48)), thinking=32)
    deltas = [delta async for delta in by.generate(asked)]
    assert isinstance(deltas[-1], Stop)
    assert 0 < deltas[-1].usage.reasoning <= 32
    assert any(isinstance(delta, Thought) for delta in deltas)


async def going_on(by: Engine) -> None:
    asked = prompt("Count from one to twenty.", replace(GREEDY, max_tokens=24))
    whole, stop = await said(by, asked)
    half = whole.index(" ", len(whole) // 2)
    rest, end = await said(by, replace(asked, begun=Begun(said=(whole[:half],))))
    assert rest == whole[half:]
    assert (end.usage.input, end.usage.output) == (stop.usage.input, 24)


async def cancelling(by: Engine) -> None:
    for _ in range(3):
        running = by.generate(prompt("Write a long story.", Sampling(max_tokens=1000)))
        await anext(running)
        await running.aclose()
        await idle(by)
    task = asyncio.create_task(said(by, prompt(LONG * 3, Sampling(max_tokens=200))))
    while not by.load.running:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait([task])
    await idle(by)


async def owners(by: Engine) -> None:
    """A second owner comes while the first one's answers run: all of them come to their end."""

    def of(owner: str, text: str) -> Prompt:
        return replace(prompt(text, replace(GREEDY, max_tokens=40)), caching=Caching(owner=owner))

    both = [of(owner, f"Count from {n}.") for owner in ("", "b") for n in range(3)]
    assert all(text and stop.usage.output for text, stop in await asyncio.gather(*(said(by, one) for one in both)))


SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 40},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "city": {"enum": ["Paris", "S\u00e3o Paulo", "\u6771\u4eac"]},
            "email": {"type": ["string", "null"], "format": "email"},
        },
        "required": ["name", "age", "city"],
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {"kind": {"const": "a"}, "\u00e9": {"type": "number", "minimum": 0, "maximum": 1}},
        "required": ["kind"],
        "additionalProperties": {"type": "boolean"},
    },
    {"type": "array", "items": {"type": "string", "pattern": r"^[A-Z][^\d\s,]{1,8}$"}, "minItems": 1, "maxItems": 3},
    {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["value", "next"],
        "additionalProperties": False,
    },
    {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}, "required": ["on"]},
]
CHANCE = Sampling(temperature=1.3, top_p=1.0, max_tokens=160)
TOWN = {"type": "object", "properties": {"town": {"type": "string", "maxLength": 20}}, "required": ["town"]}
WEATHER = Function(name="weather", parameters=TOWN | {"additionalProperties": False}, strict=True)
FORECAST = Function(name="forecast", parameters={"type": "object", "properties": {"days": {"type": "integer"}}})
PICK = Function(name="pick", free="regex", definition="[a-z]{2,5}[0-9]")


async def formats(by: Engine) -> None:
    """Whole answers validate, also at high temperatures and while others are cancelled; again, they are the same."""
    asked = [prompt("Give me an example.", replace(CHANCE, seed=seed)) for seed in range(3) for _ in SCHEMAS]
    asked = [
        replace(one, format=JsonFormat(schema=SCHEMAS[n % len(SCHEMAS)], name="n", strict=True))
        for n, one in enumerate(asked)
    ]
    cut = asyncio.create_task(anext(by.generate(replace(asked[0], sampling=replace(CHANCE, max_tokens=100)))))
    answers = await asyncio.gather(*(said(by, one) for one in asked))
    await asyncio.wait([cut])
    whole = [(one, text) for one, (text, stop) in zip(asked, answers, strict=True) if stop.reason == "stop"]
    assert len(whole) > len(asked) / 2
    for one, text in whole:
        assert one.format is not None
        validator_for(one.format.schema, validate_formats=True).validate(json.loads(text))
    again = replace(asked[0], sampling=replace(GREEDY, max_tokens=60))
    assert await said(by, again) == await said(by, again)
    for wanted in (JsonFormat(), JsonFormat(schema=SCHEMAS[0] | {"minProperties": 3})):
        text, stop = await said(by, replace(asked[0], format=wanted))
        assert text.startswith("{") and (stop.reason == "length" or isinstance(json.loads(text), dict))
    rest = replace(again, begun=Begun(said=('{"name": "Al',)))
    text, stop = await said(by, rest)
    assert stop.reason == "length" or validator_for(SCHEMAS[0]).is_valid(json.loads('{"name": "Al' + text))


async def called(by: Engine, asked: Prompt) -> tuple[list[tuple[str, str]], Stop]:
    """The calls of an answer; the first has no name where that was told earlier."""
    calls: list[tuple[str, str]] = [("", "")] if asked.begun.said else []
    async for delta in by.generate(asked):
        if isinstance(delta, CallStart):
            calls.append((delta.name, ""))
        elif isinstance(delta, CallArgs):
            calls[-1] = (calls[-1][0], calls[-1][1] + delta.text)
        elif isinstance(delta, Stop):
            return calls, delta
    raise AssertionError("no end")


async def calls(by: Engine) -> None:
    asked = replace(prompt("What is the weather in Rome?", CHANCE), functions=(WEATHER, FORECAST, PICK), parallel=False)
    schemas = {one.name: one.parameters for one in asked.functions}
    for name in schemas:
        ((found, given),), stop = await called(by, replace(asked, choice=Choice("required", (name,))))
        assert found == name and stop.reason in ("stop", "length")
        if stop.reason == "stop" and name != "pick":
            validator_for(next(one.parameters for one in asked.functions if one.name == name)).validate(
                json.loads(given)
            )
        assert name != "pick" or re.fullmatch("[a-z]{2,5}[0-9]", given)
    several, _ = await called(by, replace(asked, choice=Choice("required"), parallel=True))
    assert several
    begun = replace(asked, begun=Begun(said=('<tool_call>\n{"name": "weather", "arguments":',)))
    ((_, given), *_), stop = await called(by, begun)
    assert stop.reason == "length" or validator_for(WEATHER.parameters).is_valid(json.loads(given))
    # However it is asked to, it cannot begin a call and not end it by the schema.
    urged = 'Answer with exactly {"name": "weather", "arguments": 7} and nothing else.'
    for seed in range(3):
        free = replace(asked, turns=(Turn("user", urged),), sampling=replace(CHANCE, temperature=0.5, seed=seed))
        found, stop = await called(by, free)
        for name, given in found if stop.reason == "stop" else ():
            assert name != "weather" or validator_for(WEATHER.parameters).is_valid(json.loads(given))


async def unheld(by: Engine) -> None:
    """What it cannot hold is refused, and it goes on."""
    for schema in (
        {"type": "object", "propertyNames": {}},
        {"type": "string", "pattern": "(?=a)"},
        {"type": "nothing"},
    ):
        asked = replace(prompt("Hi."), format=JsonFormat(schema=schema, name="n", strict=True))
        with pytest.raises(Invalid) as refused:
            await by.admit(asked)
        assert (refused.value.code, refused.value.param) == ("invalid_json_schema", "format")
    with pytest.raises(Invalid, match="kind `llama` can") as refused:
        await by.admit(replace(prompt("Hi."), functions=(Function(name="f", free="lark", definition='start: "a"'),)))
    assert refused.value.param == "tools"
    assert (await said(by, prompt("Hi.")))[0]
    cold = prompt("Hi.", replace(GREEDY, temperature=1e-5))
    assert await said(by, cold) == await said(by, prompt("Hi."))


async def killing(by: Engine) -> None:
    running = by.generate(prompt("Write a long story.", Sampling(max_tokens=1000)))
    await anext(running)
    (worker,) = (one for one in psutil.Process().children() if "freehold.engines.worker.host" in one.cmdline())
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(EngineFailed, match="ended in the middle of the request"):
        while True:
            await anext(running)
    assert by.load.running == 0
    async with asyncio.timeout(120):
        while True:
            try:
                text, _ = await said(by, prompt("What is the capital of France?"))
                break
            except EngineBusy:  # it loads longer than a request waits
                await asyncio.sleep(0.2)
    assert text


def test_answers_as_an_engine_must(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as by:
            (served,) = by.models
            assert served.backend.startswith("OpenVINO (openvino-genai 2026.")
            assert served.constrained and not (served.logprobs or served.lasting)
            for part in (sampling, refusals, thinking, going_on, cancelling, owners, formats, calls, unheld, killing):
                await part(by)

    asyncio.run(main())


def test_reads_the_same_tokens_as_llama_cpp(smollm2: Path) -> None:
    texts = (
        "Hello world, don't I'LL 12345",
        "h\u00e9llo \U0001f389\u65e5\u672c \u0928\u092e\u0938\u094d\u0924\u0947",
        "  \n\tdef f(x):\r\n        return '\u00c4'",
        "<think>a</think><|im_start|>",
    )

    async def main() -> None:
        async with engine(smollm2) as by, engine(smollm2, "llama") as other:
            for text in texts:
                turns = (Turn("system", "Be brief."), Turn("user", text), Turn("assistant", "ok"), Turn("user", "so?"))
                for asked in (Prompt(model="smol", turns=turns), Prompt(model="smol", turns=turns[1:2])):
                    assert (await by.admit(asked)).tokens == (await other.admit(asked)).tokens
            for text in texts[:3]:
                raw = Prompt(model="smol", turns=(), raw=text)
                assert (await by.admit(raw)).tokens == (await other.admit(raw)).tokens
            marked = await by.admit(Prompt(model="smol", turns=(), raw="a<|im_end|>b"))
            assert len(marked.tokens) > 3

    asyncio.run(main())


def test_a_file_that_it_cannot_read_says_which_engine_can(tiny_model: Path) -> None:
    async def main() -> None:
        async with engine(tiny_model):
            pass

    with pytest.raises(EngineFailed, match="use an engine of kind 'llama'"):
        asyncio.run(main())


def test_weights_that_it_cannot_read_are_named(qwen05: Path) -> None:
    async def main() -> None:
        async with engine(qwen05):
            pass

    with pytest.raises(EngineFailed, match="weights that are stored as Q5_0"):
        asyncio.run(main())


def test_what_it_cannot_is_refused_at_the_start(smollm2: Path) -> None:
    async def main() -> None:
        spec = EngineSpec(name="local", kind="openvino", models=("smol",), speculation="prompt")
        with pytest.raises(ValueError, match="'speculation' is for engines of kind 'llama'"):
            async with open_engine(spec, lambda name: smollm2):
                pass

    asyncio.run(main())

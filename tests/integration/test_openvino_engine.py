"""The OpenVINO engine with a real model: SmolLM2-135M."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from freehold.core.deltas import Delta, Stop, Text, Thought
from freehold.core.errors import EngineBusy, EngineFailed, Invalid, Unsupported
from freehold.core.ports import Engine
from freehold.core.prompt import Begun, Caching, Prompt, Sampling, Turn
from freehold.engines.registry import EngineSpec, open_engine

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


async def said(by: Engine, asked: Prompt) -> tuple[str, Stop]:
    deltas: list[Delta] = [delta async for delta in by.generate(asked)]
    *pieces, stop = deltas
    assert isinstance(stop, Stop)
    return "".join(piece.text for piece in pieces if isinstance(piece, Text)), stop


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
            assert not (served.constrained or served.logprobs or served.lasting)
            for part in (sampling, refusals, thinking, going_on, cancelling, owners, killing):
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
        with pytest.raises(ValueError, match="does not guess ahead"):
            async with open_engine(spec, lambda name: smollm2):
                pass

    asyncio.run(main())

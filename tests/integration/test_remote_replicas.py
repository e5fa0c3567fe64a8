"""The remote engine in front of several servers that are not all alike."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.deltas import Delta, Text
from freehold.core.errors import EngineBusy, NotFound, Unsupported
from freehold.core.prompt import Begun, Choice, Function, Prompt, Turn
from freehold.engines.registry import EngineSpec
from freehold.engines.remote.engine import RemoteEngine, open_remote
from freehold.engines.remote.replicas import FAILURES
from tests.house import nowhere
from tests.upstream import CHAT, Upstream, reply, stream, upstream, words, write

DEAD = write(b"", close=True)
REGEX = Function(name="date", free="regex", definition=r"\d+")


def asked(text: str = "hi", **more: Any) -> Prompt:
    return Prompt(model="m", turns=(Turn("user", text),), **more)


def run(
    main: Callable[[RemoteEngine, Upstream, Upstream], Awaitable[None]],
    owners: tuple[str, str] = ("nobody", "nobody"),
    **spec: Any,
) -> None:
    """Run a test with an engine in front of two upstreams, once both were asked what they are."""

    async def bounded() -> None:
        async with asyncio.timeout(30), upstream(owners[0]) as one, upstream(owners[1]) as other:
            for up in (one, other):
                up.answer(CHAT, stream(*words(up.url)))
            told = EngineSpec(name="e", kind="remote", urls=(one.url, other.url), abilities=(), **spec)
            async with open_remote(told, nowhere) as opened:
                assert isinstance(opened, RemoteEngine)
                await main(opened, one, other)

    asyncio.run(bounded())


async def answer(to: RemoteEngine, prompt: Prompt) -> list[Delta]:
    return [delta async for delta in to.generate(await to.admit(prompt))]


def test_one_that_does_not_know_the_model_is_no_failure() -> None:
    async def main(engine: RemoteEngine, one: Upstream, other: Upstream) -> None:
        missing = reply({"error": {"message": "no such model"}}, 404)
        one.answer(CHAT, missing)
        for number in range(FAILURES + 1):
            assert (await answer(engine, asked(str(number))))[0] == Text(other.url)
        assert not engine.upstreams.replicas[0].broken
        other.answer(CHAT, missing)
        with pytest.raises(NotFound):
            await answer(engine, asked("new"))

    run(main, models=("m",))


def test_one_that_does_not_list_the_model_is_not_asked() -> None:
    async def serve() -> None:
        async with asyncio.timeout(30), upstream() as one, upstream() as other:
            one.answer("/v1/models", reply({"data": [{"id": "n"}]}))
            other.answer(CHAT, stream(*words("m")))
            told = EngineSpec(name="e", kind="remote", urls=(one.url, other.url), abilities=())
            async with open_remote(told, nowhere) as opened:
                assert isinstance(opened, RemoteEngine)
                assert {model.name for model in opened.models} == {"m", "n"}
                assert (await answer(opened, asked()))[0] == Text("m")
                assert one.at(CHAT) == []

    asyncio.run(serve())


def test_what_only_some_of_them_can_is_refused() -> None:
    async def main(engine: RemoteEngine, one: Upstream, other: Upstream) -> None:
        held = asked(functions=(REGEX,), choice=Choice("required"))
        with pytest.raises(Unsupported):
            await engine.admit(held)
        with pytest.raises(Unsupported):
            await answer(engine, asked(begun=Begun(said=("Once",))))
        assert one.at(CHAT) == other.at(CHAT) == []

    run(main, ("vllm", "nobody"))


def test_where_one_cannot_count_the_other_does() -> None:
    async def main(engine: RemoteEngine, one: Upstream, other: Upstream) -> None:
        counted = asked(counted=True)
        one.answer("/tokenize", DEAD)
        other.answer("/tokenize", reply({"count": 3}))
        for _ in range(FAILURES + 1):
            assert len((await engine.admit(counted)).tokens) == 3
        assert engine.upstreams.replicas[0].broken
        assert [engine.upstreams.replicas[place].running for place in (0, 1)] == [0, 0]
        other.answer("/tokenize", reply("", 503, retry_after="7"))
        with pytest.raises(EngineBusy):
            await engine.admit(counted)

    run(main, ("vllm", "vllm"))


def test_a_prompt_goes_where_its_beginning_was_read() -> None:
    async def main(engine: RemoteEngine, one: Upstream, other: Upstream) -> None:
        first = await answer(engine, asked("story"))
        engine.upstreams.replicas[0].begin()  # so that the other one is the idlest
        begun = Prompt(model="m", turns=(Turn("user", "story"), Turn("assistant", "Once"), Turn("user", "on")))
        assert (await answer(engine, begun))[0] == first[0] == Text(one.url)
        assert (await answer(engine, asked("else")))[0] == Text(other.url)
        assert (await answer(engine, replace(begun, functions=(Function(name="f"),))))[0] == Text(other.url)
        engine.upstreams.replicas[0].leave()

    run(main)

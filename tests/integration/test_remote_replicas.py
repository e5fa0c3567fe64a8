"""The remote engine in front of several servers that are not all alike."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.deltas import Delta, Text
from freehold.core.errors import EngineBusy, Fault, NotFound, Unsupported
from freehold.core.prompt import Begun, Caching, Choice, Function, JsonFormat, Prompt, Turn
from freehold.engines.registry import EngineSpec
from freehold.engines.remote.engine import RemoteEngine, open_remote
from freehold.engines.remote.replicas import FAILURES
from tests.house import nowhere
from tests.upstream import CHAT, Answering, Upstream, hang, reply, said, stream, upstream, words, write

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


@pytest.mark.parametrize(
    "broken",
    [
        DEAD,
        hang,
        reply("", 500),
        reply("", 429),
        reply({"error": {"message": "wrong"}}, 400),
        reply("<html>", content_type="text/html"),
        stream(said(content="a"), then="cut"),
        stream(said(content="a"), then="hang"),
        stream(said(content="a"), said("abort")),
        stream(*words("not", "strict")),
    ],
    ids=["dead", "hanging", "500", "429", "400", "page", "cut", "silent", "abort", "loose"],
)
def test_whatever_happens_every_place_is_given_back(broken: Answering) -> None:
    schema = JsonFormat(schema={"type": "object", "additionalProperties": False}, name="n", strict=True)

    async def main(engine: RemoteEngine, one: Upstream, other: Upstream) -> None:
        for up in (one, other):
            up.answer(CHAT, broken)
        for number in range(3):
            with pytest.raises(Fault):
                await answer(engine, asked(str(number), format=schema))
        assert [engine.upstreams.replicas[place].running for place in (0, 1)] == [0, 0]
        assert (engine.load.running, engine.load.waiting) == (0, 0)

    run(main, models=("m",), dialect="vllm", first_seconds=0.2, silent_seconds=0.2)


def test_no_more_than_its_slots_are_under_way() -> None:
    async def main(engine: RemoteEngine, one: Upstream, other: Upstream) -> None:
        for up in (one, other):
            up.answer(CHAT, stream(said(content="a"), then="hang"))
        async with aclosing(engine.generate(asked("1"))) as first, aclosing(engine.generate(asked("2"))) as second:
            assert [await anext(first), await anext(second)] == [Text("a"), Text("a")]
            assert (len(one.at(CHAT)), len(other.at(CHAT))) == (1, 1)
            with pytest.raises(EngineBusy, match="2 requests are running"):
                await answer(engine, asked())
        assert engine.load.running == 0
        assert (len(one.at(CHAT)), len(other.at(CHAT))) == (1, 1)

    run(main, models=("m",), slots=2, queue=0)


def test_a_server_that_keeps_no_projects_apart_reuses_nothing_once_there_are_two() -> None:
    def of(owner: str) -> Prompt:
        return asked(caching=Caching(owner=owner))

    def reused(**spec: Any) -> list[bool]:
        found: list[bool] = []

        async def main(engine: RemoteEngine, one: Upstream, other: Upstream) -> None:
            for owner in ("a", "a", "b", "a"):
                await answer(engine, of(owner))
            found.extend(sent.json.get("cache_prompt", True) for sent in one.at(CHAT))

        run(main, ("llamacpp", "llamacpp"), models=("m",), dialect="llama-server", **spec)
        return found

    assert reused() == [True, True, False, False]
    assert reused(shared_prefixes=True) == [True] * 4

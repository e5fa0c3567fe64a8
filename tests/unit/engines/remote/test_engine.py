"""The remote engine in front of servers that do well, and of ones that do not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Delta, Stop, Text, Thought, Usage
from freehold.core.errors import EngineBusy, Fault, Invalid, NotFound, RemoteFailed, Unsupported
from freehold.core.items import Logprob, TopLogprob
from freehold.core.prompt import Begun, Caching, Call, Choice, Function, JsonFormat, Prompt, Sampling, Turn
from freehold.core.secret import Secret
from freehold.engines.registry import EngineSpec
from freehold.engines.remote.engine import RemoteEngine, open_remote
from tests.house import nowhere
from tests.upstream import (
    CHAT,
    HEAD,
    Answering,
    Upstream,
    event,
    hang,
    reply,
    said,
    stream,
    upstream,
    used,
    words,
    write,
)

ASKED = Prompt(model="m", turns=(Turn("user", "hi"),))
SECONDS = 30


@asynccontextmanager
async def engine(*ups: Upstream, **spec: Any) -> AsyncIterator[RemoteEngine]:
    """The engine in front of some upstreams, which are not tried out."""
    told = {"models": ("m",), "dialect": "plain", "abilities": (), "urls": tuple(up.url for up in ups), **spec}
    async with open_remote(EngineSpec(name="e", kind="remote", **told), nowhere) as opened:
        assert isinstance(opened, RemoteEngine)
        yield opened


async def answer(to: RemoteEngine, prompt: Prompt = ASKED) -> list[Delta]:
    return [delta async for delta in to.generate(await to.admit(prompt))]


def told(*answers: Answering, prompt: Prompt = ASKED, **spec: Any) -> list[Delta]:
    """What an engine says in front of one upstream that answers so."""

    async def main() -> list[Delta]:
        async with upstream() as up, engine(up, **spec) as opened:
            up.answer(CHAT, *answers)
            return await answer(opened, prompt)

    return run(main)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(SECONDS):
            return await main()

    return asyncio.run(bounded())


def fault(*answers: Answering, prompt: Prompt = ASKED, **spec: Any) -> Fault:
    with pytest.raises(Fault) as found:
        told(*answers, prompt=prompt, **spec)
    return found.value


def test_says_what_the_upstream_says() -> None:
    found = told(stream(said(role="assistant", content=""), *words("Hel", "lo")))
    assert found == [Text("Hel"), Text("lo"), Stop("stop", Usage(input=3, output=2, written=0))]


def test_tells_thoughts_refusals_and_the_reason() -> None:
    chunks = (said(reasoning_content="hm"), said(reasoning=" so"), said(refusal="No."), said("length"), used(1, 4))
    found = told(stream(*chunks))
    assert found[:-1] == [Thought("hm"), Thought(" so"), Declined("No.")]
    assert found[-1] == Stop("length", Usage(input=1, output=4, reasoning=2, written=0))
    assert told(stream(said("content_filter")))[-1] == Stop("content_filter", Usage(written=0))


def test_thoughts_between_tags() -> None:
    assert told(stream(*words("<thi", "nk>a", "b</think>\n\nYes")))[:-1] == [Thought("a"), Thought("b"), Text("Yes")]


def test_logprobs() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.0}]}
    found = told(stream(said(content="a", logprobs={"content": [token]}), said("stop")))
    assert found[0] == Text("a", (Logprob("a", (97,), -0.5, (TopLogprob("b", (98,), -1.0),)),))


def test_legacy_completions() -> None:
    async def main() -> None:
        async with upstream() as up, engine(up) as opened:
            logprobs = {"tokens": ["x"], "token_logprobs": [-0.5], "top_logprobs": [{"x": -0.5}]}
            chunks = (
                {"choices": [{"text": "x", "logprobs": logprobs}]},
                {"choices": [{"text": "", "finish_reason": "stop"}]},
            )
            up.answer("/v1/completions", stream(*chunks))
            found = await answer(opened, Prompt(model="m", turns=(), raw="once"))
            assert found[0] == Text("x", (Logprob("x", (120,), -0.5, (TopLogprob("x", (120,), -0.5),)),))

    run(main)


def test_calls() -> None:
    functions = (Function(name="f"),)
    chunks = (
        said(content="Wait."),
        said(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]),
        said(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
        said(tool_calls=[{"index": 1, "id": "b", "function": {"name": "f", "arguments": '{"x":1}'}}]),
        said("tool_calls"),
    )
    found = told(stream(*chunks), prompt=replace(ASKED, functions=functions))
    calls = [CallStart("f"), CallArgs("{}"), CallStart("f"), CallArgs('{"x":1}')]
    assert found[:-1] == [Text("Wait."), *calls]
    single = told(stream(*chunks), prompt=replace(ASKED, functions=functions, parallel=False))
    assert single[:-1] == [Text("Wait."), *calls[:2]]


def test_a_server_that_does_not_stream() -> None:
    body = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 2}}
    assert told(reply(body)) == [Text("Hello"), Stop("stop", Usage(input=2, written=0))]


@pytest.mark.parametrize(
    "bytes_",
    [
        HEAD.replace(b"transfer-encoding: chunked\r\n", b"") + b"".join(map(event, words("a"))),
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(map(event, words("a")))[:-1],
    ],
)
def test_an_answer_that_ends_with_its_connection(bytes_: bytes) -> None:
    assert told(write(bytes_, close=True))[0] == Text("a")


def test_connections_are_used_again() -> None:
    async def main() -> None:
        async with upstream() as up, engine(up) as opened:
            up.answer(CHAT, stream(*words("a")))
            before = up.connections
            for _ in range(5):
                await answer(opened)
                await asyncio.sleep(0.01)
            assert up.connections <= before + 1

    run(main)


def test_closing_hangs_up() -> None:
    async def main() -> None:
        async with upstream() as up, engine(up) as opened:
            up.answer(CHAT, stream(said(content="a"), then="hang"))
            async with aclosing(opened.generate(ASKED)) as deltas:
                assert await anext(deltas) == Text("a")
                assert opened.load.running == 1
            await up.left.wait()
            assert opened.load.running == 0

    run(main)


def test_cancelling_hangs_up_before_the_first_word() -> None:
    async def main() -> None:
        async with upstream() as up, engine(up) as opened:
            up.answer(CHAT, hang)
            task = asyncio.create_task(answer(opened))
            while not up.at(CHAT):  # noqa: ASYNC110  the upstream keeps what it is asked, and tells nobody
                await asyncio.sleep(0.01)
            task.cancel()
            await up.left.wait()
            assert opened.load.running == 0

    run(main)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (stream(said(content="a"), then="cut"), "connection ended"),
        (stream(said(content="a")), "without saying why"),
        (stream(said(content="a"), b"data: <html>\n\n"), "no completion"),
        (stream(said(content="a"), {"error": {"message": "CUDA error"}}), "broke off"),
        (stream(said(content="a"), said("abort")), "broke off"),
        (stream(said(content="a"), then="hang"), "said nothing for 0.2 seconds"),
        (write(HEAD + b"zz\r\n"), "not HTTP"),
    ],
)
def test_an_answer_that_breaks_off_is_told_so_far(broken: Answering, why: str) -> None:
    async def main() -> None:
        async with upstream() as up, engine(up, silent_seconds=0.2) as opened:
            up.answer(CHAT, broken)
            found: list[Delta] = []
            with pytest.raises(RemoteFailed, match=why):
                async for delta in opened.generate(ASKED):
                    found.append(delta)
            assert found in ([Text("a")], [])
            up.answer(CHAT, stream(*words("b")))
            assert (await answer(opened))[0] == Text("b")

    run(main)


@pytest.mark.parametrize(
    ("broken", "kind", "why"),
    [
        (hang, RemoteFailed, "said nothing for 0.2 seconds"),
        (write(b"", close=True), RemoteFailed, "connection ended"),
        (write(b"\x16\x03\x01 no HTTP\r\n\r\n"), RemoteFailed, "not HTTP"),
        (reply("<html>", content_type="text/html"), RemoteFailed, "web page"),
        (reply("oops"), RemoteFailed, "no completion"),
        (reply({"detail": "x"}), RemoteFailed, "without saying why"),
        (reply({"error": {"message": "bad"}}, 500), RemoteFailed, "status 500"),
        (reply("nope", 401), RemoteFailed, "credentials"),
        (reply({"error": {"message": "bad", "param": "temperature"}}, 400), Invalid, "bad"),
        (reply({"error": {"message": "no model"}}, 404), NotFound, "not there"),
        (reply("", 429, retry_after="9"), EngineBusy, "at its limit"),
    ],
)
def test_an_answer_that_does_not_begin(broken: Answering, kind: type[Fault], why: str) -> None:
    found = fault(broken, first_seconds=0.2)
    assert type(found) is kind
    assert why in found.message
    if isinstance(found, EngineBusy):
        assert found.retry_after == 9


def test_one_that_cannot_be_reached_and_then_can() -> None:
    async def main() -> None:
        async with upstream() as up:
            gone = Upstream(up.url)
        async with engine(gone, connect_seconds=1.0) as opened:
            assert [model.name for model in opened.models] == ["m"]
            for _ in range(3):
                with pytest.raises(RemoteFailed, match="no connection"):
                    await answer(opened)
            with pytest.raises(EngineBusy) as busy:
                await answer(opened)
            assert busy.value.code == "server_unavailable"
            assert busy.value.retry_after >= 1

    run(main)


def test_another_is_asked_where_one_fails_before_its_first_word() -> None:
    async def main() -> None:
        async with upstream() as bad, upstream() as good, engine(bad, good, first_seconds=0.5) as opened:
            good.answer(CHAT, stream(*words("good")))
            for broken in (
                write(b"", close=True),
                hang,
                reply("", 500),
                reply("", 503),
                stream(said(role="assistant"), then="cut"),
                reply("<html>", content_type="text/html"),
            ):
                bad.answer(CHAT, broken)
                opened.upstreams.replicas[0].succeed()
                opened.upstreams.replicas[0].refuse(0.0, 0.0)
                new = replace(ASKED, turns=(Turn("user", str(len(good.asked))),))
                assert (await answer(opened, new))[0] == Text("good")
            assert len(bad.at(CHAT)) >= 6

    run(main)


def test_none_is_asked_again_after_a_word_or_for_a_mistake_of_the_caller() -> None:
    async def main() -> None:
        async with upstream() as bad, upstream() as good, engine(bad, good) as opened:
            good.answer(CHAT, stream(*words("good")))
            bad.answer(CHAT, stream(said(content="a"), then="cut"))
            with pytest.raises(RemoteFailed):
                await answer(opened)
            bad.answer(CHAT, reply({"error": {"message": "no"}}, 400))
            with pytest.raises(Invalid):
                await answer(opened)
            assert good.at(CHAT) == []

    run(main)


def test_a_family_goes_to_one_and_what_was_read_is_read_there_again() -> None:
    async def main() -> None:
        async with upstream() as one, upstream() as other, engine(one, other) as opened:
            for up in (one, other):
                up.answer(CHAT, stream(*words("a")))
            family = replace(ASKED, caching=Caching(owner="p", family="f"))
            for _ in range(6):
                await answer(opened, family)
            assert {len(one.at(CHAT)), len(other.at(CHAT))} == {0, 6}

    run(main)


def test_a_strict_format_is_verified() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/s"}},
        "required": ["a", "b"],
        "additionalProperties": False,
        "$defs": {"s": {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"]}},
    }
    asked = replace(ASKED, format=JsonFormat(schema=schema, name="n", strict=True))
    for good in ('{"a": 1, "b": {"c": ""}}', '{"b":{"c":"x"},\n "a":1}'):
        assert told(stream(*words(good)), prompt=asked)[0] == Text(good)
    for bad in ('{"a": "1", "b": {"c": ""}}', "no", '{"a": 1}'):
        assert "did not keep" in fault(stream(*words(bad)), prompt=asked).message
    assert told(stream(said(content='{"a"'), said("length")), prompt=asked)[0] == Text('{"a"')
    assert "did not keep" in fault(stream(*words("no")), prompt=replace(ASKED, format=JsonFormat())).message


def test_so_are_strict_calls_and_required_ones() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    asked = replace(ASKED, functions=(Function(name="f", parameters=schema, strict=True),), choice=Choice("required"))

    def called(arguments: str) -> Answering:
        return stream(
            said(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": arguments}}]), said("tool_calls")
        )

    assert told(called('{"a": 1}'), prompt=asked)[0] == CallStart("f")
    assert "did not keep" in fault(called('{"a": "x"}'), prompt=asked).message
    assert "did not call" in fault(stream(*words("no")), prompt=asked).message


def test_a_schema_that_nothing_can_be_held_to_is_refused() -> None:
    asked = replace(ASKED, format=JsonFormat(schema={"type": "nonsense"}, name="n", strict=True))
    found = fault(stream(*words("{}")), prompt=asked)
    assert (type(found), found.param) == (Invalid, "format")


def test_the_input_of_a_tool_with_a_grammar() -> None:
    tool = Function(name="date", free="regex", definition=r"\d+")
    asked = replace(ASKED, functions=(tool,), choice=Choice("required"))
    found = told(stream(*words("20", "26")), prompt=asked, dialect="sglang")
    assert found[:-1] == [CallStart("date"), CallArgs("20"), CallArgs("26")]
    assert "did not keep" in fault(stream(*words("x")), prompt=asked, dialect="sglang").message
    lark = replace(asked, functions=(replace(tool, free="lark", definition='start: "a" | "b"'),))

    async def main() -> list[Delta]:
        async with upstream("vllm") as up, engine(up, dialect="vllm") as opened:
            up.answer(CHAT, stream(*words("a")))
            return await answer(opened, lark)

    assert run(main)[:2] == [CallStart("date"), CallArgs("a")]


def test_what_was_begun() -> None:
    text = replace(ASKED, begun=Begun(said=("Once",)))
    assert told(stream(*words(" upon")), prompt=text, dialect="sglang")[0] == Text(" upon")
    assert isinstance(fault(stream(*words("x")), prompt=text), Unsupported)
    called = replace(ASKED, begun=Begun(said=(Call("c", "f", "{}"),)))
    assert told(stream(*words("x")), prompt=called) == [Stop("stop", Usage())]
    thought = replace(ASKED, begun=Begun(thought="hm", thinking=True))
    assert told(stream(*words("x")), prompt=thought)[0] == Text("x")


def test_counting() -> None:
    counted = replace(ASKED, counted=True)

    async def main() -> None:
        async with upstream("vllm", max_model_len=100) as up, engine(up, dialect="vllm") as opened:
            up.answer("/tokenize", reply({"count": 12, "tokens": []}))
            assert len((await opened.admit(counted)).tokens) == 12
            up.answer("/tokenize", reply({"count": 100}))
            with pytest.raises(Invalid) as long:
                await opened.admit(counted)
            assert long.value.code == "context_length_exceeded"
            assert (await opened.admit(ASKED)).tokens == ()
            up.answer("/detokenize", reply({"prompt": "once"}))
            raw = await opened.admit(Prompt(model="m", turns=(), raw=(1, 2)))
            assert (raw.raw, raw.tokens) == ("once", (1, 2))

    run(main)
    found = fault(stream(*words("x")), prompt=counted)
    assert isinstance(found, Unsupported)
    assert found.param == "counted"


def test_counting_by_llama_server_and_by_another_of_us() -> None:
    turns = (Turn("user", "a"), Turn("assistant", "", (Call("c", "f", "{}"),)), Turn("tool", "b", call_id="c"))
    counted = replace(ASKED, counted=True, turns=turns, functions=(Function(name="f"),))

    async def main() -> None:
        async with upstream("llamacpp") as up, engine(up, dialect="llama-server") as opened:
            up.answer("/apply-template", reply({"prompt": "<x>"}))
            up.answer("/tokenize", reply({"tokens": [1, 2, 3]}))
            assert len((await opened.admit(counted)).tokens) == 3
            assert up.at("/tokenize")[0].json["content"] == "<x>"
        async with upstream("freehold") as up, engine(up, dialect="freehold") as opened:
            up.answer("/v1/responses/input_tokens", reply({"input_tokens": 5}))
            assert len((await opened.admit(counted)).tokens) == 5
            body = up.at("/v1/responses/input_tokens")[0].json
            kinds = [item.get("type") for item in body["input"]]
            assert kinds == [None, "function_call", "function_call_output"]
            assert body["tools"][0]["name"] == "f"

    run(main)


def test_as_many_are_under_way_as_the_server_computes_or_as_is_configured() -> None:
    async def main() -> None:
        async with upstream("llamacpp") as up:
            up.answer("/props", reply({"build_info": "b1", "total_slots": 2}))
            up.answer(CHAT, hang)
            async with engine(up, dialect=None) as opened:
                tasks = [asyncio.create_task(answer(opened)) for _ in range(3)]
                while len(up.at(CHAT)) < 2:  # noqa: ASYNC110  nobody tells when a request came
                    await asyncio.sleep(0.01)
                assert (opened.load.slots, opened.load.running, opened.load.waiting) == (2, 2, 1)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            async with engine(up, dialect=None, slots=7) as opened:
                assert opened.load.slots == 7

    run(main)


def test_a_model_that_it_does_not_serve() -> None:
    async def main() -> None:
        async with upstream() as up, engine(up) as opened:
            with pytest.raises(NotFound):
                await opened.admit(replace(ASKED, model="other"))

    run(main)


def test_its_key_is_sent_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        spec = {"key": Secret("sk-hidden")}
        async with upstream() as up, engine(up, **spec) as opened:
            up.answer(CHAT, reply("", 401))
            with pytest.raises(RemoteFailed) as wrong:
                await answer(opened)
            assert up.asked[-1].headers["authorization"] == "Bearer sk-hidden"
            assert "hidden" not in repr(wrong.value) + repr(opened.__dict__) + caplog.text

    run(main)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({}, "needs a url"),
        ({"url": "http://k:sk-hidden@gpu/v1"}, "carries a key"),
        ({"url": "http://127.0.0.1:9/v1"}, "name them in `models`"),
    ],
)
def test_a_wrong_spec(spec: dict[str, Any], why: str) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=why) as wrong:
            async with open_remote(EngineSpec(name="e", kind="remote", **spec), nowhere):
                pass
        assert "hidden" not in str(wrong.value)

    run(main)


def test_a_slow_reader_is_not_a_silent_upstream() -> None:
    many = [said(content="x" * 1_000) for _ in range(3_000)]

    async def main() -> None:
        async with upstream() as up, engine(up, silent_seconds=0.3) as opened:
            up.answer(CHAT, stream(*many, said("stop")))
            count = 0
            async for delta in opened.generate(replace(ASKED, sampling=Sampling(seed=1))):
                count += isinstance(delta, Text)
                if count in (1, 1_500):
                    await asyncio.sleep(0.7)
            assert count == 3_000

    run(main)


def test_json_is_what_is_sent() -> None:
    async def main() -> None:
        async with upstream() as up, engine(up) as opened:
            up.answer(CHAT, stream(*words("a")))
            await answer(opened)
            assert json.loads(up.at(CHAT)[0].body)["stream"] is True
            assert up.at(CHAT)[0].headers["content-type"] == "application/json"

    run(main)

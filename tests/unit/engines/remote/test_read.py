"""Chunks as deltas, where it matters in which order, and what is kept of them."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Delta, Stop, Text, Thought
from freehold.core.errors import Invalid, RemoteFailed
from freehold.core.prompt import Begun, Choice, Function, Prompt, Turn
from freehold.engines.remote.dialects import DIALECTS, PLAIN, Dialect
from freehold.engines.remote.read import Reader
from tests.upstream import said, used

ASKED = Prompt(model="m", turns=(Turn("user", "hi"),))
CALLED = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
REGEX = Function(name="date", free="regex", definition=r"\d+")


def reader(prompt: Prompt = ASKED, dialect: Dialect = PLAIN, held: bool = False) -> Reader:
    return Reader(prompt, dialect, held=held, where="http://far/v1")


def read(one: Reader, *chunks: dict[str, Any]) -> list[Delta]:
    found: list[Delta] = []
    for chunk in chunks:
        one.read(json.dumps(chunk).encode(), found)
    return [*found, *one.end()]


def test_what_was_held_back_is_said_before_a_call() -> None:
    asked = replace(ASKED, functions=(Function(name="f"),))
    calls = said(tool_calls=[CALLED])
    found = read(reader(asked), said(content="\n\n"), calls, said("tool_calls"))
    assert found == [Text("\n\n"), CallStart("f"), CallArgs("{}")]
    found = read(reader(asked), said(content="<think>so</thi"), calls, said("tool_calls"))
    assert found == [Thought("so"), Thought("</thi"), CallStart("f"), CallArgs("{}")]
    found = read(reader(asked), said(content="<think>so</think>\n"), calls, said("tool_calls"))
    assert found == [Thought("so"), CallStart("f"), CallArgs("{}")]


def test_tags_are_text_where_thoughts_have_their_own_place_or_none() -> None:
    tagged = said(content="<think>a</think>b")
    for plain in (
        reader(dialect=DIALECTS["openai"]),
        reader(replace(ASKED, raw="once")),
        reader(replace(ASKED, begun=Begun(said=("Once",)))),
    ):
        assert read(plain, tagged, said("stop")) == [Text("<think>a</think>b")]
    assert read(reader(), said(reasoning="a"), tagged, said("stop"))[1] == Text("<think>a</think>b")


def test_the_input_of_a_tool_is_the_whole_answer() -> None:
    asked = replace(ASKED, functions=(REGEX,), choice=Choice("required"))
    one = reader(asked, DIALECTS["vllm"], held=True)
    found = read(one, said(reasoning="hm"), said(content="20"), said(content="26"), said("stop"))
    assert found == [Thought("hm"), CallStart("date"), CallArgs("20"), CallArgs("26")]
    assert "".join(one.text) == "2026"
    assert read(reader(asked, DIALECTS["vllm"], held=True), said("stop")) == [CallStart("date")]


def test_text_is_kept_where_the_answer_is_held_to_something() -> None:
    for held in (False, True):
        one = reader(held=held)
        read(one, said(content="{"), said(content="}"), said("stop"))
        assert "".join(one.text) == ("{}" if held else "")


def test_a_refusal_is_known() -> None:
    one = reader()
    assert read(one, said(refusal="No."), said("stop")) == [Declined("No.")]
    assert one.declined


@pytest.mark.parametrize(
    ("why", "reason"),
    [("stop", "stop"), ("eos", "stop"), ("tool_calls", "stop"), ("length", "length"), ("content_filter",) * 2],
)
def test_reasons(why: str, reason: str) -> None:
    one = reader()
    read(one, said(why), used(2, 1))
    stop = one.stop()
    assert isinstance(stop, Stop)
    assert (stop.reason, stop.usage.input, stop.usage.output) == (reason, 2, 1)


def test_an_answer_is_over_when_it_says_so() -> None:
    one = reader()
    one.read(b"[DONE]", [])
    assert one.over
    with pytest.raises(RemoteFailed, match="without saying why"):
        one.end()


@pytest.mark.parametrize(
    ("chunk", "fault"),
    [
        ({"error": {"message": "maximum context length is 8", "code": 400}}, Invalid),
        ({"error": {"message": "CUDA error"}}, RemoteFailed),
        ({"object": "error", "message": "gone", "code": 500}, RemoteFailed),
        (said("abort"), RemoteFailed),
    ],
)
def test_errors_inside(chunk: dict[str, Any], fault: type[Exception]) -> None:
    with pytest.raises(fault):
        read(reader(), chunk)

"""Answers against what they were held to."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.errors import Invalid, RemoteFailed
from freehold.core.prompt import Choice, Function, JsonFormat, Prompt, Sampling, Turn
from freehold.engines.llama.grammar import Grammars
from freehold.engines.remote.dialects import DIALECTS
from freehold.engines.remote.holding import Holding, held, in_order, wants
from freehold.engines.remote.read import Reader
from tests.upstream import said

ASKED = Prompt(model="m", turns=(Turn("user", "hi"),))
POINT: dict[str, Any] = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
    "required": ["x", "y"],
    "additionalProperties": False,
}
STRICT = JsonFormat(schema=POINT, name="point", strict=True)
FUNCTION = Function(name="f", parameters=POINT, strict=True)


async def no_flaw(grammar: str) -> str:
    return ""


async def flawed(grammar: str) -> str:
    return "it is flawed"


def kept(prompt: Prompt, *chunks: dict[str, Any], dialect: str = "vllm") -> bool:
    """Whether an answer of these chunks is what the prompt wants."""
    reader = Reader(prompt, DIALECTS[dialect], held=True, where="far")
    for chunk in (*chunks, said("stop")):
        reader.read(json.dumps(chunk).encode(), [])
    reader.end()
    try:
        asyncio.run(Holding(Grammars(no_flaw)).verify(prompt, reader))
    except RemoteFailed:
        return False
    return True


def call(arguments: str, name: str = "f") -> dict[str, Any]:
    return said(tool_calls=[{"index": 0, "id": "a", "function": {"name": name, "arguments": arguments}}])


@pytest.mark.parametrize(
    ("text", "good"),
    [('{"x": 1, "y": 2}', True), ('{"y": 2,\n"x": 1}', True), ('{"x": 1}', False), ('{"x": 1, "y": "2"}', False)],
)
def test_formats(text: str, good: bool) -> None:
    assert kept(replace(ASKED, format=STRICT), said(content=text)) is good
    loose = replace(STRICT, strict=False)
    assert kept(replace(ASKED, format=loose), said(content=text))
    assert not kept(replace(ASKED, format=loose), said(content=text[:-1]))


def test_what_may_stop_early_or_is_refused_is_held_to_nothing() -> None:
    assert kept(replace(ASKED, format=STRICT, sampling=Sampling(stop=("}",))), said(content='{"x": 1'))
    assert kept(replace(ASKED, format=STRICT), said(refusal="I will not."))
    required = replace(ASKED, functions=(FUNCTION,), choice=Choice("required"))
    assert kept(required, said(refusal="I will not."))


def test_calls() -> None:
    asked = replace(ASKED, functions=(FUNCTION,))
    assert kept(asked, said(content="no call"))
    assert kept(asked, call('{"y": 1, "x": 2}'))
    assert not kept(asked, call('{"y": 1}'))
    assert kept(replace(asked, functions=(replace(FUNCTION, strict=False),)), call('{"y": 1}'))
    assert not kept(replace(asked, choice=Choice("required")), said(content="no call"))
    assert kept(replace(asked, format=STRICT), call('{"y": 1, "x": 2}'))


@pytest.mark.parametrize(
    ("syntax", "definition", "good", "bad"),
    [("regex", r"\d{4}", "2026", "26"), ("lark", 'start: "a" | "b"', "a", "ab")],
)
def test_the_input_of_a_tool(syntax: Any, definition: str, good: str, bad: str) -> None:
    tool = Function(name="t", free=syntax, definition=definition)
    asked = replace(ASKED, functions=(tool,), choice=Choice("required"))
    assert kept(asked, said(content=good))
    assert not kept(asked, said(content=bad))


def test_a_schema_is_inspected_only_where_an_answer_is_held_to_it() -> None:
    holding = Holding(Grammars(flawed))
    for prompt, param in (
        (replace(ASKED, format=STRICT), "format"),
        (replace(ASKED, functions=(FUNCTION,)), "tools"),
    ):
        assert wants(prompt)
        assert held(prompt)
        with pytest.raises(Invalid) as found:
            asyncio.run(holding.check(prompt))
        assert found.value.param == param
    for prompt in (ASKED, replace(ASKED, format=JsonFormat()), replace(ASKED, functions=(Function(name="f"),))):
        assert not wants(prompt)
        asyncio.run(holding.check(prompt))
    assert not held(ASKED)


def test_properties_are_put_into_the_order_of_their_schema() -> None:
    schema = {
        "properties": {
            "a": {"type": "integer"},
            "b": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/point"}]},
            "c": {"type": "array", "items": {"$ref": "#/$defs/point"}},
            "d": {"anyOf": [{"type": "null"}, {"items": {"$ref": "#/$defs/point"}}]},
        }
    }
    point = {"y": 1, "x": 2}
    value = {"e": 0, "d": [point], "c": [point], "b": point, "a": 1}
    ordered = in_order(value, schema, {"#": schema, "point": POINT})
    assert ordered == value
    assert list(ordered) == ["a", "b", "c", "d", "e"]
    assert [list(one) for one in (ordered["b"], ordered["c"][0], ordered["d"][0])] == [["x", "y"]] * 3


def test_a_schema_that_goes_in_circles_ends() -> None:
    schema = {"$ref": "#/$defs/a"}
    assert in_order({"x": 1}, schema, {"#": schema, "a": {"$ref": "#/$defs/a"}}) == {"x": 1}

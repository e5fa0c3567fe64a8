"""What a real model is held to: formats, functions, custom tools and the budget of its thoughts. Qwen2.5-Coder 0.5B."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from openai import BadRequestError, OpenAI

from freehold.runs.effort import BUDGETS
from tests.servers import running_server, strict_client

MODEL = "qwen2.5-coder-0.5b"


@pytest.fixture(scope="module")
def client(qwen05: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    folder = tmp_path_factory.mktemp("server")
    with (
        running_server(folder, "--model", qwen05.stem, ready_seconds=120) as server,
        strict_client(server) as client,
    ):
        yield client.with_options(timeout=200)


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TREE = {
    **closed(root={"$ref": "#/$defs/node"}),
    "$defs": {"node": closed(value={"type": "integer"}, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})},
}
SCHEMAS = {
    "flat": closed(name={"type": "string"}, age={"type": "integer"}),
    "choice": closed(colour={"type": "string", "enum": ["red", "green", "blue"]}),
    "bounds": closed(score={"type": "number", "minimum": 0, "maximum": 1}, rank={"type": "integer", "minimum": 3}),
    "pattern": closed(plate={"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"}),
    "nullable": closed(note={"type": ["string", "null"], "maxLength": 30}),
    "union": closed(value={"anyOf": [{"type": "boolean"}, closed(kind={"const": "other"})]}),
    "rows": closed(rows={"type": "array", "items": closed(x={"type": "integer"}), "minItems": 2, "maxItems": 4}),
    "recursive": TREE,
    "date": closed(day={"type": "string", "format": "date"}),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_strict_format_always_validates(client: OpenAI, name: str) -> None:
    format_: Any = {"type": "json_schema", "name": name, "schema": SCHEMAS[name], "strict": True}
    ask: dict[str, Any] = {
        "model": MODEL,
        "input": f"Make up an example of {name}.",
        "text": {"format": format_},
        "temperature": 1,
        "max_output_tokens": 200,
    }
    *_, last = client.responses.create(**ask, stream=True)
    for answer in (last.response, client.responses.create(**ask)):
        if answer.status == "completed":
            jsonschema_rs.validate(SCHEMAS[name], json.loads(answer.output_text))
        else:
            assert answer.incomplete_details is not None
            assert answer.incomplete_details.reason == "max_output_tokens"


def test_an_answer_cut_in_its_json_is_incomplete(client: OpenAI) -> None:
    schema = closed(rows={"type": "array", "items": {"type": "string", "minLength": 20}, "minItems": 20})
    answer = client.responses.create(
        model=MODEL,
        input="List rivers.",
        text={"format": {"type": "json_schema", "name": "rivers", "schema": schema, "strict": True}},
        max_output_tokens=24,
    )
    assert answer.status == "incomplete"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 24


WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": closed(city={"type": "string"}, unit={"type": "string", "enum": ["c", "f"]}),
    "strict": True,
}
TIME: Any = {
    "type": "function",
    "name": "get_time",
    "description": "Get the time in a city.",
    "parameters": closed(city={"type": "string"}),
    "strict": True,
}


def calls(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "function_call"]


def test_a_required_call_is_made_whatever_is_said_and_a_named_one_is_the_one(client: OpenAI) -> None:
    def ask(choice: Any) -> Any:
        return client.responses.create(
            model=MODEL, input="Tell me a joke.", tools=[WEATHER, TIME], tool_choice=choice, temperature=1
        )

    choices: list[Any] = ["required", {"type": "function", "name": "get_time"}] * 2
    with ThreadPoolExecutor(len(choices)) as pool:
        answers = list(pool.map(ask, choices))
    for choice, answer in zip(choices, answers, strict=True):
        made = calls(answer)
        assert made
        assert choice == "required" or {call.name for call in made} == {"get_time"}
        assert len(made) <= 8
        for call in made:
            schema = {"get_weather": WEATHER, "get_time": TIME}[call.name]["parameters"]
            jsonschema_rs.validate(schema, json.loads(call.arguments))


def test_a_free_choice_calls_streams_and_ends_in_an_answer(client: OpenAI) -> None:
    ask: list[Any] = [{"role": "user", "content": "What's the weather in Paris, in celsius?"}]
    with client.responses.stream(model=MODEL, input=ask, tools=[WEATHER], temperature=0) as stream:
        deltas = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        first = stream.get_final_response()
    (call,) = calls(first)
    assert "".join(deltas) == call.arguments
    assert json.loads(call.arguments)["city"].startswith("Paris")
    assert len(deltas) > 1


def test_without_parallel_calls_there_is_one(client: OpenAI) -> None:
    answer = client.responses.create(
        model=MODEL,
        input="Weather in Paris, in Rome and in Oslo, please: three calls.",
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
    )
    assert len(calls(answer)) == 1


GRAMMAR = 'start: NUMBER (" " OP " " NUMBER)+\nOP: "+" | "*"\nNUMBER: /[1-9][0-9]?/'


@pytest.mark.parametrize(("syntax", "definition"), [("lark", GRAMMAR), ("regex", r"[1-9][0-9]?( [+*] [1-9][0-9]?)+")])
def test_a_custom_tool_follows_its_grammar(client: OpenAI, syntax: Any, definition: str) -> None:
    answer = client.responses.create(
        model=MODEL,
        input="What is two plus three times four?",
        tools=[
            {
                "type": "custom",
                "name": "calculator",
                "format": {"type": "grammar", "syntax": syntax, "definition": definition},
            }
        ],
        tool_choice="required",
        max_output_tokens=40,
        parallel_tool_calls=False,
    )
    (call,) = answer.output
    assert call.type == "custom_tool_call"
    assert answer.status == "incomplete" or set(call.input) <= set("0123456789 +*")
    assert set(call.input) <= set("0123456789 +*")


def test_a_grammar_that_cannot_be_read_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="unknown name") as refused:
        client.responses.create(
            model=MODEL,
            input="x",
            tools=[
                {
                    "type": "custom",
                    "name": "t",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: nothing"},
                }
            ],
        )
    assert refused.value.param == "tools"


def test_a_thought_never_passes_its_budget(client: OpenAI) -> None:
    def think(effort: Any) -> int:
        answer = client.responses.create(
            model=MODEL,
            input="How many primes are there below 40? Think it through.",
            reasoning={"effort": effort},
            max_output_tokens=200,
            temperature=1,
        )
        assert answer.output[0].type == "reasoning"
        assert answer.usage is not None
        return answer.usage.output_tokens_details.reasoning_tokens

    efforts: list[Any] = ["minimal"] * 3 + ["low"]
    with ThreadPoolExecutor(len(efforts)) as pool:
        thought = list(pool.map(think, efforts))
    assert all(0 < tokens <= BUDGETS[effort] for effort, tokens in zip(efforts, thought, strict=True)), thought


def test_a_budget_that_the_thought_uses_up_leaves_no_message(client: OpenAI) -> None:
    answer = client.responses.create(
        model=MODEL,
        input="Prove that there are infinitely many primes.",
        reasoning={"effort": "high"},
        max_output_tokens=16,
    )
    assert (answer.status, [item.type for item in answer.output]) == ("incomplete", ["reasoning"])
    assert answer.usage is not None
    assert answer.usage.output_tokens_details.reasoning_tokens == 16

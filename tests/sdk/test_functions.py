"""Functions and custom tools with the official client: the loop of calls and results, streamed and not."""

import json
from typing import Any

import openai
import pytest
from openai import BadRequestError, OpenAI
from pydantic import BaseModel

from tests.sse_checker import StreamChecker

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
CHAT_WEATHER: Any = {"type": "function", "function": {key: WEATHER[key] for key in WEATHER if key != "type"}}
SHELL: Any = {"type": "custom", "name": "shell", "description": "Runs a command."}
CHAT_SHELL: Any = {"type": "custom", "custom": {"name": "shell"}}
ASKED = '!call get_weather {"city": "Paris"}'


class GetWeather(BaseModel):
    city: str


def test_the_loop_of_responses(client: OpenAI) -> None:
    items: Any = [{"role": "user", "content": ASKED}]
    first = client.responses.create(model="gpt-5", input=items, tools=[WEATHER])
    (call,) = first.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments), call.status) == ("get_weather", {"city": "Paris"}, "completed")
    items += [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    items.append({"role": "user", "content": "So it is sunny."})
    second = client.responses.create(model="gpt-5", input=items, tools=[WEATHER])
    assert second.output_text == "So it is sunny."


def test_the_loop_by_previous_response(client: OpenAI) -> None:
    first = client.responses.create(model="gpt-5", input=ASKED, tools=[WEATHER])
    (call,) = first.output
    assert call.type == "function_call"
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "very sunny"}
    second = client.responses.create(model="gpt-5", previous_response_id=first.id, input=[result])
    assert second.usage is not None
    assert second.usage.input_tokens == 4 + 2
    kinds = [item.type for item in client.responses.input_items.list(second.id, order="asc")]
    assert kinds == ["message", "function_call", "function_call_output"]


@pytest.mark.parametrize("tool", [WEATHER, SHELL])
def test_a_streamed_call_is_the_one_that_is_not_streamed(client: OpenAI, tool: Any) -> None:
    text = f"!call {tool['name']} " + '{"city": "Paris"}'
    whole = client.responses.create(model="gpt-5", input=text, tools=[tool])
    checker = StreamChecker()
    with client.responses.create(model="gpt-5", input=text, tools=[tool], stream=True) as stream:
        for event in stream:
            checker.push(event.to_dict())
    streamed = checker.finish()
    assert without_ids(streamed["output"]) == without_ids(whole.to_dict()["output"])
    assert client.responses.retrieve(streamed["id"]).to_dict() == streamed


def without_ids(output: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in item.items() if key not in ("id", "call_id")} for item in output]


def test_a_custom_tool_and_its_result(client: OpenAI) -> None:
    first = client.responses.create(model="gpt-5", input='!call shell echo "a"', tools=[SHELL])
    (call,) = first.output
    assert call.type == "custom_tool_call"
    assert (call.name, call.input) == ("shell", 'echo "a"')
    result: Any = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "a"}
    second = client.responses.create(model="gpt-5", previous_response_id=first.id, input=[result], tools=[SHELL])
    kinds = [item.type for item in client.responses.input_items.list(second.id, order="asc")]
    assert kinds == ["message", "custom_tool_call", "custom_tool_call_output"]


def test_the_parse_helper_reads_arguments(client: OpenAI) -> None:
    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    responses_tool: Any = {"type": "function", **tool["function"]}
    parsed = client.responses.parse(model="gpt-5", input=ASKED, tools=[responses_tool])
    (call,) = parsed.output
    assert call.type == "function_call"
    assert call.name == "get_weather"
    completion = client.chat.completions.parse(
        model="gpt-4.1", messages=[{"role": "user", "content": ASKED}], tools=[tool]
    )
    (chat_call,) = completion.choices[0].message.tool_calls or ()
    assert chat_call.function.parsed_arguments == GetWeather(city="Paris")


def test_the_loop_of_chat(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": ASKED}]
    first = client.chat.completions.create(model="gpt-4.1", messages=messages, tools=[CHAT_WEATHER])
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    (call,) = message.tool_calls or ()
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    messages.append({"role": "user", "content": "Thanks."})
    second = client.chat.completions.create(model="gpt-4.1", messages=messages, tools=[CHAT_WEATHER])
    assert second.choices[0].message.content == "Thanks."


def test_the_chat_stream_helper_accumulates_a_call(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": ASKED}]
    with client.chat.completions.stream(model="gpt-4.1", messages=messages, tools=[CHAT_WEATHER]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [(event.name, event.arguments) for event in done] == [("get_weather", '{"city": "Paris"}')]
    (call,) = final.choices[0].message.tool_calls or ()
    assert call.function.arguments == '{"city": "Paris"}'


def test_a_custom_tool_in_chat(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "!call shell ls -l"}]
    first = client.chat.completions.create(model="gpt-4.1", messages=messages, tools=[CHAT_SHELL])
    (call,) = first.choices[0].message.tool_calls or ()
    assert call.type == "custom"
    assert (call.custom.name, call.custom.input) == ("shell", "ls -l")
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "a b"}]
    second = client.chat.completions.create(model="gpt-4.1", messages=messages, tools=[CHAT_SHELL])
    assert second.usage is not None
    assert second.usage.prompt_tokens == 4 + 2


def test_legacy_functions(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": ASKED}]
    function: Any = {"name": "get_weather", "parameters": WEATHER["parameters"]}
    first = client.chat.completions.create(model="gpt-4", messages=messages, functions=[function])
    choice = first.choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert choice.message.function_call.name == "get_weather"
    messages += [choice.message, {"role": "function", "name": "get_weather", "content": "sunny"}]
    second = client.chat.completions.create(model="gpt-4", messages=messages, functions=[function])
    assert second.choices[0].finish_reason == "stop"
    assert second.usage is not None
    assert second.usage.prompt_tokens == 4 + 1


GRAMMAR: Any = {"type": "grammar", "syntax": "regex", "definition": "a+"}
CHAT_GRAMMAR: Any = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [WEATHER], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "get_weather"}}, "tool_choice"),
        ({"tools": [{**SHELL, "format": GRAMMAR}]}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{**WEATHER, "parameters": {"type": "object"}}]}, "tools[0].parameters"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "gone"}}, "tool_choice"),
    ],
)
def test_what_this_engine_cannot_be_held_to_is_refused(client: OpenAI, more: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="gpt-5", input="Hi", **more)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [CHAT_WEATHER], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "custom", "custom": {"name": "t", "format": CHAT_GRAMMAR}}]}, "tools"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
        ({"tools": [CHAT_WEATHER, CHAT_WEATHER]}, "tools[1].function.name"),
    ],
)
def test_and_in_chat(client: OpenAI, more: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}], **more)
    assert caught.value.param == param

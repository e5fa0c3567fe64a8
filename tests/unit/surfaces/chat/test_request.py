import json

import pytest

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.items import (
    CustomToolCall,
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Message,
    OutputText,
    Refusal,
)
from freehold.core.prompt import Ask, Caching, Choice, Function, JsonFormat, Thoughts
from freehold.surfaces.chat.request import ChatBody, parse
from freehold.surfaces.decode import Decoder

decode = Decoder(ChatBody)
HI = [{"role": "user", "content": "Hi"}]


def ask(**body: object) -> Ask:
    return parse(decode(json.dumps({"model": "m", "messages": HI, **body}).encode()))


def fault(**body: object) -> Fault:
    with pytest.raises(Fault) as caught:
        ask(**body)
    return caught.value


def test_every_role_becomes_an_item() -> None:
    items = ask(
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": "Hi", "name": "ann"},
            {"role": "assistant", "content": "Hello!"},
        ]
    ).items
    assert items == (
        Message(role="system", content=(InputText("Be kind."),)),
        Message(role="developer", content=(InputText("Be brief."),)),
        Message(role="user", content=(InputText("Hi"),)),
        Message(role="assistant", content=(OutputText("Hello!"),)),
    )


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    (item,) = ask(messages=[{"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []}]).items
    assert item == Message(role="assistant", content=(OutputText("Hello!"),))


def test_a_refusal_is_kept() -> None:
    refused = Message(role="assistant", content=(Refusal("No."),))
    assert ask(messages=[{"role": "assistant", "refusal": "No."}]).items == (refused,)
    parts = [{"type": "refusal", "refusal": "No."}]
    assert ask(messages=[{"role": "assistant", "content": parts}]).items == (refused,)


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def test_functions_and_the_choice_among_them_are_read() -> None:
    read = ask(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}}, parallel_tool_calls=False)
    assert [one.name for one in read.functions] == ["f"]
    assert (read.choice, read.parallel) == (Choice("required", ("f",)), False)
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}
    assert ask(tools=[TOOL], tool_choice={"type": "allowed_tools", "allowed_tools": allowed}).choice.names == ("f",)
    legacy = ask(functions=[{"name": "f"}], function_call={"name": "f"})
    assert (legacy.choice.mode, legacy.parallel) == ("required", False)


def test_calls_and_their_results_become_items() -> None:
    items = ask(
        messages=[
            *HI,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "42"},
        ]
    ).items
    assert items[1:] == (
        FunctionCall(call_id="c", name="f", arguments="{}"),
        FunctionCallOutput(call_id="c", output="42"),
    )


def test_custom_calls_and_the_legacy_ones_become_items() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    items = ask(
        messages=[
            {"role": "assistant", "content": "I look.", "tool_calls": [custom]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "42"},
        ]
    ).items
    assert items == (
        Message(role="assistant", content=(OutputText("I look."),)),
        CustomToolCall(call_id="c", name="shell", input="ls"),
        FunctionCallOutput(call_id="c", output="a"),
        FunctionCall(call_id="call_f", name="f", arguments="{}"),
        FunctionCallOutput(call_id="call_f", output="42"),
    )


def test_custom_tools_are_read() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}
    read = ask(tools=[{"type": "custom", "custom": {"name": "t", "format": grammar}}])
    assert read.functions == (Function(name="t", free="regex", definition="a+"),)


def test_how_the_answer_is_made_is_read() -> None:
    read = ask(reasoning_effort="high", verbosity="low", n=3, store=True)
    assert (read.thoughts, read.verbosity, read.choices, read.keep) == (Thoughts(effort="high"), "low", 3, True)
    plain = ask()
    assert (plain.thoughts, plain.verbosity, plain.choices, plain.keep) == (Thoughts(), None, 1, False)


@pytest.mark.parametrize(
    ("body", "logprobs"),
    [({}, None), ({"logprobs": False}, None), ({"logprobs": True}, 0), ({"logprobs": True, "top_logprobs": 4}, 4)],
)
def test_logprobs_are_asked_for(body: dict[str, object], logprobs: int | None) -> None:
    assert ask(**body).sampling.logprobs == logprobs


def test_biases_are_by_token() -> None:
    assert ask(logit_bias={"50256": -100, "7": 0.5}).sampling.logit_bias == {50256: -100.0, 7: 0.5}


def test_formats_are_read() -> None:
    assert ask(response_format={"type": "json_object"}).format == JsonFormat()
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    assert ask(response_format=wanted).format == JsonFormat(schema=schema, name="x", strict=True)


def test_sampling_is_read() -> None:
    sampling = ask(
        max_tokens=7, stop="\n", seed=3, temperature=0, top_p=1, presence_penalty=1, frequency_penalty=-1
    ).sampling
    assert (sampling.max_tokens, sampling.stop, sampling.seed) == (7, ("\n",), 3)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (1, -1)
    assert ask(stop=["a", "b"], max_completion_tokens=9).sampling.stop == ("a", "b")


INVALID = [
    ({"messages": []}, "array_below_min_length", "messages"),
    ({"messages": [{"content": "x"}]}, "missing_required_parameter", "messages[0].role"),
    ({"messages": [{"role": "king", "content": "x"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [*HI, {"role": "user", "content": 3}]}, "invalid_type", "messages[1].content"),
    ({"messages": [{"role": "assistant"}]}, "invalid_type", "messages[0].content"),
    ({"stop": list("abcde")}, "array_above_max_length", "stop"),
    ({"max_tokens": 0}, "integer_below_min_value", "max_tokens"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, "invalid_parameter_combination", "max_tokens"),
    ({"frequency_penalty": 3}, "decimal_above_max_value", "frequency_penalty"),
    ({"n": 0}, "integer_below_min_value", "n"),
    ({"n": 129}, "integer_above_max_value", "n"),
    ({"top_logprobs": 1}, "invalid_value", "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "integer_above_max_value", "top_logprobs"),
    ({"logit_bias": {"1": 101}}, "decimal_above_max_value", "logit_bias"),
    ({"logit_bias": {"-1": 1}}, "invalid_value", "logit_bias"),
    ({"logit_bias": {"the": 1}}, "invalid_value", "logit_bias"),
    ({"logit_bias": {"9" * 5000: 1}}, "invalid_value", "logit_bias"),
    ({"reasoning_effort": "extreme"}, "invalid_value", "reasoning_effort"),
    ({"verbosity": "huge"}, "invalid_value", "verbosity"),
    ({"prediction": {"type": "content"}}, "missing_required_parameter", "prediction.content"),
    ({"functions": [{"name": "f"}], "tools": [TOOL]}, "invalid_value", "functions"),
    ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "invalid_value", "function_call"),
    ({"functions": [{"name": "f"}], "function_call": "always"}, "invalid_value", "function_call"),
    ({"functions": []}, "array_below_min_length", "functions"),
    ({"stream_options": {"include_usage": True}}, None, "stream_options"),
    ({"temprature": 1}, "unknown_parameter", "temprature"),
    ({"tool_choice": "required"}, None, "tool_choice"),
    ({"tool_choice": "always"}, "invalid_value", "tool_choice"),
    ({"function_call": "auto"}, None, "function_call"),
    ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].function"),
    ({"tools": [{"type": "function", "function": {"name": "f!"}}]}, "invalid_value", "tools[0].function.name"),
    ({"functions": [{"nane": "f"}]}, "unknown_parameter", "functions[0].nane"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "missing_required_parameter", "messages[0].tool_call_id"),
]


@pytest.mark.parametrize(("body", "code", "param"), INVALID)
def test_bad_input_names_its_path(body: dict[str, object], code: str, param: str) -> None:
    found = fault(**body)
    assert isinstance(found, Invalid)
    assert (found.code, found.param) == (code, param)


UNSUPPORTED = [
    ({"audio": {"voice": "alloy", "format": "mp3"}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"prompt_cache_options": {}}, "prompt_cache_options"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"messages": [{"role": "assistant", "content": "x", "audio": {"id": "a"}}]}, "messages[0].audio"),
    ({"web_search_options": {}}, "web_search_options"),
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}
            ]
        },
        "messages[0].content[0].type",
    ),
]


@pytest.mark.parametrize(("body", "param"), UNSUPPORTED)
def test_what_cannot_work_yet_is_refused_by_name(body: dict[str, object], param: str) -> None:
    found = fault(**body)
    assert isinstance(found, Unsupported)
    assert found.param == param


@pytest.mark.parametrize(
    "body",
    [
        {"n": 1, "store": False, "logprobs": False, "tools": [], "modalities": ["text"]},
        {"response_format": {"type": "text"}, "reasoning_effort": "none", "verbosity": "medium"},
        {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
        {"service_tier": "priority", "metadata": {"a": "b"}, "user": "u", "safety_identifier": "s"},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    ],
)
def test_values_that_ask_for_what_is_done_anyway_are_taken(body: dict[str, object]) -> None:
    assert ask(**body).model == "m"


def test_what_is_said_of_queue_cache_and_prediction() -> None:
    told = ask(
        service_tier="fast",
        prompt_cache_key="k",
        prompt_cache_retention="24h",
        prediction={"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    )
    assert (told.tier, told.caching, told.predicted) == ("priority", Caching(family="k", lasting=True), "ab")
    assert ask(prediction={"type": "content", "content": "a"}).predicted == "a"

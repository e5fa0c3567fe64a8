import json

import pytest

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.items import FunctionCall, FunctionCallOutput, OutputText, Refusal
from freehold.core.prompt import Choice, JsonFormat
from freehold.surfaces.chat.request import ChatBody, parse
from freehold.surfaces.decode import Decoder

decode = Decoder(ChatBody)
HI = [{"role": "user", "content": "Hi"}]


def ask(**body: object):
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
    assert [item.role for item in items] == ["system", "developer", "user", "assistant"]


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    (item,) = ask(messages=[{"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []}]).items
    assert item.content == (OutputText("Hello!"),)


def test_a_refusal_is_kept() -> None:
    (item,) = ask(messages=[{"role": "assistant", "refusal": "No."}]).items
    assert item.content == (Refusal("No."),)


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
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"logprobs": True}, "logprobs"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"n": 2}, "n"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    ({"prompt_cache_options": {}}, "prompt_cache_options"),
    ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
    ({"reasoning_effort": "low"}, "reasoning_effort"),
    ({"service_tier": "priority"}, "service_tier"),
    ({"store": True}, "store"),
    ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
    ({"top_logprobs": 1}, "top_logprobs"),
    ({"verbosity": "high"}, "verbosity"),
    ({"web_search_options": {}}, "web_search_options"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]},
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
        {"service_tier": "default", "metadata": {"a": "b"}, "user": "u", "safety_identifier": "s"},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    ],
)
def test_values_that_ask_for_what_is_done_anyway_are_taken(body: dict[str, object]) -> None:
    assert ask(**body).model == "m"

import json

import pytest

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.items import FunctionCall, FunctionCallOutput, InputText, Message, OutputText
from freehold.core.prompt import Choice, JsonFormat
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses.request import ResponseBody, parse

decode = Decoder(ResponseBody)


def ask(**body: object):
    return parse(decode(json.dumps({"model": "m", "input": "Hi", **body}).encode()))


def fault(**body: object) -> Fault:
    with pytest.raises(Fault) as caught:
        ask(**body)
    return caught.value


def test_a_string_is_a_user_message() -> None:
    assert ask().items == (Message(role="user", content=(InputText("Hi"),)),)


def test_messages_may_leave_out_their_type_and_hold_plain_strings() -> None:
    items = ask(
        input=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "message", "role": "assistant", "content": "Hello!"},
        ]
    ).items
    assert [item.role for item in items] == ["developer", "user", "assistant"]
    assert items[2].content == (OutputText("Hello!"),)


def test_an_output_item_can_be_sent_back_as_it_came() -> None:
    output = {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "phase": "final_answer",
        "content": [{"type": "output_text", "text": "Hello!", "annotations": [], "logprobs": []}],
    }
    (item,) = ask(input=[output]).items
    assert (item.id, item.phase) == ("msg_1", "final_answer")


def test_sampling_state_and_storing_are_read() -> None:
    read = ask(temperature=0.5, top_p=0.9, max_output_tokens=20, previous_response_id="resp_1", instructions="Be kind.")
    assert (read.sampling.temperature, read.sampling.top_p, read.sampling.max_tokens) == (0.5, 0.9, 20)
    assert (read.previous, read.instructions, read.keep) == ("resp_1", "Be kind.", True)
    assert ask(store=False).keep is False


TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def test_functions_and_the_choice_among_them_are_read() -> None:
    read = ask(tools=[TOOL], tool_choice={"type": "function", "name": "f"}, parallel_tool_calls=False)
    assert [one.name for one in read.functions] == ["f"]
    assert (read.choice, read.parallel) == (Choice("required", ("f",)), False)
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}
    assert ask(tools=[TOOL], tool_choice=allowed).choice == Choice("required", ("f",))


def test_calls_and_their_results_are_items() -> None:
    items = ask(
        input=[
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "42"}]},
        ]
    ).items
    assert items == (
        FunctionCall(id="fc_1", call_id="c", name="f", arguments="{}"),
        FunctionCallOutput(call_id="c", output=(InputText("42"),)),
    )


def test_formats_are_read() -> None:
    assert ask(text={"format": {"type": "json_object"}}).format == JsonFormat()
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    wanted = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    assert ask(text={"format": wanted}).format == JsonFormat(schema=schema, name="x", strict=True)


INVALID = [
    ({"input": []}, "empty_array", "input"),
    ({"input": [3]}, "invalid_type", "input[0]"),
    ({"input": [{"role": "king", "content": "x"}]}, "invalid_value", "input[0].role"),
    ({"input": [{"role": "user"}]}, "missing_required_parameter", "input[0].content"),
    ({"input": [{"role": "user", "content": "x", "nane": 1}]}, "unknown_parameter", "input[0].nane"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
        "missing_required_parameter",
        "input[0].content[0].text",
    ),
    (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
        "invalid_value",
        "input[0].content[0].type",
    ),
    ({"stream_options": {"include_obfuscation": False}}, None, "stream_options"),
    ({"metadata": {str(i): "x" for i in range(17)}}, "object_above_max_length", "metadata"),
    ({"safety_identifier": "x" * 65}, "string_above_max_length", "safety_identifier"),
    ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
    ({"text": {"format": {"type": "yaml"}}}, "invalid_value", "text.format.type"),
    ({"tool_choice": "required"}, None, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}}, "invalid_value", "tool_choice"),
    ({"tools": [TOOL, TOOL]}, "invalid_value", "tools[1].name"),
    ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
    ({"input": [{"type": "function_call_output", "output": "o"}]}, "missing_required_parameter", "input[0].call_id"),
]


@pytest.mark.parametrize(("body", "code", "param"), INVALID)
def test_bad_input_names_its_path(body: dict[str, object], code: str, param: str) -> None:
    found = fault(**body)
    assert isinstance(found, Invalid)
    assert (found.code, found.param) == (code, param)


UNSUPPORTED = [
    ({"background": True}, "background"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"context_management": [{"type": "compaction"}]}, "context_management"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"prompt_cache_options": {}}, "prompt_cache_options"),
    ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
    ({"reasoning": {"effort": "high"}}, "reasoning.effort"),
    ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
    ({"reasoning": {"context": "auto"}}, "reasoning.context"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"tools": [{"type": "web_search_preview"}]}, "tools[0].type"),
    ({"tools": [TOOL], "tool_choice": {"type": "file_search"}}, "tool_choice.type"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"truncation": "auto"}, "truncation"),
    ({"include": ["message.output_text.logprobs"]}, "include"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}]},
        "input[0].content[0].type",
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
        {"background": False},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "max_tool_calls": 5},
        {"reasoning": {"effort": "none"}},
        {"text": {"format": {"type": "text"}, "verbosity": "medium"}},
        {"truncation": "disabled", "service_tier": "auto", "prompt_cache_key": "k", "user": "u"},
        {"include": ["reasoning.encrypted_content"]},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
    ],
)
def test_values_that_ask_for_what_is_done_anyway_are_taken(body: dict[str, object]) -> None:
    assert ask(**body).model == "m"


def test_model_and_input_may_be_left_out() -> None:
    read = parse(decode(b"{}"))
    assert (read.model, read.items) == (None, ())

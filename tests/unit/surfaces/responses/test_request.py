import json

import pytest

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputText,
    ItemReference,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    SummaryText,
)
from freehold.core.prompt import Ask, Choice, JsonFormat, Template, Thoughts
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses.request import ResponseBody, parse

decode = Decoder(ResponseBody)


def ask(**body: object) -> Ask:
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
    assert items == (
        Message(role="developer", content=(InputText("Be brief."),)),
        Message(role="user", content=(InputText("Hi"),)),
        Message(role="assistant", content=(OutputText("Hello!"),)),
    )


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
    said = (OutputText("Hello!"),)
    assert item == Message(id="msg_1", role="assistant", content=said, phase="final_answer")


def test_sampling_state_and_storing_are_read() -> None:
    read = ask(temperature=0.5, top_p=0.9, max_output_tokens=20, previous_response_id="resp_1", instructions="Be kind.")
    assert (read.sampling.temperature, read.sampling.top_p, read.sampling.max_tokens) == (0.5, 0.9, 20)
    assert (read.previous, read.instructions, read.keep) == ("resp_1", "Be kind.", True)
    assert ask(store=False).keep is False


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
def test_a_conversation_is_named_in_either_way(conversation: object) -> None:
    assert ask(conversation=conversation).conversation == "conv_1"
    assert ask().conversation is None


@pytest.mark.parametrize(
    ("conversation", "param", "code"),
    [
        (3, "conversation", "invalid_type"),
        ({}, "conversation.id", "missing_required_parameter"),
        ({"id": None}, "conversation.id", "invalid_type"),
        ({"id": "conv_1", "metadata": {}}, "conversation.metadata", "unknown_parameter"),
    ],
)
def test_a_conversation_that_is_none_is_refused(conversation: object, param: str, code: str) -> None:
    found = fault(conversation=conversation)
    assert (found.param, found.code) == (param, code)


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


def test_every_other_kind_of_item_is_read() -> None:
    given = [
        {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "a"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "s"}],
            "content": [{"type": "reasoning_text", "text": "t"}],
            "encrypted_content": "e",
            "status": None,
        },
        {"type": "compaction", "encrypted_content": "e"},
        {"type": "item_reference", "id": "msg_1"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ]
    assert ask(input=given).items == (
        CustomToolCall(call_id="c", name="shell", input="ls"),
        CustomToolCallOutput(call_id="c", output="a"),
        Reasoning(
            id="rs_1",
            status=None,
            summary=(SummaryText("s"),),
            content=(ReasoningText("t"),),
            encrypted_content="e",
        ),
        Compaction(encrypted_content="e"),
        ItemReference("msg_1"),
        Message(role="assistant", content=(Refusal("No."),)),
    )


@pytest.mark.parametrize(
    ("body", "thoughts"),
    [
        ({}, Thoughts()),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, Thoughts(effort="high", summary="auto")),
        ({"reasoning": {"generate_summary": "concise"}}, Thoughts(summary="concise")),
        ({"reasoning": {"context": "all_turns", "mode": "standard"}}, Thoughts(every=True)),
        ({"reasoning": {"context": "current_turn"}}, Thoughts()),
        ({"include": ["reasoning.encrypted_content"]}, Thoughts(sealed=True)),
    ],
)
def test_thoughts_are_read(body: dict[str, object], thoughts: Thoughts) -> None:
    assert ask(**body).thoughts == thoughts


@pytest.mark.parametrize(
    ("body", "logprobs"),
    [
        ({}, None),
        ({"top_logprobs": 0}, None),
        ({"top_logprobs": 3}, 3),
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, 2),
    ],
)
def test_logprobs_are_asked_for_in_either_way(body: dict[str, object], logprobs: int | None) -> None:
    assert ask(**body).sampling.logprobs == logprobs


def test_how_the_answer_is_made_is_read() -> None:
    read = ask(
        truncation="auto",
        text={"verbosity": "low"},
        prompt={"id": "p", "version": "2", "variables": {"a": "x", "b": {"type": "input_text", "text": "y"}}},
        context_management=[{"type": "compaction", "compact_threshold": 2000}, {"type": "compaction"}],
    )
    assert (read.truncate, read.verbosity, read.compact_at) == (True, "low", 2000)
    assert read.template == Template(id="p", version="2", variables={"a": "x", "b": InputText("y")})
    assert ask(context_management=[{"type": "compaction"}]).compact_at == 16_384
    plain = ask()
    assert (plain.truncate, plain.verbosity, plain.compact_at, plain.template) == (False, None, None, None)


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
    ({"input": [{"type": "reasoning", "sumary": []}]}, "unknown_parameter", "input[0].sumary"),
    ({"input": [{"type": "item_reference"}]}, "missing_required_parameter", "input[0].id"),
    ({"reasoning": {"effort": "extreme"}}, "invalid_value", "reasoning.effort"),
    ({"reasoning": {"summary": "long"}}, "invalid_value", "reasoning.summary"),
    ({"top_logprobs": 21}, "integer_above_max_value", "top_logprobs"),
    ({"include": ["everything"]}, "invalid_value", "include[0]"),
    ({"background": True, "store": False}, "invalid_value", "background"),
    ({"context_management": []}, "array_below_min_length", "context_management"),
    ({"prompt": {"version": "1"}}, "missing_required_parameter", "prompt.id"),
]


@pytest.mark.parametrize(("body", "code", "param"), INVALID)
def test_bad_input_names_its_path(body: dict[str, object], code: str, param: str) -> None:
    found = fault(**body)
    assert isinstance(found, Invalid)
    assert (found.code, found.param) == (code, param)


UNSUPPORTED = [
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"prompt_cache_options": {}}, "prompt_cache_options"),
    ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
    ({"tools": [{"type": "web_search_preview"}]}, "tools[0].type"),
    ({"tools": [TOOL], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
    ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type"),
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
        {"include": ["reasoning.encrypted_content", "file_search_call.results"]},
        {"service_tier": "flex"},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
    ],
)
def test_values_that_ask_for_what_is_done_anyway_are_taken(body: dict[str, object]) -> None:
    assert ask(**body).model == "m"


def test_model_and_input_may_be_left_out() -> None:
    read = parse(decode(b"{}"))
    assert (read.model, read.items) == (None, ())

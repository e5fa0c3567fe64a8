"""`POST /v1/responses`: the body, and what it asks for."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Item,
    Message,
    OutputText,
    Part,
    Phase,
    Refusal,
    Role,
    Status,
)
from freehold.core.prompt import Ask, Choice, Function, JsonFormat, Sampling
from freehold.surfaces.common import (
    Identifier,
    Metadata,
    Temperature,
    TopP,
    refuse,
    refuse_stream_options,
)
from freehold.surfaces.decode import Decoder, read
from freehold.surfaces.schema import json_format
from freehold.surfaces.tools import FunctionBody, choice, choice_mode, functions

Include = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class StreamOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How the stream is written."""

    include_obfuscation: bool = True


class Reasoning(Struct, frozen=True, forbid_unknown_fields=True):
    """How much the model thinks before it answers, and what it shows of that."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    mode: str | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None


class TextFormat(Struct, frozen=True, tag="text", forbid_unknown_fields=True):
    """Plain text."""


class JsonObjectFormat(Struct, frozen=True, tag="json_object", forbid_unknown_fields=True):
    """Some JSON object."""


class JsonSchemaFormat(Struct, frozen=True, tag="json_schema", forbid_unknown_fields=True):
    """JSON that follows a schema."""

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class TextOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """The format and the length of the answer's text."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ResponseBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `responses.create`."""

    model: str | None = None
    input: str | list[Raw] | None = None
    instructions: str | None = None
    background: bool | None = None
    context_management: Annotated[list[Any], Meta(min_length=1)] | None = None
    conversation: str | dict[str, Any] | None = None
    include: list[Include] | None = None
    max_output_tokens: Annotated[int, Meta(ge=16)] | None = None
    max_tool_calls: Annotated[int, Meta(ge=1)] | None = None
    metadata: Metadata | None = None
    moderation: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    reasoning: Reasoning | None = None
    safety_identifier: Identifier | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    text: TextOptions | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    top_p: TopP | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None


_INERT: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "context_management": (),
    "conversation": (),
    "moderation": (),
    "prompt": (),
    "prompt_cache_options": (),
    "prompt_cache_retention": ("in_memory",),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
"""Parameters that this version does not act on, each with the values that ask for nothing beyond what it does."""


def parse(body: ResponseBody) -> Ask:
    """Read a body. Raises Invalid or Unsupported that names the parameter.

    `model` and `input` may be left out, as the reference has it: then the server's default model answers, and it is
    asked nothing beyond the instructions and the history.
    """
    refuse(body, _INERT)
    refuse_stream_options(body.stream, body.stream_options)
    _refuse_nested(body)
    offered = functions_of(body)
    return Ask(
        model=body.model,
        items=() if body.input is None else _items(body.input),
        instructions=body.instructions,
        sampling=Sampling(temperature=body.temperature, top_p=body.top_p, max_tokens=body.max_output_tokens),
        functions=offered,
        choice=_choice(body.tool_choice, offered),
        parallel=body.parallel_tool_calls is not False,
        format=_format(body.text),
        previous=body.previous_response_id,
        keep=body.store is not False,
    )


class CountBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `responses.input_tokens.count`."""

    model: str | None = None
    input: str | list[Raw] | None = None
    instructions: str | None = None
    conversation: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    personality: Identifier | None = None
    previous_response_id: str | None = None
    reasoning: Reasoning | None = None
    text: TextOptions | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    truncation: Literal["auto", "disabled"] | None = None


def parse_count(body: CountBody) -> Ask:
    """Read a body whose tokens are only to be counted. Raises what `parse` raises."""
    refuse(body, {"personality": ()})
    return parse(
        ResponseBody(
            model=body.model,
            input=body.input,
            instructions=body.instructions,
            conversation=body.conversation,
            parallel_tool_calls=body.parallel_tool_calls,
            previous_response_id=body.previous_response_id,
            reasoning=body.reasoning,
            text=body.text,
            tool_choice=body.tool_choice,
            tools=body.tools,
            truncation=body.truncation,
        )
    )


def unknown_model(name: str, why: str) -> Fault:
    """On this surface an unknown model is a 400 that names the parameter."""
    return Invalid(why, "model_not_found", "model")


def _refuse_nested(body: ResponseBody) -> None:
    if body.reasoning is not None and body.reasoning.effort not in (None, "none"):
        raise Unsupported(
            f"Unsupported value: 'reasoning.effort' does not support '{body.reasoning.effort}' with this model. "
            "Supported values are: 'none'.",
            "reasoning.effort",
            "unsupported_value",
        )
    if body.reasoning is not None and (body.reasoning.summary or body.reasoning.generate_summary):
        raise Unsupported(
            "Unsupported parameter: 'reasoning.summary' is not supported with this model.", "reasoning.summary"
        )
    if body.reasoning is not None and (body.reasoning.mode or body.reasoning.context):
        param = "reasoning.mode" if body.reasoning.mode else "reasoning.context"
        raise Unsupported(f"Unsupported parameter: '{param}' is not supported with this model.", param)
    if body.text is not None and body.text.verbosity not in (None, "medium"):
        raise Unsupported(
            f"Unsupported value: 'text.verbosity' does not support '{body.text.verbosity}' with this model. "
            "Supported values are: 'medium'.",
            "text.verbosity",
            "unsupported_value",
        )
    if body.include and "message.output_text.logprobs" in body.include:
        raise Unsupported("Unsupported value: 'message.output_text.logprobs' is not supported here.", "include")


class FunctionTool(FunctionBody, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="function"):
    """A function, as a tool of this surface."""


class FunctionChoice(Struct, frozen=True, forbid_unknown_fields=True, tag="function"):
    """The function that must be called."""

    name: str


class AllowedTool(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the tools that may be called now."""

    type: Literal["function"]
    name: str


class AllowedTools(Struct, frozen=True, forbid_unknown_fields=True, tag="allowed_tools"):
    """The tools that may be called now."""

    mode: Literal["auto", "required"]
    tools: Annotated[tuple[AllowedTool, ...], Meta(min_length=1)]


def functions_of(body: ResponseBody) -> tuple[Function, ...]:
    """The functions that a body offers. Raises Invalid or Unsupported that names the tool."""
    tools = body.tools or []
    paths = [f"tools[{index}]" for index in range(len(tools))]
    for tool, path in zip(tools, paths, strict=True):
        if tool.get("type", "function") != "function":
            raise Unsupported(
                f"Unsupported value: '{path}.type' does not support '{tool['type']}' on this server. "
                "Supported values are: 'function'.",
                f"{path}.type",
                "unsupported_value",
            )
    bodies = [read(tool, FunctionTool, path) for tool, path in zip(tools, paths, strict=True)]
    return functions(bodies, paths, default_strict=True)


def _choice(given: str | dict[str, Any] | None, offered: tuple[Function, ...]) -> Choice:
    if given is None:
        return Choice()
    if isinstance(given, str):
        return choice(choice_mode(given), (), offered)
    if given.get("type") not in ("function", "allowed_tools"):
        raise Unsupported(
            "Unsupported value: 'tool_choice.type' is only supported here as 'function' or 'allowed_tools'.",
            "tool_choice.type",
            "unsupported_value",
        )
    if given["type"] == "allowed_tools":
        allowed = read(given, AllowedTools, "tool_choice")
        return choice(allowed.mode, tuple(tool.name for tool in allowed.tools), offered)
    return choice("required", (read(given, FunctionChoice, "tool_choice").name,), offered)


def _format(text: TextOptions | None) -> JsonFormat | None:
    match text and text.format:
        case JsonObjectFormat():
            return JsonFormat()
        case JsonSchemaFormat() as wanted:
            return json_format(wanted.name, wanted.schema, wanted.description, wanted.strict, "text.format")
    return None


class _Peek(Struct):
    type: str = "message"
    role: str | None = None


class _InputMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Literal["message"] = "message"
    id: str | None = None
    status: Status | None = None
    role: Role
    content: str | tuple[Raw, ...]
    phase: Phase | None = None


_peek: Decoder[_Peek] = Decoder(_Peek)
_message: Decoder[_InputMessage] = Decoder(_InputMessage)
_input_text: Decoder[InputText] = Decoder(InputText)
_output_text: Decoder[OutputText] = Decoder(OutputText)
_refusal: Decoder[Refusal] = Decoder(Refusal)
_call: Decoder[FunctionCall] = Decoder(FunctionCall)
_call_output: Decoder[FunctionCallOutput] = Decoder(FunctionCallOutput)
_PARTS = {"input_text": _input_text, "output_text": _output_text, "refusal": _refusal}
_LATER = ("input_image", "input_file", "input_audio")


def _items(given: str | list[Raw]) -> tuple[Item, ...]:
    if isinstance(given, str):
        return (Message(role="user", content=(InputText(given),)),)
    if not given:
        raise Invalid("Invalid 'input': array empty. Expected at least one item.", "empty_array", "input")
    return tuple(_item(raw, f"input[{index}]") for index, raw in enumerate(given))


def _item(raw: Raw, path: str) -> Item:
    kind = _peek(raw, path).type
    if kind == "function_call":
        return _call(raw, path)
    if kind == "function_call_output":
        return _call_output(raw, path)
    if kind != "message":
        raise Unsupported(
            f"Invalid value: '{kind}' at '{path}.type'. This server supports items of the types 'message', "
            "'function_call' and 'function_call_output'.",
            f"{path}.type",
            "unsupported_value",
        )
    given = _message(raw, path)
    if isinstance(given.content, str):
        text = given.content
        parts: tuple[Part, ...] = (OutputText(text) if given.role == "assistant" else InputText(text),)
    else:
        parts = tuple(_part(part, given.role, f"{path}.content[{i}]") for i, part in enumerate(given.content))
    plain = Message(id=given.id, status=given.status or "completed", role=given.role, content=parts)
    return (
        plain
        if given.phase is None
        else Message(id=plain.id, status=plain.status, role=plain.role, content=parts, phase=given.phase)
    )


def _part(raw: Raw, role: Role, path: str) -> Part:
    kind = _peek(raw, path).type
    wanted = ("output_text", "refusal") if role == "assistant" else ("input_text",)
    if kind in _LATER and role != "assistant":
        raise Unsupported(
            f"Invalid value: '{kind}' at '{path}.type'. The model behind this name takes text only.",
            f"{path}.type",
            "unsupported_value",
        )
    if kind not in wanted:
        listed = " and ".join(f"'{one}'" for one in wanted)
        raise Invalid(f"Invalid value: '{kind}'. Supported values are: {listed}.", "invalid_value", f"{path}.type")
    return _PARTS[kind](raw, path)

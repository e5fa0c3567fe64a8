"""`POST /v1/responses`: the body, and what it asks for."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from freehold.core.errors import Fault, Invalid, Unsupported
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FileSearchCall,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    Item,
    ItemReference,
    Message,
    OutputText,
    Part,
    Phase,
    Refusal,
    Role,
    Status,
)
from freehold.core.items import Reasoning as ReasoningItem
from freehold.core.prompt import Ask, Effort, JsonFormat, Sampling, Template, Thoughts, Verbosity
from freehold.surfaces.common import (
    Identifier,
    Metadata,
    Temperature,
    TopP,
    caching_of,
    refuse,
    refuse_stream_options,
    tier_of,
)
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses.media import check_sources, places
from freehold.surfaces.responses.searching import parse_search
from freehold.surfaces.responses.tools import Tool, parse_choice, parse_tools
from freehold.surfaces.schema import json_format

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


DEFAULT_COMPACTION = 16_384
"""The compaction threshold of an entry that names none, in tokens."""

GivenItem = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/InputItem"})]
GivenPart = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/InputPart"})]
"""Decoded later, each by its own kind; the OpenAPI document says what they are."""


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
    verbosity: Verbosity | None = None


class ContextManagement(Struct, frozen=True, forbid_unknown_fields=True):
    """When the conversation is compacted; the threshold is in tokens."""

    type: Literal["compaction"]
    compact_threshold: Annotated[int, Meta(ge=1000)] | None = None


class ConversationParam(Struct, frozen=True, forbid_unknown_fields=True):
    """The conversation that a response belongs to."""

    id: str


class ResponseBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `responses.create`."""

    model: str | None = None
    input: str | list[GivenItem] | None = None
    instructions: str | None = None
    background: bool | None = None
    context_management: Annotated[list[ContextManagement], Meta(min_length=1)] | None = None
    conversation: str | ConversationParam | None = None
    include: list[Include] | None = None
    max_output_tokens: Annotated[int, Meta(ge=16)] | None = None
    max_tool_calls: Annotated[int, Meta(ge=1)] | None = None
    metadata: Metadata | None = None
    moderation: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: Template | None = None
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
    tools: list[Tool] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    top_p: TopP | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None


_INERT: dict[str, tuple[Any, ...]] = {
    "moderation": (),
    "prompt_cache_options": (),
}
"""Parameters that this version does not act on, each with the values that ask for nothing beyond what it does."""


def parse(body: ResponseBody) -> Ask:
    """Read a body. Raises Invalid or Unsupported that names the parameter.

    `model` and `input` may be left out, as the reference has it: then the server's default model answers, and it is
    asked nothing beyond the instructions and the history.
    """
    refuse(body, _INERT)
    refuse_stream_options(body.stream, body.stream_options)
    if body.background and body.store is False:
        raise Invalid(
            "Background responses have to be stored: 'background' cannot be used where 'store' is false.",
            "invalid_value",
            "background",
        )
    offered = parse_tools(body.tools)
    items = () if body.input is None else parse_items(body.input, "input")
    return Ask(
        model=body.model,
        items=items,
        places=places(items, "input"),
        instructions=body.instructions,
        sampling=_sampling(body),
        functions=offered,
        search=parse_search(body.tools, body.max_tool_calls),
        choice=parse_choice(body.tool_choice, offered),
        parallel=body.parallel_tool_calls is not False,
        format=_format(body.text),
        thoughts=_thoughts(body),
        verbosity=None if body.text is None else body.text.verbosity,
        template=body.prompt,
        truncate=body.truncation == "auto",
        compact_at=_compact_at(body.context_management),
        previous=body.previous_response_id,
        conversation=conversation_id(body.conversation),
        keep=body.store is not False,
        tier=tier_of(body.service_tier),
        caching=caching_of(body.prompt_cache_key, body.prompt_cache_retention),
    )


LongText = Annotated[str, Meta(max_length=10_485_760)]


class CountBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `responses.input_tokens.count`."""

    model: str | None = None
    input: LongText | list[GivenItem] | None = None
    instructions: str | None = None
    conversation: str | ConversationParam | None = None
    parallel_tool_calls: bool | None = None
    personality: str | None = None
    previous_response_id: str | None = None
    reasoning: Reasoning | None = None
    text: TextOptions | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[Tool] | None = None
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


def conversation_id(given: str | ConversationParam | None) -> str | None:
    """The id of the conversation that is named, in either way."""
    return given.id if isinstance(given, ConversationParam) else given


class CompactBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `responses.compact`."""

    model: str | None
    input: LongText | list[GivenItem] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    prompt_cache_key: Identifier | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    service_tier: Literal["auto", "default", "flex", "priority", "fast"] | None = None


def parse_compact(body: CompactBody) -> Ask:
    """Read a body whose conversation is to be compacted. Raises what `parse` raises."""
    if body.input is None and body.previous_response_id is None:
        raise Invalid(
            "One of 'input' or 'previous_response_id' must be provided.", "missing_required_parameter", "input"
        )
    return parse(
        ResponseBody(
            model=body.model,
            input=body.input,
            instructions=body.instructions,
            previous_response_id=body.previous_response_id,
            prompt_cache_key=body.prompt_cache_key,
            prompt_cache_options=body.prompt_cache_options,
            prompt_cache_retention=body.prompt_cache_retention,
            service_tier=body.service_tier,
        )
    )


def unknown_model(name: str, why: str) -> Fault:
    """On this surface an unknown model is a 400 that names the parameter."""
    return Invalid(why, "model_not_found", "model")


def _sampling(body: ResponseBody) -> Sampling:
    shown = "message.output_text.logprobs" in (body.include or ())
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_output_tokens,
        logprobs=body.top_logprobs or 0 if shown or body.top_logprobs else None,
    )


def _thoughts(body: ResponseBody) -> Thoughts:
    given = body.reasoning or Reasoning()
    if given.mode not in (None, "standard"):
        raise Unsupported(
            f"Unsupported value: 'reasoning.mode' does not support '{given.mode}' on this server. "
            "Supported values are: 'standard'.",
            "reasoning.mode",
            "unsupported_value",
        )
    return Thoughts(
        effort=given.effort,
        summary=given.summary or given.generate_summary,
        sealed="reasoning.encrypted_content" in (body.include or ()),
        every=given.context == "all_turns",
    )


def _compact_at(entries: list[ContextManagement] | None) -> int | None:
    thresholds = [one.compact_threshold or DEFAULT_COMPACTION for one in entries or ()]
    return min(thresholds, default=None)


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


class InputMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message as it is sent; without a `type`, an item is one."""

    type: Literal["message"] = "message"
    id: str | None = None
    status: Status | None = None
    role: Role
    content: str | tuple[GivenPart, ...]
    phase: Phase | None = None


_peek: Decoder[_Peek] = Decoder(_Peek)
_message: Decoder[InputMessage] = Decoder(InputMessage)
_input_text: Decoder[InputText] = Decoder(InputText)
_output_text: Decoder[OutputText] = Decoder(OutputText)
_refusal: Decoder[Refusal] = Decoder(Refusal)
_others: dict[str, Decoder[Any]] = {
    "function_call": Decoder(FunctionCall),
    "function_call_output": Decoder(FunctionCallOutput),
    "custom_tool_call": Decoder(CustomToolCall),
    "custom_tool_call_output": Decoder(CustomToolCallOutput),
    "file_search_call": Decoder(FileSearchCall),
    "reasoning": Decoder(ReasoningItem),
    "compaction": Decoder(Compaction),
    "item_reference": Decoder(ItemReference),
}
_PARTS: dict[str, Decoder[Any]] = {
    "input_text": _input_text,
    "input_image": Decoder(InputImage),
    "input_file": Decoder(InputFile),
    "output_text": _output_text,
    "refusal": _refusal,
}
_GIVEN = ("input_text", "input_image", "input_file")


def parse_items(given: str | list[Raw], path: str) -> tuple[Item, ...]:
    """Read the items that stand at `path`; a text is what the user says. Raises Invalid or Unsupported."""
    if isinstance(given, str):
        return (Message(role="user", content=(InputText(given),)),)
    if not given:
        raise Invalid(f"Invalid '{path}': array empty. Expected at least one item.", "empty_array", path)
    return tuple(_item(raw, f"{path}[{index}]") for index, raw in enumerate(given))


def _item(raw: Raw, path: str) -> Item:
    kind = _peek(raw, path).type
    if kind in _others:
        item = _others[kind](raw, path)
        if isinstance(item, FunctionCallOutput | CustomToolCallOutput) and not isinstance(item.output, str):
            for index, part in enumerate(item.output):
                check_sources(part, f"{path}.output[{index}]")
        return item
    if kind != "message":
        listed = ", ".join(f"'{one}'" for one in _others)
        raise Unsupported(
            f"Invalid value: '{kind}' at '{path}.type'. This server supports items of the types 'message', {listed}.",
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
    wanted = ("output_text", "refusal") if role == "assistant" else _GIVEN
    if kind not in wanted:
        listed = ", ".join(f"'{one}'" for one in wanted[:-1]) + f" and '{wanted[-1]}'"
        raise Invalid(f"Invalid value: '{kind}'. Supported values are: {listed}.", "invalid_value", f"{path}.type")
    part = _PARTS[kind](raw, path)
    check_sources(part, path)
    return part

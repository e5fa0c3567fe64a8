"""`POST /v1/chat/completions`: the body, and what it asks for."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Fault, Invalid, NotFound, Unsupported
from freehold.core.items import (
    CustomToolCall,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    Item,
    Message,
    OutputText,
    Part,
)
from freehold.core.items import Refusal as RefusalPart
from freehold.core.prompt import Ask, Choice, Effort, Function, JsonFormat, Sampling, Thoughts, Verbosity
from freehold.surfaces.chat.media import AudioPart, FilePart, ImagePart, media
from freehold.surfaces.chat.tools import Tool, parse_choice, parse_function_call, parse_functions, parse_tools
from freehold.surfaces.common import (
    Bias,
    Identifier,
    Metadata,
    Penalty,
    Temperature,
    TopP,
    biases,
    caching_of,
    refuse,
    refuse_stream_options,
    tier_of,
)
from freehold.surfaces.schema import json_format


class TextPart(Struct, frozen=True, tag="text", forbid_unknown_fields=True):
    """A text part."""

    text: str


class RefusalContent(Struct, frozen=True, tag="refusal", forbid_unknown_fields=True):
    """A refusal that the assistant gave earlier."""

    refusal: str


Instructing = str | Annotated[tuple[TextPart, ...], Meta(min_length=1)]
UserContent = str | Annotated[tuple[TextPart | ImagePart | AudioPart | FilePart, ...], Meta(min_length=1)]
AssistantContent = str | Annotated[tuple[TextPart | RefusalContent, ...], Meta(min_length=1)]


class SystemMessage(Struct, frozen=True, tag_field="role", tag="system", forbid_unknown_fields=True):
    """Instructions."""

    content: Instructing
    name: str | None = None


class DeveloperMessage(Struct, frozen=True, tag_field="role", tag="developer", forbid_unknown_fields=True):
    """Instructions, in the newer name of the role."""

    content: Instructing
    name: str | None = None


class UserMessage(Struct, frozen=True, tag_field="role", tag="user", forbid_unknown_fields=True):
    """What the user says."""

    content: UserContent
    name: str | None = None


class CalledFunction(Struct, frozen=True, forbid_unknown_fields=True):
    """The function of a call that was made, with its arguments as JSON."""

    name: str
    arguments: str


class ToolCall(Struct, frozen=True, forbid_unknown_fields=True, tag="function"):
    """A call that was made."""

    id: str
    function: CalledFunction


class CalledTool(Struct, frozen=True, forbid_unknown_fields=True):
    """The custom tool of a call that was made, with its input."""

    name: str
    input: str


class CustomCall(Struct, frozen=True, forbid_unknown_fields=True, tag="custom"):
    """A call of a custom tool that was made."""

    id: str
    custom: CalledTool


class AssistantMessage(Struct, frozen=True, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    """What the model said earlier, as the SDKs send it back."""

    content: AssistantContent | None = None
    refusal: str | None = None
    name: str | None = None
    audio: dict[str, Any] | None = None
    tool_calls: tuple[ToolCall | CustomCall, ...] | None = None
    function_call: CalledFunction | None = None
    annotations: list[Any] | None = None


class ToolMessage(Struct, frozen=True, tag_field="role", tag="tool", forbid_unknown_fields=True):
    """The result of a tool call."""

    content: Instructing
    tool_call_id: str


class FunctionMessage(Struct, frozen=True, tag_field="role", tag="function", forbid_unknown_fields=True):
    """The result of a legacy function call."""

    content: str | None
    name: str


ChatMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage


class StreamOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How the stream is written."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class TextFormat(Struct, frozen=True, tag="text", forbid_unknown_fields=True):
    """Plain text."""


class JsonObjectFormat(Struct, frozen=True, tag="json_object", forbid_unknown_fields=True):
    """Some JSON object."""


class SchemaBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named schema."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class JsonSchemaFormat(Struct, frozen=True, tag="json_schema", forbid_unknown_fields=True):
    """JSON that follows a schema."""

    json_schema: SchemaBody


class Prediction(Struct, frozen=True, forbid_unknown_fields=True):
    """Text that much of the answer is expected to repeat. It can only make an answer faster, never change it."""

    type: Literal["content"]
    content: Instructing


class ChatBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `chat.completions.create`."""

    model: str
    messages: Annotated[tuple[ChatMessage, ...], Meta(min_length=1)]
    audio: dict[str, Any] | None = None
    frequency_penalty: Penalty | None = None
    function_call: str | dict[str, Any] | None = None
    functions: Annotated[list[Any], Meta(min_length=1, max_length=128)] | None = None
    logit_bias: dict[str, Bias] | None = None
    logprobs: bool | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    metadata: Metadata | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    moderation: dict[str, Any] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    parallel_tool_calls: bool | None = None
    prediction: Prediction | None = None
    presence_penalty: Penalty | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    reasoning_effort: Effort | None = None
    response_format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    safety_identifier: Identifier | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    stop: str | Annotated[tuple[str, ...], Meta(min_length=1, max_length=4)] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[Tool] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    top_p: TopP | None = None
    user: str | None = None
    verbosity: Verbosity | None = None
    web_search_options: dict[str, Any] | None = None


_INERT: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "modalities": (["text"],),
    "moderation": (),
    "prompt_cache_options": (),
    "web_search_options": (),
}
"""Parameters that this version does not act on, each with the values that ask for nothing beyond what it does."""


def parse(body: ChatBody) -> Ask:
    """Read a body. Raises Invalid or Unsupported that names the parameter."""
    refuse(body, _INERT)
    refuse_stream_options(body.stream, body.stream_options)
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise Invalid(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "invalid_parameter_combination",
            "max_tokens",
        )
    offered, chosen = _tools(body)
    return Ask(
        model=body.model,
        items=tuple(
            item for index, message in enumerate(body.messages) for item in _items(message, f"messages[{index}]")
        ),
        places=_places(body.messages),
        functions=offered,
        choice=chosen,
        parallel=body.parallel_tool_calls is not False and body.functions is None,
        format=_format(body),
        thoughts=Thoughts(effort=body.reasoning_effort),
        verbosity=body.verbosity,
        choices=body.n or 1,
        sampling=_sampling(body),
        keep=body.store is True,
        tier=tier_of(body.service_tier),
        caching=caching_of(body.prompt_cache_key, body.prompt_cache_retention),
        predicted=_predicted(body.prediction),
    )


def unknown_model(name: str, why: str) -> Fault:
    """On this surface an unknown model is a 404 that names no parameter."""
    return NotFound(why, "model_not_found")


def _sampling(body: ChatBody) -> Sampling:
    if body.top_logprobs is not None and not body.logprobs:
        raise Invalid(
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "invalid_value", "top_logprobs"
        )
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens,
        stop=(body.stop,) if isinstance(body.stop, str) else body.stop or (),
        seed=body.seed,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        logit_bias=biases(body.logit_bias or {}),
        logprobs=body.top_logprobs or 0 if body.logprobs else None,
    )


def _predicted(given: Prediction | None) -> str:
    if given is None:
        return ""
    return given.content if isinstance(given.content, str) else "".join(part.text for part in given.content)


def _tools(body: ChatBody) -> tuple[tuple[Function, ...], Choice]:
    if body.functions is None:
        if body.function_call is not None:
            raise Invalid("'function_call' is only allowed when 'functions' are specified.", None, "function_call")
        offered = parse_tools(body.tools)
        return offered, parse_choice(body.tool_choice, offered)
    if body.tools:
        raise Invalid("'functions' and 'tools' cannot be used together.", "invalid_value", "functions")
    offered = parse_functions(body.functions)
    return offered, parse_function_call(body.function_call, offered)


def _format(body: ChatBody) -> JsonFormat | None:
    match body.response_format:
        case JsonObjectFormat():
            return JsonFormat()
        case JsonSchemaFormat(json_schema=wanted):
            param = "response_format.json_schema"
            return json_format(wanted.name, wanted.schema or {}, wanted.description, wanted.strict, param)
    return None


def _items(message: ChatMessage, path: str) -> tuple[Item, ...]:
    match message:
        case SystemMessage() | DeveloperMessage():
            role = "system" if isinstance(message, SystemMessage) else "developer"
            return (Message(role=role, content=_inputs(message.content, path)),)
        case UserMessage():
            return (Message(role="user", content=_inputs(message.content, path)),)
        case AssistantMessage():
            return _assistant(message, path)
        case ToolMessage():
            text = message.content if isinstance(message.content, str) else "".join(p.text for p in message.content)
            return (FunctionCallOutput(call_id=message.tool_call_id, output=text),)
        case FunctionMessage():
            return (FunctionCallOutput(call_id=f"call_{message.name}", output=message.content or ""),)


def _inputs(content: UserContent | Instructing, path: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (InputText(content),)
    return tuple(_part(part, f"{path}.content[{index}]") for index, part in enumerate(content))


def _part(part: TextPart | ImagePart | AudioPart | FilePart, path: str) -> Part:
    match part:
        case TextPart():
            return InputText(part.text)
        case AudioPart():
            raise Unsupported(
                f"Invalid value: 'input_audio' at '{path}.type'. The model behind this name does not hear.",
                f"{path}.type",
                "unsupported_value",
            )
        case ImagePart() | FilePart():
            return media(part, path)[0]


def _places(messages: tuple[ChatMessage, ...]) -> dict[InputImage | InputFile, str]:
    """Return the path of the source of each image and file."""
    contents = [(place, one.content) for place, one in enumerate(messages) if isinstance(one, UserMessage)]
    found = [
        media(part, f"messages[{place}].content[{index}]")
        for place, content in contents
        if not isinstance(content, str)
        for index, part in enumerate(content)
        if isinstance(part, ImagePart | FilePart)
    ]
    return dict(reversed(found))


def _assistant(message: AssistantMessage, path: str) -> tuple[Item, ...]:
    if message.audio:
        raise Unsupported(f"Unsupported parameter: '{path}.audio' is not supported here.", f"{path}.audio")
    parts: list[Part] = []
    if isinstance(message.content, str):
        parts.append(OutputText(message.content))
    for part in message.content if isinstance(message.content, tuple) else ():
        parts.append(OutputText(part.text) if isinstance(part, TextPart) else RefusalPart(part.refusal))
    if message.refusal is not None:
        parts.append(RefusalPart(message.refusal))
    calls: list[Item] = [
        FunctionCall(call_id=call.id, name=call.function.name, arguments=call.function.arguments)
        if isinstance(call, ToolCall)
        else CustomToolCall(call_id=call.id, name=call.custom.name, input=call.custom.input)
        for call in message.tool_calls or ()
    ]
    if message.function_call is not None:
        called = message.function_call
        calls.append(FunctionCall(call_id=f"call_{called.name}", name=called.name, arguments=called.arguments))
    if not parts and not calls:
        raise Invalid(
            f"Invalid value for '{path}.content': expected a string, got null.", "invalid_type", f"{path}.content"
        )
    said = (Message(role="assistant", content=tuple(parts)),) if parts else ()
    return (*said, *calls)

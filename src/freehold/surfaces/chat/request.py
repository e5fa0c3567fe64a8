"""`POST /v1/chat/completions`: the body, and what it asks for."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Fault, Invalid, NotFound, Unsupported
from freehold.core.items import InputText, Item, Message, OutputText, Part
from freehold.core.items import Refusal as RefusalPart
from freehold.core.prompt import Ask, Sampling
from freehold.surfaces.common import (
    Identifier,
    Metadata,
    Penalty,
    Temperature,
    TopP,
    refuse,
    refuse_stream_options,
)


class TextPart(Struct, frozen=True, tag="text", forbid_unknown_fields=True):
    """A text part."""

    text: str


class RefusalContent(Struct, frozen=True, tag="refusal", forbid_unknown_fields=True):
    """A refusal that the assistant gave earlier."""

    refusal: str


class ImagePart(Struct, frozen=True, tag="image_url"):
    """An image part; refused by models without eyes."""


class AudioPart(Struct, frozen=True, tag="input_audio"):
    """An audio part; refused by models without ears."""


class FilePart(Struct, frozen=True, tag="file"):
    """A file part; refused for now."""


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


class AssistantMessage(Struct, frozen=True, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    """What the model said earlier, as the SDKs send it back."""

    content: AssistantContent | None = None
    refusal: str | None = None
    name: str | None = None
    audio: dict[str, Any] | None = None
    tool_calls: list[Any] | None = None
    function_call: dict[str, Any] | None = None
    annotations: list[Any] | None = None


class ToolMessage(Struct, frozen=True, tag_field="role", tag="tool"):
    """The result of a tool call; refused for now."""


class FunctionMessage(Struct, frozen=True, tag_field="role", tag="function"):
    """The result of a legacy function call; refused for now."""


ChatMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage


class StreamOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How the stream is written."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class TextFormat(Struct, frozen=True, tag="text", forbid_unknown_fields=True):
    """Plain text."""


class JsonObjectFormat(Struct, frozen=True, tag="json_object", forbid_unknown_fields=True):
    """Some JSON object."""


class JsonSchemaFormat(Struct, frozen=True, tag="json_schema", forbid_unknown_fields=True):
    """JSON that follows a schema."""

    json_schema: dict[str, Any]


class ChatBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every documented parameter of `chat.completions.create`."""

    model: str
    messages: Annotated[tuple[ChatMessage, ...], Meta(min_length=1)]
    audio: dict[str, Any] | None = None
    frequency_penalty: Penalty | None = None
    function_call: str | dict[str, Any] | None = None
    functions: Annotated[list[Any], Meta(min_length=1, max_length=128)] | None = None
    logit_bias: dict[str, int] | None = None
    logprobs: bool | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    metadata: Metadata | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    moderation: dict[str, Any] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    parallel_tool_calls: bool | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: Penalty | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
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
    tools: list[dict[str, Any]] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    top_p: TopP | None = None
    user: str | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: dict[str, Any] | None = None


_INERT: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "function_call": ("auto", "none"),
    "functions": (),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "prediction": (),
    "prompt_cache_options": (),
    "prompt_cache_retention": ("in_memory",),
    "reasoning_effort": ("none",),
    "response_format": (TextFormat(),),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "tool_choice": ("auto", "none"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
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
    return Ask(
        model=body.model,
        items=tuple(_item(message, f"messages[{index}]") for index, message in enumerate(body.messages)),
        sampling=Sampling(
            temperature=body.temperature,
            top_p=body.top_p,
            max_tokens=body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens,
            stop=(body.stop,) if isinstance(body.stop, str) else body.stop or (),
            seed=body.seed,
            presence_penalty=body.presence_penalty or 0.0,
            frequency_penalty=body.frequency_penalty or 0.0,
        ),
    )


def unknown_model(name: str, why: str) -> Fault:
    """On this surface an unknown model is a 404 that names no parameter."""
    return NotFound(why, "model_not_found")


def _item(message: ChatMessage, path: str) -> Item:
    match message:
        case SystemMessage() | DeveloperMessage():
            role = "system" if isinstance(message, SystemMessage) else "developer"
            return Message(role=role, content=_inputs(message.content, path))
        case UserMessage():
            return Message(role="user", content=_inputs(message.content, path))
        case AssistantMessage():
            return _assistant(message, path)
        case _:
            raise Unsupported(
                f"Unsupported value: '{path}.role' names a tool's result, and this server does not take tools yet.",
                f"{path}.role",
                "unsupported_value",
            )


def _inputs(content: UserContent | Instructing, path: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (InputText(content),)
    for index, part in enumerate(content):
        if not isinstance(part, TextPart):
            kind, where = part.__struct_config__.tag, f"{path}.content[{index}].type"
            raise Unsupported(
                f"Invalid value: '{kind}' at '{where}'. The model behind this name takes text only.",
                where,
                "unsupported_value",
            )
    return tuple(InputText(part.text) for part in content if isinstance(part, TextPart))


def _assistant(message: AssistantMessage, path: str) -> Item:
    for name in ("audio", "tool_calls", "function_call"):
        if getattr(message, name):
            raise Unsupported(f"Unsupported parameter: '{path}.{name}' is not supported here.", f"{path}.{name}")
    parts: list[Part] = []
    if isinstance(message.content, str):
        parts.append(OutputText(message.content))
    for part in message.content if isinstance(message.content, tuple) else ():
        parts.append(OutputText(part.text) if isinstance(part, TextPart) else RefusalPart(part.refusal))
    if message.refusal is not None:
        parts.append(RefusalPart(message.refusal))
    if not parts:
        raise Invalid(
            f"Invalid value for '{path}.content': expected a string, got null.", "invalid_type", f"{path}.content"
        )
    return Message(role="assistant", content=tuple(parts))

"""Items: the units a conversation is made of, in the one shape in which they are sent, stored and read again.

They are the item types of the Responses API; every other surface translates to and from them. `id` is None on an
item that a client sent without one; storage gives it one.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from freehold.core.filters import Value

Role = Literal["user", "assistant", "system", "developer"]
Status = Literal["in_progress", "completed", "incomplete"]
SearchStatus = Literal["in_progress", "searching", "completed", "incomplete", "failed"]
Phase = Literal["commentary", "final_answer"]


class InputText(Struct, frozen=True, tag="input_text", forbid_unknown_fields=True):
    """Text that a user, developer or system message brings in."""

    text: str


class InputImage(Struct, frozen=True, kw_only=True, tag="input_image", forbid_unknown_fields=True):
    """An image that is brought in: by a URL (also a `data:` one) or as an uploaded file."""

    detail: Literal["auto", "low", "high", "original"] | None = "auto"
    image_url: str | None = None
    file_id: str | None = None


class InputFile(Struct, frozen=True, kw_only=True, tag="input_file", forbid_unknown_fields=True):
    """A file that is brought in: by a URL, as base64 (`file_data`) or as an uploaded file."""

    detail: Literal["auto", "low", "high"] | UnsetType = UNSET
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None


class TopLogprob(Struct, frozen=True):
    """A token that could have stood in a place; `bytes` are its UTF-8."""

    token: str
    bytes: tuple[int, ...]
    logprob: float


class Logprob(Struct, frozen=True):
    """The token of a place and, most likely first, those that could have stood there."""

    token: str
    bytes: tuple[int, ...]
    logprob: float
    top_logprobs: tuple[TopLogprob, ...] = ()


class FileCitation(Struct, frozen=True, kw_only=True, tag="file_citation"):
    """The text up to the character `index` is taken from a file."""

    file_id: str
    filename: str
    index: int


class OutputText(Struct, frozen=True, tag="output_text", forbid_unknown_fields=True):
    """Text that the model wrote. Annotations of other kinds are kept as a client sent them."""

    text: str
    annotations: tuple[Any, ...] = ()
    logprobs: tuple[Logprob, ...] = ()


class Refusal(Struct, frozen=True, tag="refusal", forbid_unknown_fields=True):
    """The model's explanation of why it declines."""

    refusal: str


Part = InputText | InputImage | InputFile | OutputText | Refusal
Given = InputText | InputImage | InputFile


class Message(Struct, frozen=True, kw_only=True, tag="message"):
    """Something said by one role, in parts. `phase` is kept as the client sent it, and is left out where it did not."""

    id: str | None = None
    status: Status = "completed"
    role: Role
    content: tuple[Part, ...]
    phase: Phase | UnsetType | None = UNSET


class FunctionCall(Struct, frozen=True, kw_only=True, tag="function_call", forbid_unknown_fields=True):
    """The model asks the client to call a function; `arguments` is JSON, `call_id` is what the output refers to."""

    id: str | None = None
    status: Status = "completed"
    call_id: str
    name: str
    arguments: str


class FunctionCallOutput(Struct, frozen=True, kw_only=True, tag="function_call_output", forbid_unknown_fields=True):
    """What a function call gave."""

    id: str | None = None
    status: Status = "completed"
    call_id: str
    output: str | tuple[Given, ...]


class CustomToolCall(Struct, frozen=True, kw_only=True, tag="custom_tool_call", forbid_unknown_fields=True):
    """The model asks the client to call a custom tool with a free text; `call_id` is what the output refers to."""

    id: str | None = None
    status: Status = "completed"
    call_id: str
    name: str
    input: str


class CustomToolCallOutput(
    Struct, frozen=True, kw_only=True, tag="custom_tool_call_output", forbid_unknown_fields=True
):
    """What a custom tool gave."""

    id: str | None = None
    status: Status = "completed"
    call_id: str
    output: str | tuple[Given, ...]


class FileResult(Struct, frozen=True, kw_only=True):
    """A passage that was found in a file; `score` is from 0 to 1, `page` where it begins in a file that has pages."""

    attributes: dict[str, Value] | None = None
    file_id: str
    filename: str
    score: float
    text: str
    page: int | UnsetType = UNSET


class FileSearchCall(Struct, frozen=True, kw_only=True, tag="file_search_call", forbid_unknown_fields=True):
    """The server searched files for the model. `results` is None where they are not shown, and where it failed."""

    id: str | None = None
    status: SearchStatus = "completed"
    queries: tuple[str, ...]
    results: tuple[FileResult, ...] | None = None


class SummaryText(Struct, frozen=True, tag="summary_text", forbid_unknown_fields=True):
    """A part of the summary of the model's thinking."""

    text: str


class ReasoningText(Struct, frozen=True, tag="reasoning_text", forbid_unknown_fields=True):
    """What the model thought, word for word."""

    text: str


class Reasoning(Struct, frozen=True, kw_only=True, tag="reasoning", forbid_unknown_fields=True):
    """The model's thinking before it answered. `encrypted_content` is the same for clients that keep the state."""

    id: str | None = None
    status: Status | None = "completed"
    summary: tuple[SummaryText, ...] = ()
    content: tuple[ReasoningText, ...] = ()
    encrypted_content: str | UnsetType | None = UNSET


class Compaction(Struct, frozen=True, kw_only=True, tag="compaction", forbid_unknown_fields=True):
    """The earlier conversation, shortened and encrypted."""

    id: str | None = None
    encrypted_content: str


class ItemReference(Struct, frozen=True, tag="item_reference", forbid_unknown_fields=True):
    """Stands for a stored item."""

    id: str


Item = (
    Message
    | FunctionCall
    | FunctionCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | FileSearchCall
    | Reasoning
    | Compaction
    | ItemReference
)
Opening = Message | FunctionCall | CustomToolCall | FileSearchCall | Reasoning | Compaction

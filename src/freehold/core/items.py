"""Items: the units a conversation is made of, in the one shape in which they are sent, stored and read again.

They are the item types of the Responses API; every other surface translates to and from them. `id` is None on an
item that a client sent without one; storage gives it one.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Role = Literal["user", "assistant", "system", "developer"]
Status = Literal["in_progress", "completed", "incomplete"]
Phase = Literal["commentary", "final_answer"]


class InputText(Struct, frozen=True, tag="input_text", forbid_unknown_fields=True):
    """Text that a user, developer or system message brings in."""

    text: str


class OutputText(Struct, frozen=True, tag="output_text", forbid_unknown_fields=True):
    """Text that the model wrote."""

    text: str
    annotations: tuple[Any, ...] = ()
    logprobs: tuple[Any, ...] = ()


class Refusal(Struct, frozen=True, tag="refusal", forbid_unknown_fields=True):
    """The model's explanation of why it declines."""

    refusal: str


Part = InputText | OutputText | Refusal


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
    output: str | tuple[InputText, ...]


Item = Message | FunctionCall | FunctionCallOutput
Opening = Message | FunctionCall

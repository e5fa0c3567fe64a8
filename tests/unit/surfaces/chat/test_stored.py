import json
from typing import Any

from msgspec import UNSET

from freehold.core.ports import Served
from freehold.surfaces.chat.objects import ChatCompletion, ChatUsage, CompletionDetails, PromptDetails
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.chat.stored import StoredMessage, stored, stored_messages
from freehold.surfaces.decode import Decoder

SERVED = Served(name="m", context=100, max_output=10, created=1, temperature=0.7, top_p=0.8)
COMPLETION = ChatCompletion(
    id="chatcmpl-1",
    created=5,
    model="gpt-5",
    choices=(),
    usage=ChatUsage(1, 1, 2, PromptDetails(), CompletionDetails()),
    system_fingerprint="fp",
)


def body(*messages: dict[str, Any], **fields: Any) -> ChatBody:
    return Decoder(ChatBody)(json.dumps({"model": "gpt-5", "messages": messages, **fields}).encode())


def test_a_stored_completion_says_what_was_asked_for() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    asked = body(
        {"role": "user", "content": "Hello."},
        temperature=0,
        presence_penalty=1,
        seed=3,
        tools=tools,
        tool_choice="auto",
        response_format={"type": "json_object"},
        user="me",
    )
    kept = stored(asked, SERVED, COMPLETION, "req_1")
    assert (kept.id, kept.created, kept.model, kept.system_fingerprint) == ("chatcmpl-1", 5, "gpt-5", "fp")
    assert (kept.temperature, kept.top_p, kept.presence_penalty, kept.frequency_penalty) == (0, 0.8, 1, 0)
    assert (kept.seed, kept.tools, kept.tool_choice) == (3, tools, "auto")
    assert (kept.response_format, kept.input_user, kept.request_id) == ({"type": "json_object"}, "me", "req_1")


def test_what_was_not_said_holds_as_the_model_has_it() -> None:
    kept = stored(body({"role": "user", "content": "Hello."}), SERVED, COMPLETION, None)
    assert (kept.temperature, kept.top_p, kept.seed, kept.tools) == (0.7, 0.8, None, None)
    assert (kept.tool_choice, kept.response_format, kept.input_user, kept.request_id) == (None, None, None, None)


def test_messages_are_kept_as_they_were_said() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    parts = [{"type": "text", "text": "What "}, {"type": "text", "text": "is it?"}]
    refusal = [{"type": "refusal", "refusal": "No."}]
    messages = body(
        {"role": "developer", "content": "Be brief.", "name": "boss"},
        {"role": "user", "content": parts},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
        {"role": "assistant", "content": refusal},
    ).messages
    assert stored_messages("chatcmpl-1", messages) == (
        StoredMessage(id="chatcmpl-1-0", role="developer", content="Be brief.", name="boss"),
        StoredMessage(id="chatcmpl-1-1", role="user", content="What is it?", content_parts=parts),
        StoredMessage(id="chatcmpl-1-2", role="assistant", content=None, tool_calls=[call]),
        StoredMessage(id="chatcmpl-1-3", role="tool", content="42", tool_call_id="call_1"),
        StoredMessage(id="chatcmpl-1-4", role="assistant", content=None, refusal="No.", content_parts=[]),
    )
    assert stored_messages("x", messages[:1])[0].tool_calls is UNSET

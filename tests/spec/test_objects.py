"""Our objects and stream events against OpenAI's OpenAPI document: no key is missing, and none is ours alone."""

import json
from pathlib import Path

import msgspec
import pytest

from freehold.core.items import Message, OutputText
from freehold.surfaces import conversations, models
from freehold.surfaces.chat import objects as chat
from freehold.surfaces.chat import stored
from freehold.surfaces.responses import objects as responses
from freehold.surfaces.responses import websocket
from tests.spec.outline import Json

SPEC: Json = json.loads((Path(__file__).parent / "openapi/objects.json").read_text())
OBJECTS: dict[str, type[msgspec.Struct]] = {
    "Response": responses.Response,
    "ResponseUsage": responses.ResponseUsage,
    "ResponseItemList": responses.ItemPage,
    "OutputMessage": Message,
    "OutputTextContent": OutputText,
    "CreateChatCompletionResponse": chat.ChatCompletion,
    "CreateChatCompletionStreamResponse": chat.Chunk,
    "ChatCompletionResponseMessage": chat.AssistantAnswer,
    "CompletionUsage": chat.ChatUsage,
    "Model": models.Model,
    "ListModelsResponse": models.ModelList,
    "ResponseCreatedEvent": responses.Created,
    "ResponseInProgressEvent": responses.InProgress,
    "ResponseCompletedEvent": responses.Completed,
    "ResponseIncompleteEvent": responses.Incomplete,
    "ResponseFailedEvent": responses.Failed,
    "ResponseOutputItemAddedEvent": responses.ItemAdded,
    "ResponseOutputItemDoneEvent": responses.ItemDone,
    "ResponseContentPartAddedEvent": responses.PartAdded,
    "ResponseContentPartDoneEvent": responses.PartDone,
    "ResponseTextDeltaEvent": responses.TextDelta,
    "ResponseTextDoneEvent": responses.TextDone,
    "ResponseWsError": websocket.Failure,
    "ErrorPayload": websocket.ErrorPayload,
    "ConversationResource": conversations.Conversation,
    "DeletedConversationResource": conversations.ConversationDeleted,
    "ConversationItemList": responses.ItemPage,
    "ChatCompletionList": stored.CompletionPage,
    "ChatCompletionMessageList": stored.MessagePage,
    "ChatCompletionDeleted": stored.CompletionDeleted,
}

BEYOND = {
    "Response": {"frequency_penalty", "presence_penalty", "store"},
    "ResponseTextDeltaEvent": {"obfuscation"},
    "Model": {"freehold"},
}
"""Keys that the document lacks: those that recorded traffic carries, and Freehold's own on the model object."""


def keys(kind: type[msgspec.Struct]) -> tuple[set[str], set[str]]:
    """The keys that a struct may be encoded with, and those that it always is."""
    fields = msgspec.structs.fields(kind)
    every = {field.encode_name for field in fields}
    always = {field.encode_name for field in fields if field.default is not msgspec.UNSET}
    tag = kind.__struct_config__.tag_field
    return (every, always) if tag is None else (every | {tag}, always | {tag})


def test_every_extracted_object_is_compared() -> None:
    assert OBJECTS.keys() == SPEC.keys()


@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_keys(name: str) -> None:
    every, always = keys(OBJECTS[name])
    assert set(SPEC[name]["required"]) - always == set()
    assert every - SPEC[name]["properties"].keys() == BEYOND.get(name, set())


@pytest.mark.parametrize("name", [name for name in OBJECTS if name.endswith("Event")])
def test_an_event_is_tagged_with_its_type(name: str) -> None:
    assert SPEC[name]["properties"]["type"]["enum"] == [OBJECTS[name].__struct_config__.tag]

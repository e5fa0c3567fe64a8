"""Our objects and stream events against OpenAI's OpenAPI document: no key is missing, and none is ours alone."""

import json
from pathlib import Path

import msgspec
import pytest

from freehold.core import items
from freehold.surfaces import (
    batches,
    conversations,
    embeddings,
    files,
    models,
    uploads,
    vector_store_files,
    vector_stores,
    webhooks,
)
from freehold.surfaces.chat import objects as chat
from freehold.surfaces.chat import stored
from freehold.surfaces.responses import objects as responses
from freehold.surfaces.responses import websocket
from freehold.surfaces.responses.searching import FileSearchTool
from tests.spec.outline import Json

SPEC: Json = json.loads((Path(__file__).parent / "openapi/objects.json").read_text())
OBJECTS: dict[str, type[msgspec.Struct]] = {
    "Response": responses.Response,
    "ResponseUsage": responses.ResponseUsage,
    "ResponseItemList": responses.ItemPage,
    "OutputMessage": items.Message,
    "OutputTextContent": items.OutputText,
    "CreateChatCompletionResponse": chat.ChatCompletion,
    "CreateChatCompletionStreamResponse": chat.Chunk,
    "ChatCompletionResponseMessage": chat.AssistantAnswer,
    "CompletionUsage": chat.ChatUsage,
    "Model": models.Model,
    "ListModelsResponse": models.ModelList,
    "ResponseCreatedEvent": responses.Created,
    "ResponseQueuedEvent": responses.Queued,
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
    "ResponseFunctionCallArgumentsDeltaEvent": responses.ArgumentsDelta,
    "ResponseFunctionCallArgumentsDoneEvent": responses.ArgumentsDone,
    "ResponseCustomToolCallInputDeltaEvent": responses.InputDelta,
    "ResponseCustomToolCallInputDoneEvent": responses.InputDone,
    "ResponseFileSearchCallInProgressEvent": responses.SearchBegun,
    "ResponseFileSearchCallSearchingEvent": responses.Searching,
    "ResponseFileSearchCallCompletedEvent": responses.Searched,
    "ResponseOutputTextAnnotationAddedEvent": responses.AnnotationAdded,
    "FileSearchToolCall": items.FileSearchCall,
    "FileSearchTool": FileSearchTool,
    "FileCitationBody": items.FileCitation,
    "ResponseRefusalDeltaEvent": responses.RefusalDelta,
    "ResponseRefusalDoneEvent": responses.RefusalDone,
    "ResponseReasoningTextDeltaEvent": responses.ThoughtDelta,
    "ResponseReasoningTextDoneEvent": responses.ThoughtDone,
    "ResponseReasoningSummaryPartAddedEvent": responses.SummaryAdded,
    "ResponseReasoningSummaryPartDoneEvent": responses.SummaryDone,
    "ResponseReasoningSummaryTextDeltaEvent": responses.SummaryDelta,
    "ResponseReasoningSummaryTextDoneEvent": responses.SummaryTextDone,
    "ResponseLogProb": items.Logprob,
    "CompactResource": responses.Compacted,
    "TokenCountsResource": responses.InputTokens,
    "RefusalContent": items.Refusal,
    "SummaryTextContent": items.SummaryText,
    "ReasoningTextContent": items.ReasoningText,
    "LogProb": items.Logprob,
    "TopLogProb": items.TopLogprob,
    "FunctionToolCallResource": items.FunctionCall,
    "FunctionToolCallOutputResource": items.FunctionCallOutput,
    "CustomToolCallResource": items.CustomToolCall,
    "CustomToolCallOutputResource": items.CustomToolCallOutput,
    "ReasoningItem": items.Reasoning,
    "CompactionBody": items.Compaction,
    "ItemReferenceParam": items.ItemReference,
    "InputTextContent": items.InputText,
    "InputImageContent": items.InputImage,
    "InputFileContent": items.InputFile,
    "ChatCompletionTokenLogprob": items.Logprob,
    "ChatCompletionMessageToolCall": chat.ToolCall,
    "ChatCompletionMessageCustomToolCall": chat.CustomCall,
    "ChatCompletionMessageToolCallChunk": chat.ToolCallPiece,
    "ResponseWsError": websocket.Failure,
    "ErrorPayload": websocket.ErrorPayload,
    "ConversationResource": conversations.Conversation,
    "DeletedConversationResource": conversations.ConversationDeleted,
    "ConversationItemList": responses.ItemPage,
    "ChatCompletionList": stored.CompletionPage,
    "ChatCompletionMessageList": stored.MessagePage,
    "ChatCompletionDeleted": stored.CompletionDeleted,
    "OpenAIFile": files.File,
    "ListFilesResponse": files.FilePage,
    "DeleteFileResponse": files.FileDeleted,
    "Upload": uploads.Upload,
    "UploadPart": uploads.UploadPart,
    "WebhookBatchCompleted": webhooks.Event,
    "WebhookBatchFailed": webhooks.Event,
    "WebhookBatchExpired": webhooks.Event,
    "WebhookBatchCancelled": webhooks.Event,
    "WebhookResponseCompleted": webhooks.Event,
    "WebhookResponseFailed": webhooks.Event,
    "WebhookResponseCancelled": webhooks.Event,
    "WebhookResponseIncomplete": webhooks.Event,
    "Batch": batches.Batch,
    "BatchError": batches.BatchError,
    "BatchRequestCounts": batches.RequestCounts,
    "ListBatchesResponse": batches.BatchPage,
    "CreateEmbeddingResponse": embeddings.EmbeddingList,
    "Embedding": embeddings.Embedding,
    "VectorStoreObject": vector_stores.VectorStore,
    "ListVectorStoresResponse": vector_stores.VectorStorePage,
    "DeleteVectorStoreResponse": vector_stores.VectorStoreDeleted,
    "VectorStoreSearchResultsPage": vector_stores.SearchPage,
    "VectorStoreSearchResultItem": vector_stores.SearchResult,
    "VectorStoreFileObject": vector_store_files.VectorStoreFile,
    "ListVectorStoreFilesResponse": vector_store_files.VectorStoreFilePage,
    "DeleteVectorStoreFileResponse": vector_store_files.VectorStoreFileDeleted,
    "VectorStoreFileContentResponse": vector_store_files.FileContentPage,
    "VectorStoreFileBatchObject": vector_store_files.VectorStoreFileBatch,
}

BEYOND = {
    "Response": {"frequency_penalty", "presence_penalty", "store"},
    "ResponseTextDeltaEvent": {"obfuscation"},
    "ResponseFunctionCallArgumentsDeltaEvent": {"obfuscation"},
    "ResponseCustomToolCallInputDeltaEvent": {"obfuscation"},
    "ResponseRefusalDeltaEvent": {"obfuscation"},
    "ResponseReasoningTextDeltaEvent": {"obfuscation"},
    "ResponseReasoningSummaryTextDeltaEvent": {"obfuscation"},
    "ResponseLogProb": {"bytes"},
    "ChatCompletionMessageToolCallChunk": {"custom"},
    "Model": {"freehold"},
    "VectorStoreObject": {"description"},
    "VectorStoreSearchResultItem": {"page"},
}
"""Keys that the document lacks: those that recorded traffic carries, the log-probabilities of deltas being those of the
part, the pieces of custom calls, the description that a store is made with, and Freehold's own on the model object."""


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


def test_every_webhook_event_is_compared() -> None:
    compared = {SPEC[name]["properties"]["type"]["enum"][0] for name in SPEC if name.startswith("Webhook")}
    assert compared == set(webhooks.EVENT_TYPES)


def test_every_stream_event_is_compared() -> None:
    compared = {kind.__struct_config__.tag for kind in OBJECTS.values()}
    sent = {kind.__struct_config__.tag for kind in responses.EVENTS}
    assert sent - compared == {"response.compaction.compacting"}  # the SDK knows it, the document does not

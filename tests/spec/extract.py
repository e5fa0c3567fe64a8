"""Write the extract of OpenAI's OpenAPI document that the tests compare our wire structs with.

    python -m tests.spec.extract path/to/openai.openapi.json

The document is https://github.com/openai/openai-openapi, version 2.3.0, with or without its code samples.
"""

import json
import sys
from pathlib import Path

from tests.spec.outline import Json, properties

FOLDER = Path(__file__).parent / "openapi"
BODIES = (
    "CreateResponse",
    "CreateChatCompletionRequest",
    "CreateCompletionRequest",
    "Reasoning",
    "ResponseStreamOptions",
    "ResponseTextParam",
    "ChatCompletionStreamOptions",
    "CreateConversationBody",
    "UpdateConversationBody",
    "TokenCountsBody",
    "CompactResponseMethodPublicBody",
    "CreateFileRequest",
    "FileExpirationAfter",
    "CreateUploadRequest",
    "AddUploadPartRequest",
    "CompleteUploadRequest",
    "CreateBatchRequest",
    "BatchFileExpirationAfter",
    "CreateEmbeddingRequest",
    "CreateVectorStoreRequest",
    "UpdateVectorStoreRequest",
    "VectorStoreExpirationAfter",
    "VectorStoreSearchRequest",
    "CreateVectorStoreFileRequest",
    "UpdateVectorStoreFileAttributesRequest",
    "StaticChunkingStrategy",
)
OBJECTS = (
    "Response",
    "ResponseUsage",
    "ResponseItemList",
    "OutputMessage",
    "OutputTextContent",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "ChatCompletionResponseMessage",
    "CompletionUsage",
    "Model",
    "ListModelsResponse",
    "ResponseCreatedEvent",
    "ResponseQueuedEvent",
    "ResponseInProgressEvent",
    "ResponseCompletedEvent",
    "ResponseIncompleteEvent",
    "ResponseFailedEvent",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
    "ResponseFileSearchCallInProgressEvent",
    "ResponseFileSearchCallSearchingEvent",
    "ResponseFileSearchCallCompletedEvent",
    "ResponseOutputTextAnnotationAddedEvent",
    "FileSearchToolCall",
    "FileSearchTool",
    "FileCitationBody",
    "ResponseRefusalDeltaEvent",
    "ResponseRefusalDoneEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
    "ResponseReasoningSummaryPartAddedEvent",
    "ResponseReasoningSummaryPartDoneEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningSummaryTextDoneEvent",
    "ResponseLogProb",
    "CompactResource",
    "TokenCountsResource",
    "RefusalContent",
    "SummaryTextContent",
    "ReasoningTextContent",
    "LogProb",
    "TopLogProb",
    "FunctionToolCallResource",
    "FunctionToolCallOutputResource",
    "CustomToolCallResource",
    "CustomToolCallOutputResource",
    "ReasoningItem",
    "CompactionBody",
    "ItemReferenceParam",
    "InputTextContent",
    "InputImageContent",
    "InputFileContent",
    "ChatCompletionTokenLogprob",
    "ChatCompletionMessageToolCall",
    "ChatCompletionMessageCustomToolCall",
    "ChatCompletionMessageToolCallChunk",
    "ResponseWsError",
    "ErrorPayload",
    "ConversationResource",
    "DeletedConversationResource",
    "ConversationItemList",
    "ChatCompletionList",
    "ChatCompletionMessageList",
    "ChatCompletionDeleted",
    "OpenAIFile",
    "ListFilesResponse",
    "DeleteFileResponse",
    "Upload",
    "UploadPart",
    "WebhookBatchCompleted",
    "WebhookBatchFailed",
    "WebhookBatchExpired",
    "WebhookBatchCancelled",
    "WebhookResponseCompleted",
    "WebhookResponseFailed",
    "WebhookResponseCancelled",
    "WebhookResponseIncomplete",
    "Batch",
    "BatchError",
    "BatchRequestCounts",
    "ListBatchesResponse",
    "CreateEmbeddingResponse",
    "Embedding",
    "VectorStoreObject",
    "ListVectorStoresResponse",
    "DeleteVectorStoreResponse",
    "VectorStoreSearchResultsPage",
    "VectorStoreSearchResultItem",
    "VectorStoreFileObject",
    "ListVectorStoreFilesResponse",
    "DeleteVectorStoreFileResponse",
    "VectorStoreFileContentResponse",
    "VectorStoreFileBatchObject",
)


def extract(document: Json) -> dict[str, Json]:
    """Return file name → schema name → its required names and its properties, outlined."""
    schemas = document["components"]["schemas"]
    files = {}
    for file, names in (("bodies", BODIES), ("objects", OBJECTS)):
        found: Json = {}
        for name in names:
            inner, required = properties(schemas[name], schemas)
            found[name] = {"required": required, "properties": inner}
        files[file] = found
    return files


def main(document: Path) -> None:
    """Write the extract of `document`."""
    for name, content in extract(json.loads(document.read_text())).items():
        (FOLDER / f"{name}.json").write_text(_text(content))


def _text(content: dict[str, Json]) -> str:
    """JSON with a line for each property, so that differences can be read."""
    schemas = []
    for name, schema in content.items():
        rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in schema["properties"].items())
        required = json.dumps(schema["required"])
        schemas.append(f'{json.dumps(name)}: {{"required": {required}, "properties": {{\n{rows}\n}}}}')
    return "{\n" + ",\n".join(schemas) + "\n}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))

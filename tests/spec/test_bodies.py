"""Our request bodies against OpenAI's OpenAPI document: the same parameters, types, choices and bounds."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from freehold.surfaces import (
    batches,
    conversations,
    embeddings,
    files,
    uploads,
    vector_store_files,
    vector_stores,
)
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.chat.request import StreamOptions as ChatStreamOptions
from freehold.surfaces.completions.request import CompletionBody
from freehold.surfaces.responses.request import (
    CompactBody,
    CountBody,
    Reasoning,
    ResponseBody,
    StreamOptions,
    TextOptions,
)
from tests.spec.outline import BOUNDS, Json, properties

SPEC: Json = json.loads((Path(__file__).parent / "openapi/bodies.json").read_text())
BODIES = {
    "CreateResponse": ResponseBody,
    "CreateChatCompletionRequest": ChatBody,
    "CreateCompletionRequest": CompletionBody,
    "Reasoning": Reasoning,
    "ResponseStreamOptions": StreamOptions,
    "ResponseTextParam": TextOptions,
    "ChatCompletionStreamOptions": ChatStreamOptions,
    "CreateConversationBody": conversations.CreateBody,
    "UpdateConversationBody": conversations.UpdateBody,
    "TokenCountsBody": CountBody,
    "CompactResponseMethodPublicBody": CompactBody,
    "CreateFileRequest": files.CreateFileBody,
    "FileExpirationAfter": files.ExpiresAfter,
    "CreateUploadRequest": uploads.CreateUploadBody,
    "AddUploadPartRequest": uploads.AddPartBody,
    "CompleteUploadRequest": uploads.CompleteUploadBody,
    "CreateBatchRequest": batches.CreateBody,
    "BatchFileExpirationAfter": files.ExpiresAfter,
    "CreateEmbeddingRequest": embeddings.EmbeddingBody,
    "CreateVectorStoreRequest": vector_stores.CreateBody,
    "UpdateVectorStoreRequest": vector_stores.UpdateBody,
    "VectorStoreExpirationAfter": vector_stores.ExpiresAfter,
    "VectorStoreSearchRequest": vector_stores.SearchBody,
    "CreateVectorStoreFileRequest": vector_store_files.AddFileBody,
    "UpdateVectorStoreFileAttributesRequest": vector_store_files.UpdateFileBody,
    "StaticChunkingStrategy": vector_store_files.Static,
}

STRICTER: dict[tuple[str, str], Json] = {
    ("CreateResponse", "max_tool_calls"): {"minimum": 1.0},
    ("CreateResponse", "metadata"): {"maxProperties": 16.0},
    ("CreateChatCompletionRequest", "max_completion_tokens"): {"minimum": 1.0},
    ("CreateChatCompletionRequest", "max_tokens"): {"minimum": 1.0},
    ("CreateChatCompletionRequest", "metadata"): {"maxProperties": 16.0},
    ("CreateCompletionRequest", "seed"): {"minimum": -(2.0**63), "maximum": 2.0**63},
    ("CreateConversationBody", "metadata"): {"maxProperties": 16.0},
    ("UpdateConversationBody", "metadata"): {"maxProperties": 16.0},
    ("CreateUploadRequest", "bytes"): {"minimum": 0.0, "maximum": 2.0**33},
    ("CreateUploadRequest", "mime_type"): {"maxLength": 255.0},
    ("CreateBatchRequest", "metadata"): {"maxProperties": 16.0},
    ("CreateVectorStoreRequest", "description"): {"maxLength": 512.0},
    ("CreateVectorStoreRequest", "metadata"): {"maxProperties": 16.0},
    ("CreateVectorStoreRequest", "name"): {"maxLength": 256.0},
    ("UpdateVectorStoreRequest", "metadata"): {"maxProperties": 16.0},
    ("UpdateVectorStoreRequest", "name"): {"maxLength": 256.0},
    ("VectorStoreSearchRequest", "query"): {"minItems": 1.0, "maxItems": 16.0},
    ("StaticChunkingStrategy", "chunk_overlap_tokens"): {"minimum": 0.0},
    ("CompleteUploadRequest", "part_ids"): {"maxItems": 10_000.0},
}
"""Bounds that the document gives in prose only, or not at all, and the real API enforces."""

NEWER: dict[tuple[str, str], list[str]] = {("CreateUploadRequest", "purpose"): ["evals", "user_data"]}
"""Values that the document lacks and the official SDK sends."""

CASES = [(name, parameter) for name in BODIES for parameter in SPEC[name]["properties"]]


def ours(body: type) -> tuple[dict[str, Json], list[str]]:
    """The outline of one of our structs."""
    (schema,), definitions = msgspec.json.schema_components((body,))
    return properties(schema, definitions)


@pytest.mark.parametrize("name", BODIES)
def test_the_same_parameters(name: str) -> None:
    found, required = ours(BODIES[name])
    assert found.keys() == SPEC[name]["properties"].keys()
    assert required == SPEC[name]["required"]


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_the_same_values(name: str, parameter: str) -> None:
    found, wanted = ours(BODIES[name])[0][parameter], SPEC[name]["properties"][parameter]
    assert found["types"] == wanted["types"]
    newer = NEWER.get((name, parameter), [])
    assert found.get("enum") == (sorted([*wanted["enum"], *newer]) if newer else wanted.get("enum")) or _open(found)
    assert found.get("items") == wanted.get("items")
    bounds = {key: value for key, value in wanted.items() if key in BOUNDS}
    assert {key: value for key, value in found.items() if key in BOUNDS} == {
        **bounds,
        **STRICTER.get((name, parameter), {}),
    }


def _open(found: Json) -> bool:
    """Whether it is a choice between names and objects, which is taken as it comes and checked after decoding."""
    return "enum" not in found and "object" in found["types"]


def test_a_difference_is_noticed() -> None:
    class Other(msgspec.Struct):
        temperature: float | None = None
        model: str | None = None
        wish: Any = None

    found, _ = ours(Other)
    wanted = SPEC["CreateResponse"]["properties"]
    assert "wish" not in wanted
    assert found["temperature"] != wanted["temperature"]
    assert found["model"] == wanted["model"]

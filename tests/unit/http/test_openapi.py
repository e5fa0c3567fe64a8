"""The document says what the server does: every path, what is to be sent there, and how a fault is told."""

import asyncio
import json
from pathlib import Path as Folder
from typing import Annotated, Any, Literal

import jsonschema_rs
from msgspec import Meta, Struct
from openapi_spec_validator import validate
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.openapi import document
from freehold.http.paths import Path
from tests.house import house

BODILESS = {
    "/v1/responses/{response_id}/cancel",
    "/v1/uploads/{upload_id}/cancel",
    "/v1/batches/{batch_id}/cancel",
    "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
}


class Body(Struct, forbid_unknown_fields=True):
    wish: Annotated[str, Meta(max_length=3)]
    stream: bool | None = None


class Query(Struct):
    limit: Annotated[int, Meta(ge=1)] = 20
    order: Literal["asc", "desc"] | None = None
    metadata: dict[str, str] | None = None


async def handle(request: Request, who: Principal) -> Response:
    return Response()


def told(*paths: Path) -> dict[str, Any]:
    found = json.loads(document(paths))
    validate(found)
    return found


def served(folder: Folder) -> dict[str, Any]:
    """The document of a whole server, fetched without a key."""

    async def main() -> dict[str, Any]:
        async with house(folder) as (_, client):
            del client.headers["authorization"]
            answers = [await client.get("http://test/openapi.json") for _ in range(2)]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert answers[0].content == answers[1].content
            assert answers[0].headers["content-type"] == "application/json"
            return answers[0].json()

    return asyncio.run(asyncio.wait_for(main(), 20))


def test_a_body_is_described_with_its_bounds() -> None:
    found = told(Path("POST", "/v1/wishes/{wish:path}", handle, Body))
    operation = found["paths"]["/v1/wishes/{wish}"]["post"]
    assert operation["parameters"] == [
        {"name": "wish", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    ]
    assert operation["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/Body"}}
    }
    assert operation["responses"]["200"]["content"].keys() == {"application/json", "text/event-stream"}
    schema = found["components"]["schemas"]["Body"]
    assert schema["properties"]["wish"] == {"type": "string", "maxLength": 3}
    assert (schema["required"], schema["additionalProperties"]) == (["wish"], False)


def test_a_query_is_described_without_null() -> None:
    found = told(Path("GET", "/v1/wishes", handle, query=Query, gives="text/plain"))
    operation = found["paths"]["/v1/wishes"]["get"]
    limit, order, metadata = operation["parameters"]
    assert limit == {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "default": 20},
    }
    assert order["schema"] == {"enum": ["asc", "desc"]}
    assert (metadata["style"], metadata["schema"]["type"]) == ("deepObject", "object")
    assert operation["responses"]["200"]["content"].keys() == {"text/plain"}
    assert "requestBody" not in operation


def test_the_whole_document_is_valid_and_open_to_all(tmp_path: Folder) -> None:
    found = served(tmp_path)
    validate(found)
    operations = [(path, method, one) for path, methods in found["paths"].items() for method, one in methods.items()]
    assert {("/v1/responses", "post"), ("/v1/models/{model}", "get")} <= {one[:2] for one in operations}
    undescribed = {path for path, method, one in operations if method == "post" and "requestBody" not in one}
    assert undescribed <= BODILESS
    assert all(one["responses"]["4XX"] == {"$ref": "#/components/responses/Fault"} for _, _, one in operations)


def test_pieces_that_are_decoded_later_are_described_too(tmp_path: Folder) -> None:
    components = served(tmp_path)["components"]
    takes = jsonschema_rs.validator_for({"$ref": "#/components/schemas/ResponseBody", "components": components})
    part = {"type": "input_text", "text": "Hi"}
    assert takes.is_valid({"input": [{"role": "user", "content": [part]}], "tools": [{"type": "custom", "name": "t"}]})
    assert not takes.is_valid({"input": [{"role": "user", "content": [{"type": "input_text"}]}]})
    assert not takes.is_valid({"input": [{"role": "nobody", "content": "Hi"}]})
    assert not takes.is_valid({"tools": [{"type": "custom"}]})


def test_a_fault_is_what_the_document_says(tmp_path: Folder) -> None:
    async def main() -> Any:
        async with house(tmp_path) as (_, client):
            return (await client.post("/responses", json={"wish": 1})).json()

    found = served(tmp_path)
    fault = asyncio.run(asyncio.wait_for(main(), 20))
    schemas = {"$ref": "#/components/schemas/Envelope", "components": found["components"]}
    jsonschema_rs.validate(schemas, fault)
    assert not jsonschema_rs.is_valid(schemas, {"error": {"message": "x"}})

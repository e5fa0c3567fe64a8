"""The server's own OpenAPI document, made of what its handlers decode."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, json

from freehold import __version__
from freehold.core import items
from freehold.http.paths import Path
from freehold.surfaces.chat import tools as chat
from freehold.surfaces.errors import Envelope
from freehold.surfaces.responses import tools as responses
from freehold.surfaces.responses.request import InputMessage
from freehold.surfaces.responses.searching import FileSearchTool

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_NAMED = re.compile(r"{(\w+)")
_ID = {"type": "string", "minLength": 1}
_PARTS = (items.InputText, items.InputImage, items.InputFile, items.OutputText, items.Refusal)
_ITEMS = (
    *(InputMessage, items.FunctionCall, items.FunctionCallOutput, items.CustomToolCall, items.CustomToolCallOutput),
    items.FileSearchCall,
    *(items.Reasoning, items.Compaction, items.ItemReference),
)
_PIECES: Mapping[str, tuple[type[Struct], ...]] = {
    "InputItem": _ITEMS,
    "InputPart": _PARTS,
    "ResponseTool": (responses.FunctionTool, responses.CustomTool, FileSearchTool),
    "ChatTool": (chat.FunctionTool, chat.CustomTool),
}
"""What bodies hold undecoded, so that the fault of a piece names it: by the name that the bodies refer to."""


def document(paths: Iterable[Path]) -> bytes:
    """Return the OpenAPI 3.1 document of `paths` as JSON."""
    paths = tuple(paths)
    bodies = {path.body for path in paths if path.body is not None}
    pieces = [kind for kinds in _PIECES.values() for kind in kinds]
    kinds = [*sorted(bodies, key=lambda body: f"{body.__module__}.{body.__name__}"), *pieces, Envelope]
    found, schemas = json.schema_components(kinds, ref_template=_REFERENCE)
    references = dict(zip(kinds, found, strict=True))
    schemas |= {name: {"anyOf": [references[one] for one in kinds]} for name, kinds in _PIECES.items()}
    operations: dict[str, Json] = {}
    for path in paths:
        name = re.sub(r":\w+}", "}", path.path)
        operations.setdefault(name, {})[path.method.lower()] = _operation(path, references)
    fault = {
        "description": "What is wrong, as OpenAI's API says it.",
        "content": {"application/json": {"schema": references[Envelope]}},
    }
    told = {
        "openapi": "3.1.0",
        "info": {"title": "Freehold", "version": __version__, "description": "OpenAI's API on this server."},
        "security": [{"key": []}],
        "paths": operations,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "responses": {"Fault": fault},
        },
    }
    return json.encode(told)


def _operation(path: Path, references: Mapping[type[Struct], Json]) -> Json:
    streams = any("stream" in kind.__struct_fields__ for kind in (path.body, path.query) if kind is not None)
    answers = (path.gives, "text/event-stream") if streams else (path.gives,)
    told: Json = {
        "tags": [path.path.split("/")[2]],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _ID} for name in _NAMED.findall(path.path)),
            *(() if path.query is None else _parameters(path.query)),
        ],
        "responses": {
            "200": {"description": "The answer.", "content": {kind: {} for kind in answers}},
            "4XX": {"$ref": "#/components/responses/Fault"},
        },
    }
    if path.body is not None:
        told["requestBody"] = {"required": True, "content": {path.takes: {"schema": references[path.body]}}}
    return told


def _parameters(query: type[Struct]) -> Iterator[Json]:
    """The parameters of a query; an object is written `metadata[key]=value`."""
    for name, schema in json.schema(query)["$defs"][query.__name__]["properties"].items():
        (wanted,) = [one for one in schema.get("anyOf", [schema]) if one != {"type": "null"}]
        told = {"name": name, "in": "query", "schema": wanted}
        yield told | {"style": "deepObject", "explode": True} if wanted.get("type") == "object" else told

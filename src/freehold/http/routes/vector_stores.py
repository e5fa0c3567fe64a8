"""`/v1/vector_stores`, their searches, and the files and file batches in them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import json_object
from freehold.http.paths import Path
from freehold.http.query import read_query
from freehold.http.sse import unless_gone
from freehold.services.search import Search
from freehold.services.vector_store_files import StoreFiles
from freehold.services.vector_stores import VectorStores
from freehold.storage.repos.windows import Window
from freehold.surfaces.decode import Decoder
from freehold.surfaces.vector_store_files import AddBatchBody, AddFileBody, FileStatus, UpdateFileBody
from freehold.surfaces.vector_stores import CreateBody, SearchBody, UpdateBody

_ONE = "/v1/vector_stores/{vector_store_id}"
_FILE = f"{_ONE}/files/{{file_id}}"
_BATCH = f"{_ONE}/file_batches/{{batch_id}}"


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `vector_stores.list` takes."""

    after: str | None = None
    before: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"


class FilesQuery(ListQuery, frozen=True, forbid_unknown_fields=True):
    """What `vector_stores.files.list` and `vector_stores.file_batches.list_files` take."""

    filter: FileStatus | None = None


def paths(stores: VectorStores, files: StoreFiles, search: Search, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes."""
    return [
        *_stores(stores, max_body),
        *_search(search, max_body),
        *_files(files, max_body),
        *_batches(files, max_body),
    ]


def _stores(stores: VectorStores, max_body: int) -> list[Path]:
    decode_create, decode_update = Decoder(CreateBody), Decoder(UpdateBody)

    async def create(request: Request, who: Principal) -> Response:
        return json_object(await stores.create(who, decode_create(await read_json(request, max_body) or b"{}")))

    async def list_stores(request: Request, who: Principal) -> Response:
        return json_object(await stores.list(who, _window(read_query(request, ListQuery))))

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await stores.retrieve(who, _store(request)))

    async def update(request: Request, who: Principal) -> Response:
        raw = await read_json(request, max_body) or b"{}"
        body = decode_update(raw)
        given = frozenset(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))
        return json_object(await stores.update(who, _store(request), body, given))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await stores.delete(who, _store(request)))

    return [
        Path("POST", "/v1/vector_stores", create, CreateBody),
        Path("GET", "/v1/vector_stores", list_stores, query=ListQuery),
        Path("GET", _ONE, retrieve),
        Path("POST", _ONE, update, UpdateBody),
        Path("DELETE", _ONE, delete),
    ]


def _search(search: Search, max_body: int) -> list[Path]:
    decode: Decoder[SearchBody] = Decoder(SearchBody)

    async def find(request: Request, who: Principal) -> Response:
        body = decode(await read_json(request, max_body))
        return json_object(await unless_gone(request.receive, search.page(who, _store(request), body)))

    return [Path("POST", f"{_ONE}/search", find, SearchBody)]


def _files(files: StoreFiles, max_body: int) -> list[Path]:
    decode_add, decode_update = Decoder(AddFileBody), Decoder(UpdateFileBody)

    async def add(request: Request, who: Principal) -> Response:
        return json_object(await files.add(who, _store(request), decode_add(await read_json(request, max_body))))

    async def list_files(request: Request, who: Principal) -> Response:
        query = read_query(request, FilesQuery)
        return json_object(await files.list(who, _store(request), _window(query), query.filter))

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await files.retrieve(who, _store(request), request.path_params["file_id"]))

    async def update(request: Request, who: Principal) -> Response:
        body = decode_update(await read_json(request, max_body))
        return json_object(await files.update(who, _store(request), request.path_params["file_id"], body.attributes))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await files.delete(who, _store(request), request.path_params["file_id"]))

    async def content(request: Request, who: Principal) -> Response:
        return json_object(await files.content(who, _store(request), request.path_params["file_id"]))

    return [
        Path("POST", f"{_ONE}/files", add, AddFileBody),
        Path("GET", f"{_ONE}/files", list_files, query=FilesQuery),
        Path("GET", _FILE, retrieve),
        Path("POST", _FILE, update, UpdateFileBody),
        Path("DELETE", _FILE, delete),
        Path("GET", f"{_FILE}/content", content),
    ]


def _batches(files: StoreFiles, max_body: int) -> list[Path]:
    decode: Decoder[AddBatchBody] = Decoder(AddBatchBody)

    async def create(request: Request, who: Principal) -> Response:
        return json_object(await files.add_batch(who, _store(request), decode(await read_json(request, max_body))))

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await files.batch(who, _store(request), request.path_params["batch_id"]))

    async def cancel(request: Request, who: Principal) -> Response:
        return json_object(await files.cancel(who, _store(request), request.path_params["batch_id"]))

    async def list_files(request: Request, who: Principal) -> Response:
        query, batch_id = read_query(request, FilesQuery), request.path_params["batch_id"]
        return json_object(await files.list(who, _store(request), _window(query), query.filter, batch_id))

    return [
        Path("POST", f"{_ONE}/file_batches", create, AddBatchBody),
        Path("GET", _BATCH, retrieve),
        Path("POST", f"{_BATCH}/cancel", cancel),
        Path("GET", f"{_BATCH}/files", list_files, query=FilesQuery),
    ]


def _store(request: Request) -> str:
    return request.path_params["vector_store_id"]


def _window(query: ListQuery) -> Window:
    return Window(limit=query.limit, order=query.order, after=query.after, before=query.before)

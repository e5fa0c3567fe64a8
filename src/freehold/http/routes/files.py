"""`/v1/files`."""

from functools import partial
from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.download import BINARY, Content, download
from freehold.http.endpoint import json_object
from freehold.http.multipart import FORM, read_fields, read_form
from freehold.http.paths import Path
from freehold.http.query import read_query
from freehold.services.blobs import Shelf
from freehold.services.files import Files, NewFile
from freehold.surfaces.files import MOST_BYTES, CreateFileBody, file_name, lifetime


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What `files.list` takes."""

    purpose: str | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 10_000
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


def paths(files: Files, shelf: Shelf) -> list[Path]:
    """The paths of the resource."""

    async def create(request: Request, who: Principal) -> Response:
        async with shelf.receiving() as receive:
            form = await read_form(request, "file", MOST_BYTES, receive)
            body = read_fields(form.fields, CreateFileBody)
            new = NewFile(
                filename=file_name(body.file, body.purpose, "file"),
                purpose=body.purpose,
                lifetime=lifetime(body.purpose, body.expires_after),
            )
            return json_object(await files.keep(who, new, form.file))

    async def list_files(request: Request, who: Principal) -> Response:
        query = read_query(request, ListQuery)
        return json_object(await files.list(who, query.purpose, query.after, query.limit, query.order))

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(await files.retrieve(who, request.path_params["file_id"]))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(await files.delete(who, request.path_params["file_id"]))

    async def content(request: Request, who: Principal) -> Response:
        row = await files.find(who, request.path_params["file_id"])
        return await download(request, Content(row.filename, row.bytes, row.sha256.hex(), partial(files.content, row)))

    return [
        Path("POST", "/v1/files", create, CreateFileBody, takes=FORM),
        Path("GET", "/v1/files", list_files, query=ListQuery),
        Path("GET", "/v1/files/{file_id}", retrieve),
        Path("DELETE", "/v1/files/{file_id}", delete),
        Path("GET", "/v1/files/{file_id}/content", content, gives=BINARY),
    ]

"""`/v1/uploads`."""

from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.body import read_json
from freehold.http.endpoint import json_object
from freehold.http.multipart import FORM, read_fields, read_form
from freehold.http.paths import Path
from freehold.services.blobs import Shelf
from freehold.services.uploads import Uploads
from freehold.surfaces.decode import Decoder
from freehold.surfaces.uploads import MOST_PART_BYTES, AddPartBody, CompleteUploadBody, CreateUploadBody


def paths(uploads: Uploads, shelf: Shelf, max_body: int) -> list[Path]:
    """The paths of the resource. `max_body` is in bytes, for the bodies that are not parts."""
    decode_create, decode_complete = Decoder(CreateUploadBody), Decoder(CompleteUploadBody)

    async def create(request: Request, who: Principal) -> Response:
        return json_object(await uploads.create(who, decode_create(await read_json(request, max_body))))

    async def add_part(request: Request, who: Principal) -> Response:
        upload_id = request.path_params["upload_id"]
        await uploads.expect_part(who, upload_id)
        async with shelf.receiving() as receive:
            form = await read_form(request, "data", MOST_PART_BYTES, receive)
            read_fields(form.fields, AddPartBody)
            return json_object(await uploads.add_part(who, upload_id, form.file))

    async def complete(request: Request, who: Principal) -> Response:
        body = decode_complete(await read_json(request, max_body))
        return json_object(await uploads.complete(who, request.path_params["upload_id"], body))

    async def cancel(request: Request, who: Principal) -> Response:
        return json_object(await uploads.cancel(who, request.path_params["upload_id"]))

    return [
        Path("POST", "/v1/uploads", create, CreateUploadBody),
        Path("POST", "/v1/uploads/{upload_id}/parts", add_part, AddPartBody, takes=FORM),
        Path("POST", "/v1/uploads/{upload_id}/complete", complete, CompleteUploadBody),
        Path("POST", "/v1/uploads/{upload_id}/cancel", cancel),
    ]

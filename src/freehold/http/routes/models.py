"""`/v1/models`."""

from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal
from freehold.http.endpoint import json_object
from freehold.http.paths import Path
from freehold.services.models import Models


def paths(models: Models) -> list[Path]:
    """The paths of the resource. A model's name may hold slashes, as hub names do."""

    async def list_models(request: Request, who: Principal) -> Response:
        return json_object(models.list())

    async def retrieve(request: Request, who: Principal) -> Response:
        return json_object(models.retrieve(request.path_params["model"]))

    async def delete(request: Request, who: Principal) -> Response:
        return json_object(models.withdraw(who, request.path_params["model"]))

    return [
        Path("GET", "/v1/models", list_models),
        Path("GET", "/v1/models/{model:path}", retrieve),
        Path("DELETE", "/v1/models/{model:path}", delete),
    ]

"""Paths: what is answered where, by whom, and what is to be sent there."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from freehold.core.principal import Principal

Handler = Callable[[Request, Principal], Awaitable[Response]]


class Path(NamedTuple):
    """One method and path, e.g. `("GET", "/v1/responses/{response_id}", handler)`.

    `body` and `query` are what the handler decodes, `takes` and `gives` the media types of the body and of the answer,
    for the OpenAPI document.
    """

    method: str
    path: str
    handler: Handler
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    takes: str = "application/json"
    gives: str = "application/json"

"""The ASGI application: find the route, know the caller, answer, and give every answer its headers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from time import perf_counter

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from freehold.core.errors import Denied, EngineBusy, EngineFailed, Fault, NotFound
from freehold.core.ids import Mint
from freehold.core.principal import Principal
from freehold.http import errors
from freehold.http.body import ClientGone
from freehold.http.openapi import document
from freehold.http.paths import Path
from freehold.http.query import refuse_query
from freehold.http.websocket import Connection, Socket, SocketHandler, SocketPath, check_upgrade

log = logging.getLogger(__name__)

API_VERSION = b"2020-10-01"
BROKEN = 1011

Authenticate = Callable[[str | None], Awaitable[Principal]]


class App:
    """The whole HTTP side. `draining` refuses new requests while those under way finish."""

    def __init__(
        self, paths: Iterable[Path], sockets: Iterable[SocketPath], authenticate: Authenticate, mint: Mint
    ) -> None:
        self._authenticate = authenticate
        self._mint = mint
        self._paths = tuple(paths)
        self._fixed: dict[tuple[str, str], Path] = {}
        self._open: list[tuple[Route, Path]] = []
        self._methods: dict[str, list[str]] = {}
        for one in self._paths:
            if "{" in one.path:
                self._open.append((Route(one.path, one.handler, methods=[one.method]), one))
            else:
                self._fixed[one.method, one.path] = one
                self._methods.setdefault(one.path, []).append(one.method)
        self._sockets: dict[str, SocketHandler] = dict(sockets)
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request."""
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        if scope["type"] == "websocket":
            return await self._connect(scope, receive, send)
        started = perf_counter()
        request_id = self._mint("req_")
        who: Principal | None = None
        try:
            if scope["path"] == "/healthz":
                response = Response(b"draining\n" if self.draining else b"ok\n", 503 if self.draining else 200)
            elif scope["path"] == "/openapi.json" and scope["method"] == "GET":
                response = Response(self._document, media_type="application/json")
            else:
                path = self._find(scope)
                who = replace(await self._authenticate(_bearer(scope)), request=request_id)
                if self.draining:
                    raise EngineBusy("The server is shutting down. Please retry your request.", retry_after=2.0)
                request = Request(scope, receive)
                if path.query is None:
                    refuse_query(request)
                response = await path.handler(request, who)
        except Fault as fault:
            response = errors.answer(fault)
        except ClientGone:
            return None
        except Exception:
            log.exception("request %s failed", request_id)
            response = errors.answer(
                EngineFailed(
                    "The server had an error while processing your request. Sorry about that! "
                    f"(Please include the request ID {request_id} in your message.)"
                )
            )
        response.raw_headers += _headers(request_id, started, who)
        try:
            await response(scope, receive, send)
        except ClientGone:
            return None
        except Fault as fault:  # of a stream, before its first frame
            refused = errors.answer(fault)
            refused.raw_headers += _headers(request_id, started, who)
            await refused(scope, receive, send)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a WebSocket to its handler; what is wrong before that is an HTTP answer, as for any request."""
        started, request_id, secret = perf_counter(), self._mint("req_"), None
        who: Principal | None = None
        try:
            handler = self._sockets.get(scope["path"])
            if handler is None:
                raise NotFound(f"Invalid URL (GET {scope['path']})", "unknown_url")
            secret = _bearer(scope)
            who = await self._authenticate(secret)
            if self.draining:
                raise EngineBusy("The server is shutting down. Please retry your request.", retry_after=2.0)
        except Fault as fault:
            refused = errors.answer(fault)
            refused.raw_headers += _headers(request_id, started, who)
            await refused(scope, receive, send)
            # uvicorn reports a refused upgrade as an error of ours when this returns before it has hung up.
            return await asyncio.sleep(0)
        socket = Socket(receive, send)
        try:
            await socket.accept(_headers(request_id, started, who))
            await handler(Connection(socket, lambda: self._authenticate(secret), lambda: self.draining))
        except ClientGone:
            return None
        except Exception:
            log.exception("WebSocket %s failed", request_id)
            await _give_up(socket)

    @cached_property
    def _document(self) -> bytes:
        return document(self._paths)

    def _find(self, scope: Scope) -> Path:
        method, path = scope["method"], scope["path"]
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed
        allowed = list(self._methods.get(path, ()))
        for route, candidate in self._open:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                return candidate
            if match is Match.PARTIAL:
                allowed += sorted(route.methods or ())
        if method == "GET" and path in self._sockets:
            check_upgrade(scope)
        if allowed:
            hint = " or ".join(sorted(set(allowed) - {"HEAD"}))
            raise NotFound(
                f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to make your HTTP request using {hint}?)",
                "method_not_supported",
            )
        raise NotFound(f"Invalid URL ({method} {path})", "unknown_url")


def _headers(request_id: str, started: float, who: Principal | None) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", request_id.encode()),
        (b"openai-processing-ms", str(int((perf_counter() - started) * 1000)).encode()),
        (b"openai-version", API_VERSION),
        (b"openai-organization", (who.project if who is not None else "none").encode()),
    ]


async def _give_up(socket: Socket) -> None:
    try:
        await socket.close(BROKEN)
    except ClientGone:
        return


def _bearer(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer":
                raise Denied(
                    "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                    "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
                )
            return secret.strip()
    return None


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return

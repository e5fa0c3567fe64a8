"""llama.cpp's own listener on a unix socket: for what its native calls cannot do."""

import http
import http.client
import socket
from collections.abc import Callable
from typing import Any

from msgspec import Struct, json

_ASK_SECONDS = 60.0
_SILENT_SECONDS = 600.0
_DATA = b"data: "


class Error(Struct, frozen=True):
    """What llama.cpp says of a request that failed; `code` is an HTTP status."""

    message: str = "llama.cpp gave no reason"
    code: int = 500


class NotDone(Exception):
    """llama.cpp did not do what it was asked for; the message is its own."""


class _Refusal(Struct, frozen=True):
    error: Error


class Listener:
    """Asks over the socket at `path`, which is relative to the working folder, with the listener's key."""

    def __init__(self, path: str, key: str) -> None:
        self._path = path
        self._key = key

    def ask(self, path: str, body: dict[str, Any] | None, answer: type[Any]) -> Any:
        """Return what is answered to a POST, or without a body to a GET, read as `answer`.

        Raises NotDone, and OSError where it does not answer in time.
        """
        line = _Line(self._path, _ASK_SECONDS)
        try:
            reply = self._send(line, path, body)
            data = reply.read()
        finally:
            line.close()
        if reply.status == http.HTTPStatus.OK:
            return json.decode(data, type=answer)
        raise NotDone(json.decode(data, type=_Refusal).error.message)

    def stream(self, path: str, body: dict[str, Any], take: Callable[[bytes], bool]) -> None:
        """Give each chunk to `take`; closing the line, once it returns True, stops llama.cpp."""
        line = _Line(self._path, _SILENT_SECONDS)
        try:
            reply = self._send(line, path, body)
            if reply.status != http.HTTPStatus.OK:
                take(reply.read())
                return
            for row in reply:
                if row.startswith(_DATA) and take(row.removeprefix(_DATA)):
                    return
        finally:
            line.close()

    def _send(self, line: "_Line", path: str, body: dict[str, Any] | None) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        if body is None:
            line.request("GET", path, headers=headers)
        else:
            line.request("POST", path, json.encode(body), headers)
        return line.getresponse()


class _Line(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of to the host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

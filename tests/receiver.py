"""A receiver of webhooks on loopback, in a thread of its own: it keeps what it is sent and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Got:
    """A delivery: its path, its headers (names in lower case) and its body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`statuses` are the answers to come, the last one for ever; /hang is not answered until the end."""

    address: str
    statuses: list[int] = field(default_factory=lambda: [200])
    got: list[Got] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        """The receiver's URL."""
        return f"http://{self.address}{path}"

    def at(self, path: str) -> list[Got]:
        """What came to a path."""
        return [one for one in self.got if one.path == path]


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    """Run a receiver inside the block."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Got(self.path, headers, body))
            if self.path == "/hang":
                over.wait(30)
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            self.send_response(status)
            if status == 302:
                self.send_header("location", receiver.url("/elsewhere"))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"127.0.0.1:{server.server_address[1]}", list(statuses or [200]))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield receiver
        finally:
            over.set()
            server.shutdown()
            thread.join()

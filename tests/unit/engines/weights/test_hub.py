import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from freehold.engines.weights.errors import Damaged, Unreachable, WeightsError
from freehold.engines.weights.fetch import fetch
from freehold.engines.weights.folder import Folder, part_of
from freehold.engines.weights.hub import download

CONTENT = bytes(range(256)) * 4096
SHA = hashlib.sha256(CONTENT).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """A hub on loopback that knows ranges, has one file, and remembers what it was asked."""

    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("range")
        self.asked.append(wanted)
        if not self.path.endswith("/a.gguf"):
            self.send_error(404)
            return
        if "/moved/" in self.path:
            self.send_response(302)
            self.send_header("location", self.path.replace("/moved/", "/"))
            self.send_header("x-linked-etag", f'"{"0" * 64}"')
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("content-length", str(len(CONTENT) - start))
        self.send_header("x-linked-etag", '"' + ("0" * 64 if "/lying/" in self.path else SHA) + '"')
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str | None]]]:
    asked: list[str | None] = []
    handler = type("Handler", (Hub,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_fetched_checked_and_told(hub: tuple[str, list], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    download(f"{hub[0]}/a.gguf", tmp_path / "a", SHA, lambda done, total: told.append((done, total)))
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("have", [1, 70_000, len(CONTENT)])
def test_a_stopped_download_goes_on_where_it_was(hub: tuple[str, list], tmp_path: Path, have: int) -> None:
    (tmp_path / "a").write_bytes(CONTENT[:have])
    download(f"{hub[0]}/a.gguf", tmp_path / "a", SHA, lambda done, total: None)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert hub[1] == [f"bytes={have}-"]


def test_damaged_bytes_are_deleted_and_refused(hub: tuple[str, list], tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        download(f"{hub[0]}/a.gguf", tmp_path / "a", "0" * 64, lambda done, total: None)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("place", ["lying", "moved"])
def test_without_a_pin_the_bytes_must_be_what_the_hub_promised(
    hub: tuple[str, list], tmp_path: Path, place: str
) -> None:
    with pytest.raises(Damaged):
        download(f"{hub[0]}/{place}/a.gguf", tmp_path / "a", None, lambda done, total: None)
    assert not (tmp_path / "a").exists()


def test_a_hub_without_the_file_or_without_an_answer_is_unreachable(hub: tuple[str, list], tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="404"):
        download(f"{hub[0]}/b.gguf", tmp_path / "b", None, lambda done, total: None)
    with pytest.raises(Unreachable, match="does not answer"):
        download("http://127.0.0.1:9/a.gguf", tmp_path / "b", None, lambda done, total: None, timeout=0.5)


def test_a_hub_name_gets_its_file_when_it_is_whole(hub: tuple[str, list], tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    path = fetch(folder, "org/repo:a.gguf", lambda done, total: None, hub[0])
    assert path.read_bytes() == CONTENT and not part_of(path).exists()
    fetch(folder, "org/repo:a.gguf", lambda done, total: None, hub[0])
    assert len(hub[1]) == 1


def test_what_cannot_be_fetched_says_why_and_where_to_put_it(hub: tuple[str, list], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"404.*put the file at"):
        fetch(Folder(tmp_path), "org/repo:b.gguf", lambda done, total: None, hub[0])

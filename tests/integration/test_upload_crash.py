"""A server that is killed while it takes files: what was acknowledged is there, and nothing else is left behind."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from openai import APIConnectionError, OpenAI

from tests.buckets import Bucket, running_bucket
from tests.servers import Server, http_client, running_server, strict_client

CONTENT = bytes(range(256)) * 20_000
TRICKLE_SECONDS = 0.05
"""Between the pieces of an upload that is to be cut: about a hundred of them make the whole."""


@contextmanager
def dying_server(folder: Path, *args: str) -> Iterator[Server]:
    """A server that the block kills."""
    with running_server(folder, "--engine", "script", *args) as server:
        yield server
        server.process.kill()
        server.exit_code()


def send_until_it_dies(server: Server, kept: dict[str, bytes]) -> None:
    """Store one file after the other and note those that were acknowledged."""
    with strict_client(server) as client:
        for number in range(10**6):
            content = CONTENT[number % 256 : number % 256 + 300_000]
            try:
                made = client.files.create(file=("a.bin", content), purpose="user_data")
            except APIConnectionError:
                return
            kept[made.id] = content


def trickle(server: Server) -> None:
    """Begin a file that never ends."""

    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
        while True:
            yield CONTENT[:100_000]
            time.sleep(TRICKLE_SECONDS)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    with http_client(server) as client, pytest.raises(httpx2.TransportError):
        client.post("/files", content=body(), headers=headers)


def age_everything(folder: Path) -> None:
    """Make what is pending or doomed as old as it must be to be swept at the next start."""
    with closing(sqlite3.connect(folder / "data/freehold.db")) as database, database:
        database.execute("UPDATE blobs SET since = since - 100000")


def rows(folder: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(folder / "data/freehold.db")) as database:
        return sorted(row[0] for row in database.execute(query))


def wait_for_sweep(folder: Path) -> None:
    """The worker sweeps when it starts."""
    deadline = time.monotonic() + 20
    while rows(folder, "SELECT id FROM blobs WHERE state != 'kept'"):
        assert time.monotonic() < deadline, "nothing was swept"
        time.sleep(0.05)


def check_kept(client: OpenAI, kept: dict[str, bytes]) -> None:
    for file_id, content in kept.items():
        assert client.files.content(file_id).read() == content


def kill_in_the_middle(folder: Path, seconds: float, *args: str) -> dict[str, bytes]:
    """Store files on a server that is killed after `seconds`; return those that it acknowledged."""
    kept: dict[str, bytes] = {}
    with dying_server(folder, *args) as server:
        senders = [threading.Thread(target=send_until_it_dies, args=(server, kept)) for _ in range(3)]
        senders.append(threading.Thread(target=trickle, args=(server,)))
        for sender in senders:
            sender.start()
        time.sleep(seconds)
        server.process.kill()
        for sender in senders:
            sender.join()
    return kept


@pytest.mark.parametrize("seconds", [0.6, 1.1, 1.7])
def test_no_acknowledged_file_is_lost_and_no_orphan_is_left(tmp_path: Path, seconds: float) -> None:
    kept = kill_in_the_middle(tmp_path, seconds)
    assert kept
    assert list((tmp_path / "data/blobs").glob("*.part")), "an upload was cut"
    age_everything(tmp_path)
    with running_server(tmp_path, "--engine", "script") as server, strict_client(server) as client:
        wait_for_sweep(tmp_path)
        check_kept(client, kept)
        stored = rows(tmp_path, "SELECT blob FROM files")
        assert stored == rows(tmp_path, "SELECT id FROM blobs")
        assert stored == sorted(path.name for path in (tmp_path / "data/blobs").iterdir())
        assert len(stored) - len(kept) <= 3, "at most one file of each sender was stored and not acknowledged"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket that servers started meanwhile find by the usual variables."""
    with running_bucket(tmp_path) as running:
        access = running.access
        monkeypatch.setenv("AWS_ENDPOINT_URL", access.endpoint or "")
        monkeypatch.setenv("AWS_REGION", access.region or "")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", access.access_key_id or "")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", access.secret_access_key or "")
        yield running


def test_the_same_with_a_bucket(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEHOLD__STORAGE__BLOBS", "s3://test-bucket/files")
    kept = kill_in_the_middle(tmp_path, 1.7)
    assert kept
    age_everything(tmp_path)
    with running_server(tmp_path, "--engine", "script") as server, strict_client(server) as client:
        wait_for_sweep(tmp_path)
        check_kept(client, kept)
        stored = rows(tmp_path, "SELECT blob FROM files")
        assert stored == rows(tmp_path, "SELECT id FROM blobs")
        assert sorted(bucket.names()) == [f"files/{name}" for name in stored]
        upload = client.uploads.upload_file_chunked(
            file=CONTENT,
            filename="a.bin",
            bytes=len(CONTENT),
            mime_type="application/octet-stream",
            purpose="user_data",
            part_size=1_000_000,
        )
        assert upload.file is not None
        assert client.files.content(upload.file.id).read() == CONTENT
    assert server.process.returncode == 0
    assert not (tmp_path / "data/blobs").exists()

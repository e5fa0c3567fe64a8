"""A private S3 server in a process of its own, killed at the end."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from freehold.storage.blobs.access import S3Access

BUCKET = "test-bucket"
READY_SECONDS = 60.0
_READY = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


class Bucket:
    """A bucket: how to get into it, and what is in it."""

    def __init__(self, endpoint: str) -> None:
        self.access = S3Access(
            endpoint=endpoint, region="us-east-1", access_key_id="test", secret_access_key="test-secret"
        )
        self._url = f"{endpoint}/{BUCKET}"

    def make(self) -> None:
        """Make the bucket, empty."""
        httpx2.put(self._url, headers=_SIGNED).raise_for_status()

    def names(self) -> list[str]:
        """The names of the objects."""
        return re.findall(r"<Key>(.*?)</Key>", self._get("list-type=2"))

    def unfinished(self) -> list[str]:
        """The names of the objects whose uploads have neither been completed nor aborted."""
        return re.findall(r"<Key>(.*?)</Key>", self._get("uploads"))

    def _get(self, query: str) -> str:
        return httpx2.get(f"{self._url}?{query}", headers=_SIGNED).raise_for_status().text


_SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}


@contextmanager
def running_bucket(folder: Path) -> Iterator[Bucket]:
    """Run an S3 server with one empty bucket, its log in `folder`. Raises AssertionError when it is not ready."""
    log = folder / "s3.log"
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        bucket = Bucket(_endpoint(process, log))
        bucket.make()
        yield bucket
    finally:
        process.kill()
        process.wait()


def _endpoint(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        ready = _READY.search(log.read_text())
        if ready is not None:
            return ready[1]
        time.sleep(0.05)
    raise AssertionError(f"the S3 server was not ready:\n{log.read_text()}")

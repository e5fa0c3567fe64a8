"""A model file from the hub, over HTTP: resumable, and checked before it gets its name."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import httpx2

from freehold.engines.weights.errors import Damaged, Unreachable

HUB = "https://huggingface.co"
CHUNK = 1 << 20
PARTIAL, RANGE_WRONG = 206, 416
SHA256 = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[int, int], None]
"""Told the bytes that are here and the bytes that there will be."""


def download(url: str, part: Path, sha256: str | None, progress: Progress, timeout: float = 5.0) -> None:
    """Download `url` into `part`, going on where an earlier download stopped, and check it.

    `timeout` is for the connection, in seconds. Without `sha256` the hub's own, where it tells one, is what the bytes
    must have. Raises Unreachable when the hub does not answer or does not have the file, Damaged when the bytes are
    not the file's; they are deleted.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"accept-encoding": "identity"} | ({"range": f"bytes={have}-"} if have else {})
    try:
        with (
            httpx2.Client(timeout=httpx2.Timeout(30.0, connect=timeout), follow_redirects=True) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            sha256 = sha256 or _promised(answer)
            if answer.status_code != RANGE_WRONG:  # that one means that all of it is here, or that it has changed
                if answer.status_code not in (200, PARTIAL):
                    raise Unreachable(f"{url} answered {answer.status_code}")
                have = have if answer.status_code == PARTIAL else 0
                total = have + int(answer.headers.get("content-length", 0))
                with part.open("ab" if have else "wb") as file:
                    for chunk in answer.iter_bytes(CHUNK):
                        file.write(chunk)
                        have += len(chunk)
                        progress(have, max(total, have))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unreachable(f"{url} does not answer ({type(error).__name__}: {error})") from error
    if sha256 is not None and digest(part) != sha256:
        part.unlink()
        raise Damaged(f"what came from {url} is not the file that it should be (its sha256 differs); it was deleted")


def _promised(answer: httpx2.Response) -> str | None:
    """The sha256 that the hub names for a large file, on its own answer, before it sends the client elsewhere."""
    tags = (one.headers.get("x-linked-etag", "").strip('"') for one in (*answer.history, answer))
    return next((tag for tag in tags if SHA256.fullmatch(tag)), None)


def digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

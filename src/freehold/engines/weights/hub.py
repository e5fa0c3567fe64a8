"""A model file from the hub, over HTTP: resumable, and checked before it gets its name."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx2

from freehold.engines.weights.errors import Damaged, Unreachable

HUB = "https://huggingface.co"
CHUNK = 1 << 20
PARTIAL, RANGE_WRONG = 206, 416

Progress = Callable[[int, int], None]
"""Told the bytes that are here and the bytes that there will be."""


def download(url: str, part: Path, sha256: str | None, progress: Progress, timeout: float = 5.0) -> None:
    """Download `url` into `part`, going on where an earlier download stopped, and check it.

    `timeout` is for the connection and for each read, in seconds. Raises Unreachable when the hub does not answer or
    does not have the file, Damaged when the bytes are not those of `sha256`.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"range": f"bytes={have}-"} if have else {}
    try:
        with (
            httpx2.Client(timeout=httpx2.Timeout(30.0, connect=timeout), follow_redirects=True) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            if answer.status_code != RANGE_WRONG:  # that one means that all of it is here
                if answer.status_code not in (200, PARTIAL):
                    raise Unreachable(f"{url} answered {answer.status_code}")
                have = have if answer.status_code == PARTIAL else 0
                total = have + int(answer.headers.get("content-length", 0))
                with part.open("ab" if have else "wb") as file:
                    for chunk in answer.iter_bytes(CHUNK):
                        file.write(chunk)
                        have += len(chunk)
                        progress(have, max(total, have))
    except httpx2.HTTPError as error:
        raise Unreachable(f"{url} does not answer ({type(error).__name__}: {error})") from error
    if sha256 is not None and digest(part) != sha256:
        part.unlink()
        raise Damaged(f"what came from {url} is not the pinned file (its sha256 differs); it was deleted")


def digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Opens the blob store that the settings name."""

import asyncio
import re
from importlib.util import find_spec
from pathlib import Path

from freehold.core.ports import Blobs
from freehold.storage.blobs.access import S3Access
from freehold.storage.blobs.folder import FolderBlobs

_FOLDER = re.compile(r"file:///([^?#]+)")
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)(?:/([^?#]*))?")


def folder_of(url: str, folder: Path) -> Path | None:
    """Return the folder that `url` names, inside the data folder `folder` if relative; None where it names none."""
    named = _FOLDER.fullmatch(url)
    return folder / named[1] if named else None


async def open_blobs(url: str, folder: Path, access: S3Access) -> Blobs:
    """Open the blob store at `url`: `file:///FOLDER`, relative to the data folder `folder`, or `s3://BUCKET/PREFIX`.

    Raises ValueError for a URL that is wrong, or that needs an extra that is not installed, StorageFailed when the
    store cannot be written.
    """
    if place := folder_of(url, folder):
        return await asyncio.to_thread(FolderBlobs, place)
    if named := _S3.fullmatch(url):
        if find_spec("obstore") is None:
            raise ValueError("setting storage.blobs: a bucket needs the extra: pip install 'freehold[s3]'")
        from freehold.storage.blobs.s3 import S3Blobs  # noqa: PLC0415  an extra

        return await asyncio.to_thread(S3Blobs, named[1], (named[2] or "").strip("/"), access)
    raise ValueError(f"setting storage.blobs: {url!r} is no URL like file:///blobs or s3://bucket/prefix")

"""Which blob store the settings name."""

import asyncio
from pathlib import Path

import pytest

from freehold.core.errors import StorageFailed
from freehold.storage.blobs.access import S3Access
from freehold.storage.blobs.open import open_blobs


def test_a_folder_is_inside_the_data_folder_or_where_it_says(tmp_path: Path) -> None:
    async def main() -> None:
        await open_blobs("file:///blobs", tmp_path / "data", S3Access())
        await open_blobs("file:///a/b", tmp_path / "data", S3Access())
        await open_blobs(f"file:///{tmp_path}/elsewhere", tmp_path / "data", S3Access())

    asyncio.run(main())
    for folder in ("data/blobs", "data/a/b", "elsewhere"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "url", ["", "blobs", "file://blobs", "file:///", "file:///a?b", "s3:///a", "s3://B", "s3://b c", "gs://b"]
)
def test_another_url_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"setting storage\.blobs: .* is no URL like file:///blobs or s3://bucket/prefix"
    ):
        asyncio.run(open_blobs(url, tmp_path, S3Access()))


def test_a_bucket_without_the_extra_says_which_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.storage.blobs.open.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'freehold\[s3\]'"):
        asyncio.run(open_blobs("s3://bucket", tmp_path, S3Access()))


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot be opened"):
        asyncio.run(open_blobs("file:///file/blobs", tmp_path, S3Access()))

"""A backup is whole, private, and of one moment, whatever is written and deleted meanwhile."""

import asyncio
import sqlite3
import tarfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from freehold.core.errors import Conflict, NotFound, StorageFailed
from freehold.storage.backup import Manifest, Places, back_up, places
from freehold.storage.blobs.folder import FolderBlobs
from freehold.storage.database import open_database
from freehold.storage.migrations.upgrade import HEAD
from freehold.storage.repos.blobs import BlobRows
from freehold.storage.repos.files import FileRow, FileRows
from tests.databases import SQLITE


def data_folder(folder: Path) -> Places:
    """Return where the things of a data folder are."""
    return places(SQLITE, "file:///blobs", "pepper", folder)


async def add_file(folder: Path, number: int, content: bytes) -> None:
    """Store a file as a server does."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    async with open_database(SQLITE, folder) as database:
        name = f"blob_{number}"
        await BlobRows(database).reserve(name, 1.0)
        digest = await FolderBlobs(folder / "blobs").put(name, chunks())
        await FileRows(database).add(
            FileRow(
                id=f"file-{number}",
                project="p",
                created=1,
                expires=None,
                purpose="user_data",
                filename="f",
                sha256=digest.sha256,
                bytes=digest.bytes,
                blob=name,
            )
        )


def filled(folder: Path, count: int = 3) -> Places:
    """Fill a data folder with files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pepper").write_bytes(b"p" * 32)
    for number in range(count):
        asyncio.run(add_file(folder, number, b"%d" % number * 1000))
    return data_folder(folder)


def entries(backup: Path) -> dict[str, bytes]:
    """Return what is in a backup."""
    with tarfile.open(backup) as archive:
        return {one.name: source.read() for one in archive if (source := archive.extractfile(one)) is not None}


def test_all_that_is_referred_to_is_in_it_and_nothing_else(tmp_path: Path) -> None:
    where = filled(tmp_path / "data")
    (tmp_path / "data/blobs/blob_doomed").write_bytes(b"nobody's")
    backup = tmp_path / "b.tar"
    assert back_up(where, backup) == Manifest(schema=HEAD, blobs=3)
    found = entries(backup)
    assert list(found) == ["manifest.json", "freehold.db", "pepper", "blobs/blob_0", "blobs/blob_1", "blobs/blob_2"]
    assert found["pepper"] == b"p" * 32 and found["blobs/blob_2"] == b"2" * 1000
    assert msgspec.json.decode(found["manifest.json"]) == {"format": 1, "schema": HEAD, "blobs": 3}
    assert backup.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "data"]
    assert not list((tmp_path / "data").glob(".*"))


def test_a_file_that_is_deleted_meanwhile_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = filled(tmp_path / "data")

    def remove(self: sqlite3.Connection) -> None:
        (tmp_path / "data/blobs/blob_1").unlink()

    class Swept(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection) -> None:  # type: ignore[override]
            super().backup(target)
            remove(self)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path: connect(path, factory=Swept))
    back_up(where, tmp_path / "b.tar")
    assert entries(tmp_path / "b.tar")["blobs/blob_1"] == b"1" * 1000


def test_a_store_that_has_lost_something_is_said_and_no_backup_made(tmp_path: Path) -> None:
    where = filled(tmp_path / "data")
    (tmp_path / "data/blobs/blob_1").unlink()
    with pytest.raises(StorageFailed, match=r"1 contents of files are not in .*/blobs; the first is blob_1"):
        back_up(where, tmp_path / "b.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_without_links_the_contents_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: str, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", link)
    assert back_up(filled(tmp_path / "data"), tmp_path / "b.tar").blobs == 3
    assert entries(tmp_path / "b.tar")["blobs/blob_1"] == b"1" * 1000


def test_a_buckets_objects_are_not_in_it(tmp_path: Path) -> None:
    filled(tmp_path / "data")
    where = places(SQLITE, "s3://bucket", "pepper", tmp_path / "data")
    assert back_up(where, tmp_path / "b.tar") == Manifest(schema=HEAD, blobs=None)
    assert list(entries(tmp_path / "b.tar")) == ["manifest.json", "freehold.db", "pepper"]


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(b"older")
    with pytest.raises(Conflict, match=r"b\.tar exists\. Name a new file"):
        back_up(filled(tmp_path / "data"), tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_bytes() == b"older"


def test_nothing_to_back_up_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no database .*/none/freehold\.db to back up"):
        back_up(data_folder(tmp_path / "none"), tmp_path / "b.tar")
    (tmp_path / "freehold.db").write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(StorageFailed, match="cannot be copied: file is not a database"):
        back_up(data_folder(tmp_path), tmp_path / "b.tar")


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    where = filled(tmp_path / "data")
    where.pepper.unlink()
    with pytest.raises(FileNotFoundError, match="pepper"):
        back_up(where, tmp_path / "b.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_postgresql_has_tools_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PostgreSQL has its own tools, such as pg_dump"):
        places("postgresql://me:secret@host/freehold", "file:///blobs", "pepper", tmp_path)


def test_a_copy_is_one_file(tmp_path: Path) -> None:
    back_up(filled(tmp_path / "data"), tmp_path / "b.tar")
    (tmp_path / "copy.db").write_bytes(entries(tmp_path / "b.tar")["freehold.db"])
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("SELECT count(*) FROM files").fetchone() == (3,)

"""A backup is restored whole or not at all, never over something by accident, never under a server."""

import asyncio
import io
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from freehold.core.errors import Conflict, Invalid
from freehold.storage.backup import Manifest, Places, back_up, places
from freehold.storage.database import open_database
from freehold.storage.migrations.upgrade import HEAD
from freehold.storage.restore import restore
from tests.databases import SQLITE

MANIFEST = b'{"format": 1, "schema": "%s", "blobs": 1}' % HEAD.encode()


def data_folder(folder: Path) -> Places:
    """Return where the things of a data folder are."""
    return places(SQLITE, "file:///blobs", "pepper", folder)


def filled(folder: Path, content: bytes) -> Places:
    """Fill a data folder with a database, a pepper, and the contents of a file that the database refers to."""

    async def main() -> None:
        async with open_database(SQLITE, folder):
            return

    asyncio.run(main())
    (folder / "pepper").write_bytes(content * 32)
    (folder / "blobs").mkdir()
    (folder / "blobs/blob_1").write_bytes(content)
    with closing(sqlite3.connect(folder / "freehold.db")) as database:
        database.execute("INSERT INTO blobs VALUES ('blob_1', 'kept', 1)")
        database.commit()
    return data_folder(folder)


def backup_of(folder: Path, content: bytes) -> Path:
    """Make a backup of a folder that is filled so."""
    back_up(filled(folder / "origin", content), folder / "b.tar")
    return folder / "b.tar"


def kept(where: Places) -> tuple[bytes, bytes, int]:
    """Return the pepper, the contents and the number of blobs of a data folder."""
    assert where.blobs is not None
    with closing(sqlite3.connect(where.database)) as database:
        count = database.execute("SELECT count(*) FROM blobs WHERE state = 'kept'").fetchone()[0]
    return where.pepper.read_bytes(), (where.blobs / "blob_1").read_bytes(), count


def test_what_was_backed_up_is_there_again(tmp_path: Path) -> None:
    backup, there = backup_of(tmp_path, b"a"), data_folder(tmp_path / "new" / "folder")
    assert restore(backup, there, force=False) == Manifest(schema=HEAD, blobs=1)
    assert kept(there) == (b"a" * 32, b"a", 1)
    assert sorted(path.name for path in (tmp_path / "new/folder").iterdir()) == ["blobs", "freehold.db", "pepper"]
    assert there.pepper.stat().st_mode & 0o777 == 0o600


def test_nothing_is_replaced_unless_it_is_wanted(tmp_path: Path) -> None:
    backup, there = backup_of(tmp_path, b"a"), filled(tmp_path / "data", b"b")
    with pytest.raises(Conflict, match=r"freehold\.db exists\. Restore into another data folder, or .* --force"):
        restore(backup, there, force=False)
    assert kept(there) == (b"b" * 32, b"b", 1)
    assert there.blobs is not None
    (there.blobs / "blob_2").write_bytes(b"of later")
    restore(backup, there, force=True)
    assert kept(there) == (b"a" * 32, b"a", 1)
    assert [path.name for path in there.blobs.iterdir()] == ["blob_1"]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["blobs", "freehold.db", "pepper"]


def test_a_pepper_alone_is_not_replaced_either(tmp_path: Path) -> None:
    backup, there = backup_of(tmp_path, b"a"), data_folder(tmp_path / "data")
    there.pepper.parent.mkdir()
    there.pepper.write_bytes(b"c" * 32)
    with pytest.raises(Conflict, match="pepper exists"):
        restore(backup, there, force=False)


def test_a_folder_that_a_server_uses_is_left_alone(tmp_path: Path) -> None:
    backup, there = backup_of(tmp_path, b"a"), filled(tmp_path / "data", b"b")

    async def main() -> None:
        async with open_database(SQLITE, tmp_path / "data"):
            with pytest.raises(Conflict, match=r"is in use .*Stop the server first"):
                await asyncio.to_thread(restore, backup, there, True)

    asyncio.run(main())
    assert kept(there) == (b"b" * 32, b"b", 1)
    restore(backup, there, force=True)
    assert kept(there) == (b"a" * 32, b"a", 1)


def test_a_log_that_a_crash_left_is_not_taken_for_the_new_databases(tmp_path: Path) -> None:
    backup, there = backup_of(tmp_path, b"a"), filled(tmp_path / "data", b"b")
    there.database.write_bytes(b"Dear diary, " * 1000)
    there.database.with_name("freehold.db-wal").write_bytes(b"of before")
    restore(backup, there, force=True)
    assert kept(there) == (b"a" * 32, b"a", 1)


def test_a_database_alone_goes_beside_a_bucket(tmp_path: Path) -> None:
    filled(tmp_path / "origin", b"a")
    bucket = places(SQLITE, "s3://bucket", "pepper", tmp_path / "origin")
    back_up(bucket, tmp_path / "b.tar")
    there = places(SQLITE, "s3://bucket", "pepper", tmp_path / "data")
    assert restore(tmp_path / "b.tar", there, force=False).blobs is None
    with pytest.raises(Conflict, match=r"setting storage\.blobs is no folder"):
        restore(
            backup_of(tmp_path / "whole", b"a"), places(SQLITE, "s3://b", "pepper", tmp_path / "other"), force=False
        )


def archive(file: Path, entries: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    """Write a tar file with these entries."""
    with tarfile.open(file, "w") as made:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            made.addfile(entry, io.BytesIO(content))
    return file


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "it has no manifest.json"),
        ({"manifest.json": b"{}"}, "missing required field"),
        ({"manifest.json": MANIFEST}, "the database or the pepper is missing"),
        ({"manifest.json": MANIFEST, "freehold.db": b"", "pepper": b""}, "is damaged: no such table: blobs"),
        ({"manifest.json": MANIFEST, "freehold.db": b"x" * 5000, "pepper": b""}, "is damaged: file is not a database"),
        ({"manifest.json": MANIFEST.replace(HEAD.encode(), b"9999")}, "made by a newer Freehold (schema 9999"),
        ({"manifest.json": MANIFEST.replace(b"1,", b"2,", 1)}, "made by a newer Freehold"),
        ({"blobs/../../out": b"x"}, "no backup of Freehold: it holds 'blobs/../../out'"),
        ({"blobs/..": b"x"}, "it holds 'blobs/..'"),
        ({"blobs/manifest.json": b"x"}, "it holds 'blobs/manifest.json'"),
        ({"/etc/passwd": b"x"}, "it holds '/etc/passwd'"),
        ({"photo.jpg": b"x"}, "it holds 'photo.jpg'"),
    ],
)
def test_what_is_no_backup_changes_nothing(tmp_path: Path, entries: dict[str, bytes], message: str) -> None:
    there = filled(tmp_path / "data", b"b")
    with pytest.raises(Invalid) as refused:
        restore(archive(tmp_path / "b.tar", entries), there, force=True)
    assert message in refused.value.message
    assert kept(there) == (b"b" * 32, b"b", 1)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["blobs", "freehold.db", "pepper"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="it holds 'pepper'"):
        restore(
            archive(tmp_path / "b.tar", {"pepper": b""}, tarfile.SYMTYPE), data_folder(tmp_path / "data"), force=False
        )


def test_half_a_backup_changes_nothing(tmp_path: Path) -> None:
    backup, there = backup_of(tmp_path, b"a"), filled(tmp_path / "data", b"b")
    whole = backup.read_bytes()
    for length in (0, 100, 3_000, len(whole) // 2):
        backup.write_bytes(whole[:length])
        with pytest.raises(Invalid, match="is no whole backup of Freehold"):
            restore(backup, there, force=True)
    backup.write_bytes(b"no tar at all" * 1000)
    with pytest.raises(Invalid, match="is no whole backup of Freehold"):
        restore(backup, there, force=True)
    assert kept(there) == (b"b" * 32, b"b", 1)


def test_a_backup_that_lacks_a_files_contents_is_not_restored(tmp_path: Path) -> None:
    backup = backup_of(tmp_path, b"a")
    with tarfile.open(backup) as whole:
        entries = {one.name: source.read() for one in whole if (source := whole.extractfile(one)) is not None}
    del entries["blobs/blob_1"]
    with pytest.raises(Invalid, match="the contents blob_1 are missing"):
        restore(archive(tmp_path / "c.tar", entries), data_folder(tmp_path / "data"), force=False)

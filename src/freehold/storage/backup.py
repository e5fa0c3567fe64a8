"""A backup: one tar file with the database, the contents of its files, and the pepper, as they were at one moment.

A server may write meanwhile. The database is copied as of one transaction. Contents do not change once they are there,
so they are linked before that and again after it: what the copy refers to is among them, even if it was deleted since.
"""

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import msgspec
from msgspec import Struct
from sqlalchemy.engine import make_url

from freehold.core.errors import Conflict, NotFound, StorageFailed
from freehold.storage.blobs.open import folder_of
from freehold.storage.sqlite import file_of

MANIFEST, DATABASE, PEPPER, BLOBS = "manifest.json", "freehold.db", "pepper", "blobs/"
FORMAT = 1
_KEPT = "SELECT id FROM blobs WHERE state = 'kept' ORDER BY id"
_SCHEMA = "SELECT version_num FROM alembic_version"


class Places(Struct, frozen=True):
    """Where the things are that a backup holds; `blobs` is None for a bucket, which has backups of its own."""

    database: Path
    pepper: Path
    blobs: Path | None


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup says of itself: the schema of its database, and the contents that it holds, None for a bucket's."""

    format: int = FORMAT
    schema: str
    blobs: int | None


def places(database: str, blobs: str, pepper: str, folder: Path) -> Places:
    """Return where the settings have things; relative paths are inside the data folder `folder`. Raises ValueError."""
    if not database.startswith("sqlite:"):
        raise ValueError("backups are for SQLite; PostgreSQL has its own tools, such as pg_dump and pg_restore")
    return Places(file_of(make_url(database), folder), folder / pepper, folder_of(blobs, folder))


def back_up(where: Places, file: Path) -> Manifest:
    """Write a backup into a new file that only its owner may read. Blocks.

    Raises Conflict when the file is there, NotFound when there is nothing to back up, StorageFailed, and OSError when
    the file cannot be written.
    """
    if file.exists():
        raise Conflict(f"{file} exists. Name a new file.")
    if not where.database.exists():
        raise NotFound(f"There is no database {where.database} to back up.")
    with TemporaryDirectory(prefix=".backup-", dir=where.database.parent) as drafts, _holding(where.blobs) as held:
        copy = Path(drafts) / DATABASE
        _link(where.blobs, held)
        schema, kept = _copy(where.database, copy)
        _link(where.blobs, held)
        if held is not None and (lost := [one for one in kept if not (held / one).exists()]):
            raise StorageFailed(f"{len(lost)} contents of files are not in {where.blobs}; the first is {lost[0]}.")
        manifest = Manifest(schema=schema, blobs=None if held is None else len(kept))
        entries = [(DATABASE, copy), (PEPPER, where.pepper)]
        entries += [(BLOBS + one, held / one) for one in kept if held is not None]
        with _new(file) as output, tarfile.open(fileobj=output, mode="w") as archive:
            _add(archive, MANIFEST, Path(drafts) / MANIFEST, msgspec.json.encode(manifest))
            for name, path in entries:
                _add(archive, name, path)
    return manifest


@contextmanager
def _holding(blobs: Path | None) -> Iterator[Path | None]:
    """Make a folder beside that of the blobs, where links to them are possible."""
    if blobs is None:
        yield None
        return
    blobs.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".backup-", dir=blobs.parent) as held:
        yield Path(held)


def _link(blobs: Path | None, held: Path | None) -> None:
    if blobs is None or held is None or not blobs.exists():
        return
    for entry in os.scandir(blobs):
        target = held / entry.name
        if target.exists():
            continue
        try:
            os.link(entry.path, target)
        except FileNotFoundError:
            continue  # deleted since it was listed: nothing refers to it
        except OSError:  # a file system without links
            shutil.copyfile(entry.path, target)


def _copy(database: Path, copy: Path) -> tuple[str, list[str]]:
    """Copy a database as of one moment; return its schema, and the blobs that it refers to."""
    try:
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, also for those who open it by hand
            return target.execute(_SCHEMA).fetchone()[0], [row[0] for row in target.execute(_KEPT)]
    except sqlite3.Error as error:
        raise StorageFailed(f"The database {database} cannot be copied: {error}.") from error


@contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """Open a file that has its name once it is whole and on the disk."""
    draft = file.with_name(file.name + ".part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as output:
            os.fchmod(handle, 0o600)
            yield output
            output.flush()
            os.fsync(handle)
        draft.rename(file)
    except BaseException:
        draft.unlink()
        raise


def _add(archive: tarfile.TarFile, name: str, path: Path, content: bytes | None = None) -> None:
    if content is not None:
        path.write_bytes(content)
    entry = tarfile.TarInfo(name)
    entry.mode = 0o600
    with path.open("rb") as source:
        status = os.fstat(source.fileno())
        entry.size, entry.mtime = status.st_size, int(status.st_mtime)
        archive.addfile(entry, source)

"""A backup becomes what a server starts from: unpacked and checked beside the old things before it replaces them."""

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from freehold.core.errors import Conflict, Invalid, StorageFailed
from freehold.storage.backup import BLOBS, DATABASE, FORMAT, MANIFEST, PEPPER, Manifest, Places
from freehold.storage.migrations.upgrade import HEAD, VERSIONS

_KEPT = "SELECT id FROM blobs WHERE state = 'kept'"


def restore(file: Path, where: Places, force: bool) -> Manifest:
    """Put a backup's things where they belong; with `force`, in place of what is there. Blocks.

    Raises Conflict when something is there, or a server uses it, Invalid when the file is no whole backup, or a newer
    program's, StorageFailed, and OSError when a file cannot be read or written.
    """
    there = [path for path in (where.database, where.pepper, where.blobs) if path is not None and _filled(path)]
    if there and not force:
        raise Conflict(f"{there[0]} exists. Restore into another data folder, or replace it with --force.")
    for path in (where.database, where.pepper, *([] if where.blobs is None else [where.blobs])):
        path.parent.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix=".restore-", dir=where.database.parent) as drafts,
        TemporaryDirectory(prefix=".restore-", dir=(where.blobs or where.database).parent) as contents,
    ):
        draft, blobs = Path(drafts), Path(contents) / "blobs"
        blobs.mkdir(mode=0o700)
        manifest = _unpack(file, draft, blobs)
        if manifest.blobs is not None and where.blobs is None:
            raise Conflict(
                "The backup holds the contents of files, and setting storage.blobs is no folder to put them."
            )
        _check(file, draft / DATABASE, None if manifest.blobs is None else blobs)
        with _unused(where.database):
            _replace(draft, blobs if manifest.blobs is not None else None, where)
    return manifest


def _filled(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _unpack(file: Path, draft: Path, blobs: Path) -> Manifest:
    """Write the entries of a backup to the disk, whatever else is in it."""
    try:
        with tarfile.open(file, "r:") as archive:
            for entry in archive:
                source = archive.extractfile(entry) if entry.isreg() else None
                name = entry.name.removeprefix(BLOBS)
                plain = "/" not in name and name not in ("", ".", "..")
                if source is None or not plain or (name == entry.name) != (name in (MANIFEST, DATABASE, PEPPER)):
                    raise Invalid(f"{file} is no backup of Freehold: it holds {entry.name!r}.")
                target = (draft if name == entry.name else blobs) / name
                with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
                    shutil.copyfileobj(source, output, 1024 * 1024)
                    output.flush()
                    os.fsync(output.fileno())
        manifest = msgspec.json.decode((draft / MANIFEST).read_bytes(), type=Manifest)
    except (tarfile.TarError, msgspec.MsgspecError, FileExistsError) as error:
        raise Invalid(f"{file} is no whole backup of Freehold: {error}.") from error
    except FileNotFoundError as error:
        if error.filename == str(file):
            raise
        raise Invalid(f"{file} is no whole backup of Freehold: it has no {MANIFEST}.") from error
    if manifest.format != FORMAT or manifest.schema not in VERSIONS:
        raise Invalid(
            f"{file} was made by a newer Freehold (schema {manifest.schema}; this one knows up to {HEAD}). "
            "Install the newer one."
        )
    return manifest


def _check(file: Path, database: Path, blobs: Path | None) -> None:
    """Make sure that the database is sound, and that all is there that it refers to."""
    if not (database.exists() and database.with_name(PEPPER).exists()):
        raise Invalid(f"{file} is no whole backup of Freehold: the database or the pepper is missing.")
    try:
        with closing(sqlite3.connect(database)) as opened:
            flaw = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
            kept = [] if blobs is None else [row[0] for row in opened.execute(_KEPT)]
    except sqlite3.Error as error:
        flaw, kept = str(error), []
    if flaw != "ok":
        raise Invalid(f"The database in {file} is damaged: {flaw}.")
    if blobs is not None and (lost := [one for one in kept if not (blobs / one).exists()]):
        raise Invalid(f"{file} is no whole backup of Freehold: the contents {lost[0]} are missing.")


@contextmanager
def _unused(database: Path) -> Iterator[None]:
    """Keep everybody out of a database that is there. Raises Conflict when somebody is in."""
    if not database.exists():
        yield
        return
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as opened:
        try:
            opened.execute("PRAGMA journal_mode = DELETE")  # fails while another has it open, and empties the -wal file
            opened.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Conflict(f"The database {database} is in use ({error}). Stop the server first.") from error
        except sqlite3.DatabaseError as error:  # it is damaged: who restores it knows
            if "not a database" not in str(error) and "malformed" not in str(error):
                raise StorageFailed(f"The database {database} cannot be replaced: {error}.") from error
        yield


def _replace(draft: Path, blobs: Path | None, where: Places) -> None:
    for ending in ("-wal", "-shm", "-journal"):  # they would be taken for the new database's
        where.database.with_name(where.database.name + ending).unlink(missing_ok=True)
    if blobs is not None and where.blobs is not None:
        if where.blobs.exists():
            where.blobs.rename(blobs.with_name("replaced"))
        blobs.rename(where.blobs)
    shutil.move(draft / PEPPER, where.pepper)
    (draft / DATABASE).rename(where.database)
    for folder in {path.parent for path in (where.database, where.pepper, where.blobs) if path is not None}:
        _sync(folder)


def _sync(folder: Path) -> None:
    """Make the folder's list of names durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

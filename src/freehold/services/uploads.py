"""Uploads: files that come in parts."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from freehold.core.errors import Invalid, NotFound
from freehold.core.ids import Clock, Mint
from freehold.core.principal import Principal
from freehold.services.blobs import Received, Shelf
from freehold.services.files import Files, NewFile, shown
from freehold.storage.repos.uploads import NotPending, PartRow, UploadRow, UploadRows
from freehold.surfaces.files import File, file_name, lifetime
from freehold.surfaces.uploads import MOST_BYTES, SECONDS, CompleteUploadBody, CreateUploadBody, Upload, UploadPart

_AT_ONCE = 100
_REMEMBERED_SECONDS = 24 * 3600


class Uploads:
    """The uploads of every project, each seen by its own only."""

    def __init__(self, rows: UploadRows, files: Files, shelf: Shelf, mint: Mint, clock: Clock) -> None:
        self._rows = rows
        self._files = files
        self._shelf = shelf
        self._mint = mint
        self._clock = clock

    async def create(self, who: Principal, body: CreateUploadBody) -> Upload:
        """Begin an upload. Raises Invalid for a file name that does not fit the purpose."""
        now = int(self._clock())
        row = UploadRow(
            id=self._mint("upload_"),
            project=who.project,
            created=now,
            expires=now + SECONDS,
            status="pending",
            purpose=body.purpose,
            filename=file_name(body.filename, body.purpose, "filename"),
            bytes=body.bytes,
            mime_type=body.mime_type,
            lifetime=lifetime(body.purpose, body.expires_after),
        )
        await self._rows.add(row)
        return _shown(row)

    async def expect_part(self, who: Principal, upload_id: str) -> None:
        """Make sure that an upload takes parts. Raises NotFound, and Invalid when it has ended."""
        self._refuse_ended(await self._find(who, upload_id))

    async def add_part(self, who: Principal, upload_id: str, received: Received) -> UploadPart:
        """Add a part to an upload; when this returns, it survives a crash.

        Raises NotFound, Invalid when the upload has ended, the part is empty or the upload too large, StorageFailed.
        """
        if received.digest.bytes == 0:
            raise Invalid("Invalid 'data': the part is empty.", "empty_file", "data")
        row = await self._find(who, upload_id)
        now = self._clock()
        part = PartRow(
            id=self._mint("part_"),
            upload=row.id,
            created=int(now),
            bytes=received.digest.bytes,
            blob=received.blob,
        )
        try:
            fits = await self._rows.add_part(part, now, MOST_BYTES)
        except NotPending:
            raise _ended(await self._find(who, upload_id)) from None
        if not fits:
            raise Invalid(
                f"Invalid 'data': with this part, the upload would be larger than {MOST_BYTES} bytes.",
                "upload_too_large",
                "data",
            )
        return UploadPart(id=part.id, created_at=part.created, upload_id=row.id)

    async def complete(self, who: Principal, upload_id: str, body: CompleteUploadBody) -> Upload:
        """Make a file of an upload's parts, in the order given; when this returns, the file survives a crash.

        Asked again for the same parts, it answers the same. Raises NotFound, Invalid for parts that are not there, are
        named twice or do not add up, for another `md5` and when the upload has ended otherwise, StorageFailed.
        """
        row = await self._find(who, upload_id)
        parts = await self._rows.parts(row.id)
        if row.status == "completed" and row.file is not None and body.part_ids == _placed(parts):
            return _shown(row, await self._files.retrieve(who, row.file))
        self._refuse_ended(row)
        chosen = _chosen(row, parts, body.part_ids)
        try:
            async with self._shelf.receiving() as receive:
                received = await receive(self._joined(chosen))
                if body.md5 is not None and received.digest.md5.hex() != body.md5.lower():
                    raise Invalid(
                        f"Invalid 'md5': the parts have the checksum {received.digest.md5.hex()}, but got "
                        f"{body.md5} instead.",
                        "md5_mismatch",
                        "md5",
                    )
                file = self._files.made(
                    who.project,
                    NewFile(filename=row.filename, purpose=row.purpose, lifetime=row.lifetime),
                    received,
                )
                await self._rows.complete(row.id, file, body.part_ids, self._clock())
        except NotPending:
            return await self.complete(who, upload_id, body)  # it ended meanwhile, perhaps by the same call
        return _shown(await self._find(who, upload_id), shown(file))

    async def cancel(self, who: Principal, upload_id: str) -> Upload:
        """End an upload without a file. Raises NotFound, and Invalid when it has ended otherwise."""
        row = await self._find(who, upload_id)
        if row.status == "cancelled":
            return _shown(row)
        self._refuse_ended(row)
        try:
            await self._rows.cancel(row.id, self._clock())
        except NotPending:
            return await self.cancel(who, upload_id)
        return _shown(await self._find(who, upload_id))

    async def sweep(self, now: float) -> None:
        """End the uploads that have expired, and forget those that ended long ago."""
        while await self._rows.remove_expired(now, _AT_ONCE) == _AT_ONCE:
            pass
        await self._rows.forget(now - _REMEMBERED_SECONDS)

    async def _find(self, who: Principal, upload_id: str) -> UploadRow:
        row = await self._rows.get(who.project, upload_id)
        if row is None:
            raise NotFound(f"No such Upload object: {upload_id}", None, "upload_id")
        return row

    def _refuse_ended(self, row: UploadRow) -> None:
        if row.status != "pending" or row.expires <= self._clock():
            raise _ended(row)

    async def _joined(self, parts: Iterable[PartRow]) -> AsyncGenerator[bytes, None]:
        for part in parts:
            async with aclosing(self._shelf.read(part.blob, 0, part.bytes)) as pieces:
                async for piece in pieces:
                    yield piece


def _ended(row: UploadRow) -> Invalid:
    status = "expired" if row.status == "pending" else row.status
    return Invalid(
        f"Upload '{row.id}' is {status}: only a pending upload can be changed.", "invalid_upload_status", "upload_id"
    )


def _placed(parts: Iterable[PartRow]) -> list[str]:
    return [part.id for part in sorted(parts, key=lambda part: part.position or 0)]


def _chosen(row: UploadRow, parts: Iterable[PartRow], part_ids: Sequence[str]) -> list[PartRow]:
    """The parts that were named, in their order. Raises Invalid for those that cannot become the file."""
    known = {part.id: part for part in parts}
    chosen: list[PartRow] = []
    for place, part_id in enumerate(part_ids):
        part = known.pop(part_id, None)
        if part is None:
            why = "is named twice" if part_id in part_ids[:place] else f"is no part of the upload '{row.id}'"
            raise Invalid(f"Part '{part_id}' {why}.", "invalid_value", f"part_ids[{place}]")
        chosen.append(part)
    size = sum(part.bytes for part in chosen)
    if size != row.bytes:
        raise Invalid(
            f"The parts are {size} bytes together, but the upload was created for {row.bytes} bytes.",
            "bytes_mismatch",
            "part_ids",
        )
    if not chosen:
        raise Invalid("File is empty.", "empty_file", "part_ids")
    return chosen


def _shown(row: UploadRow, file: File | None = None) -> Upload:
    return Upload(
        id=row.id,
        bytes=row.bytes,
        created_at=row.created,
        filename=row.filename,
        purpose=row.purpose,
        status=row.status,
        expires_at=row.expires,
        file=file,
    )

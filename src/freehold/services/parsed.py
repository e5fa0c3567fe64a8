"""Files as text: each is read once, for all who need it."""

import asyncio
import zlib

from msgspec import msgpack

from freehold.core.errors import Invalid
from freehold.services.files import Files
from freehold.storage.repos.files import FileRow
from freehold.storage.repos.parsed_files import ParsedRows
from freehold.tools import documents
from freehold.tools.reading import Reading
from freehold.tools.sections import Parsed

_MARKDOWN = (".md", ".markdown", ".mdx")


class ParsedFiles:
    """Reads files, and keeps what it read as long as the files are there."""

    def __init__(self, rows: ParsedRows, files: Files, reading: Reading) -> None:
        self._rows = rows
        self._files = files
        self._reading = reading

    async def of(self, row: FileRow, param: str | None = None) -> Parsed:
        """Return the text of a file. Raises Invalid, naming `param`, for one that cannot be read, and EngineBusy.

        The code of the fault is `unsupported_file` where its type is none that is read.
        """
        kept = await self._rows.get(row.id)
        if kept is not None:
            return await asyncio.to_thread(_unpacked, kept)
        if row.bytes > documents.MOST_BYTES:
            raise Invalid(
                f"The file '{row.id}' is larger than {documents.MOST_BYTES / 1e6:g} MB.", "file_too_large", param
            )
        data = b"".join([piece async for piece in self._files.content(row)])
        kind = documents.parsed_type(row.filename, "", data)
        text = await self._reading.text(row.filename, "", data, param or "file")
        parsed = Parsed(text, kind is not None or row.filename.lower().endswith(_MARKDOWN))
        await self._rows.keep(row.id, await asyncio.to_thread(_packed, parsed))
        return parsed


def _packed(parsed: Parsed) -> bytes:
    return zlib.compress(msgpack.encode(parsed), 1)


def _unpacked(body: bytes) -> Parsed:
    return msgpack.decode(zlib.decompress(body), type=Parsed)

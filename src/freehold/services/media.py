"""What models are given in place of the images and files of a conversation."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from msgspec import UNSET

from freehold.core.catalog import Catalog, Entry
from freehold.core.errors import Fault, Invalid, NotFound, Unsupported
from freehold.core.items import CustomToolCallOutput, FunctionCallOutput, InputFile, InputImage, Item, Message, Part
from freehold.core.principal import Principal
from freehold.core.prompt import Image
from freehold.runs.lower import Seen
from freehold.services.files import Files
from freehold.services.parsed import ParsedFiles
from freehold.storage.repos.files import FileRow
from freehold.tools import documents, images
from freehold.tools.data_url import is_data_url, read_file_data, read_image_url
from freehold.tools.guard import Guard
from freehold.tools.reading import Reading

MOST = 100
MOST_BYTES = 64_000_000
_LONGEST_NAME = 120
_OCR = "\n[Image, read by OCR:\n{}\n]\nAnswer from this text; it stands for the image.\n"
"""Without the last line the small starter says of one image in ten that it cannot see it (none in 40 with it)."""
_WORK_AT_ONCE = 8


class Media:
    """Fetches, checks and reads the images and files that callers send."""

    def __init__(self, guard: Guard, reading: Reading, catalog: Catalog, files: Files, parsed: ParsedFiles) -> None:
        self._parsed = parsed
        self._guard = guard
        self._reading = reading
        self._catalog = catalog
        self._files = files

    async def see(
        self, who: Principal, entry: Entry, items: Iterable[Item], places: Mapping[InputImage | InputFile, str]
    ) -> Seen:
        """Return what the model of `entry` is given for each image and file of `items`: pictures, or text.

        `places` are where they stand in the request; what is not in it was said before. Raises Invalid or NotFound that
        names the place, Unsupported for images where the model does not see, EngineBusy when too much waits to be read.
        """
        parts = list(dict.fromkeys(_media(items)))
        if not parts:
            return {}
        if len(parts) > MOST:
            raise Invalid(f"The conversation holds {len(parts)} images and files; at most {MOST} are read.")
        at_once = asyncio.Semaphore(_WORK_AT_ONCE)
        seen: dict[InputImage | InputFile, tuple[Image | str, ...]] = {}
        faults: list[Fault] = []

        async def look(part: InputImage | InputFile) -> None:
            async with at_once:
                place = places.get(part, "input")
                seen[part] = await self._given(who, entry, part, place)
                if sum(map(_size, seen.values())) > MOST_BYTES:
                    raise Invalid(
                        f"The images and files are together larger than {MOST_BYTES / 1e6:g} MB.", "too_large", place
                    )

        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(look(part))
        except* Fault as failed:
            faults += [fault for fault in failed.exceptions if isinstance(fault, Fault)]
        if faults:
            raise faults[0]
        return seen

    async def _given(
        self, who: Principal, entry: Entry, part: InputImage | InputFile, place: str
    ) -> tuple[Image | str, ...]:
        if isinstance(part, InputImage):
            return (await self._image(who, entry, part, place),)
        return await self._file(who, entry, part, place)

    async def _image(self, who: Principal, entry: Entry, part: InputImage, place: str) -> Image | str:
        vision = entry.served.vision
        if vision == "none":
            raise Unsupported(self._blind(entry), place, "unsupported_value")
        if part.file_id is not None:
            data = await self._bytes(await self._found(who, part.file_id, images.MOST_BYTES, place))
        else:
            data = await self._at_url(part.image_url or "", place)
        detail = part.detail or "auto"
        if vision == "native":
            return Image(await self._reading.picture(data, detail, place))
        text = (await self._reading.ocr(data, detail, place)).strip()
        return _OCR.format(text) if text else "\n[Image, read by OCR: it holds no text]\n"

    async def _at_url(self, url: str, place: str) -> bytes:
        if is_data_url(url):
            return (await asyncio.to_thread(read_image_url, url, place)).data
        return (await self._guard.fetch(url, place, images.MOST_BYTES)).data

    async def _file(self, who: Principal, entry: Entry, part: InputFile, place: str) -> tuple[Image | str, ...]:
        sees = entry.served.vision == "native"
        if part.file_id is not None:
            row = await self._found(who, part.file_id, documents.MOST_BYTES, place)
            name, told, data = part.filename or row.filename, "", await self._bytes(row) if sees else b""
            text = (await self._parsed.of(row, place)).text
        else:
            name, told, data = await self._content(part, place)
            text = await self._reading.text(name, told, data, place, scans=not sees)
        text = documents.checked(documents.without_pages(text), place)
        pages: tuple[bytes, ...] = ()
        if sees and documents.parsed_type(name, told, data) == documents.PDF:
            detail = "auto" if part.detail is UNSET else part.detail
            pages = await self._reading.pages(data, detail, place)
        if not text.strip() and not pages:
            raise Invalid(
                "The file holds no text that can be read. A PDF of pictures is read where the server has its extra "
                "'ocr', and a model that sees is shown its pages.",
                "file_parse_error",
                place,
            )
        label = _label(name)
        return f"\n[File {label}:\n{text}\n]\n", *(Image(page) for page in pages)

    async def _content(self, part: InputFile, place: str) -> tuple[str, str, bytes]:
        """Return the name of a file that is no upload, the media type that is told of it, and its bytes."""
        if part.file_data is not None:
            inline = await asyncio.to_thread(read_file_data, part.file_data, place)
            return part.filename or "", inline.type, inline.data
        fetched = await self._guard.fetch(part.file_url or "", place, documents.MOST_BYTES, "file")
        name = part.filename or PurePosixPath(unquote(urlsplit(fetched.url).path)).name
        return name, fetched.type, fetched.data

    async def _found(self, who: Principal, file_id: str, most: int, place: str) -> FileRow:
        """Return the row of an uploaded file of up to `most` bytes."""
        try:
            row = await self._files.find(who, file_id)
        except NotFound as missing:
            raise NotFound(missing.message, None, place) from None
        if row.bytes > most:
            raise Invalid(f"The file '{file_id}' is larger than {most / 1e6:g} MB.", "file_too_large", place)
        return row

    async def _bytes(self, row: FileRow) -> bytes:
        return b"".join([piece async for piece in self._files.content(row)])

    def _blind(self, entry: Entry) -> str:
        seeing = sorted({one.served.name for one in self._catalog if one.served.vision != "none"})
        advice = (
            f"Models of this server that see: {', '.join(f'`{name}`' for name in seeing)}."
            if seeing
            else "No model of this server does. Its owner can install the extra that reads text in images "
            "(pip install 'freehold[ocr]'), or serve a model with a vision projector."
        )
        return f"Invalid content type. The model behind `{entry.name}` takes no images. {advice}"


def read_by_ocr(seen: Seen) -> bool:
    """Whether a model is given the text of an image in its place."""
    return any(isinstance(part, InputImage) and isinstance(given[0], str) for part, given in seen.items())


def _media(items: Iterable[Item]) -> Iterator[InputImage | InputFile]:
    for item in items:
        parts: tuple[Part, ...] = ()
        if isinstance(item, Message):
            parts = item.content
        elif isinstance(item, FunctionCallOutput | CustomToolCallOutput) and not isinstance(item.output, str):
            parts = item.output
        for part in parts:
            if isinstance(part, InputImage | InputFile):
                yield part


def _size(given: tuple[Image | str, ...]) -> int:
    return sum(len(one.data if isinstance(one, Image) else one) for one in given)


def _label(name: str) -> str:
    """A file's name as it may stand in a prompt: on one line, and not too long."""
    return " ".join(name.split())[:_LONGEST_NAME] or "without a name"

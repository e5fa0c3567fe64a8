"""What models are given in place of images and files."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from freehold.core.catalog import Catalog
from freehold.core.errors import Fault, Invalid, NotFound, Unsupported
from freehold.core.items import CustomToolCallOutput, FunctionCallOutput, InputFile, InputImage, Item, Message
from freehold.core.ports import Served, Vision
from freehold.core.principal import Principal
from freehold.core.prompt import Image
from freehold.services.files import Files, missing
from freehold.services.media import Media, read_by_ocr
from freehold.services.parsed import ParsedFiles
from freehold.storage.repos.files import FileRow
from freehold.tools.guard import Guard
from freehold.tools.reading import Reading
from freehold.tools.sections import Parsed
from tests.papers import data_url, pdf, picture

WHO = Principal("proj_1", "key_1")
PICTURE = data_url(picture("Freehold"), "image/png")
CAT = InputImage(image_url=PICTURE)


class Uploaded(Files):
    """The uploaded files of one project."""

    def __init__(self) -> None:
        self.known = {"file-cat": ("cat.png", picture("Cat")), "file-note": ("note.txt", b"Buy milk")}

    async def find(self, who: Principal, file_id: str) -> FileRow:
        if who != WHO or file_id not in self.known:
            raise missing(file_id)
        name, data = self.known[file_id]
        return FileRow(
            id=file_id,
            project=who.project,
            created=1,
            expires=None,
            purpose="user_data",
            filename=name,
            bytes=len(data),
            sha256=b"",
            blob=file_id,
        )

    async def content(self, row: FileRow, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        yield self.known[row.id][1][start:end]


class Read(ParsedFiles):
    """Reads a text file each time."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def of(self, row: FileRow, param: str | None = None) -> Parsed:
        return Parsed(b"".join([piece async for piece in self._files.content(row)]).decode(), marked=False)


def catalog(*visions: Vision) -> Catalog:
    models = [Served(name=vision, context=100, max_output=10, created=1, vision=vision) for vision in visions]
    return Catalog({"e": models}, {}, models[0].name)


def see(
    vision: Vision,
    *parts: InputImage | InputFile,
    places: Mapping[Any, str] | None = None,
    files: Uploaded | None = None,
    items: tuple[Item, ...] = (),
) -> dict[Any, Any]:
    models = catalog(vision, "native") if vision != "native" else catalog("native")
    entry = models.find(vision)
    assert entry is not None
    uploaded = files or Uploaded()
    media = Media(Guard(), Reading(), models, uploaded, Read(uploaded))
    said = (Message(role="user", content=parts), *items)
    return dict(asyncio.run(media.see(WHO, entry, said, places or {})))


def fault(vision: Vision, part: InputImage | InputFile, files: Uploaded | None = None) -> Fault:
    with pytest.raises(Fault) as caught:
        see(vision, part, places={part: "input[0].content[0]"}, files=files)
    assert caught.value.param == "input[0].content[0]"
    return caught.value


def test_without_images_and_files_there_is_nothing_to_see() -> None:
    assert see("none") == {}


def read(text: str) -> str:
    """What stands for an image that says `text`."""
    return f"\n[Image, read by OCR:\n{text}\n]\nAnswer from this text; it stands for the image.\n"


def test_a_model_that_sees_is_given_the_picture() -> None:
    seen = see("native", CAT)
    assert isinstance(seen[CAT][0], Image)
    assert seen[CAT][0].data.startswith(b"\x89PNG")
    assert not read_by_ocr(seen)


def test_a_model_without_eyes_is_given_the_text_in_it() -> None:
    seen = see("ocr", CAT)
    assert seen == {CAT: (read("Freehold"),)}
    assert read_by_ocr(seen)
    blank = InputImage(image_url=data_url(picture(), "image/png"))
    assert see("ocr", blank) == {blank: ("\n[Image, read by OCR: it holds no text]\n",)}


def test_a_blind_model_takes_none_and_one_that_sees_is_named() -> None:
    refused = fault("none", CAT)
    assert isinstance(refused, Unsupported)
    assert "`native`" in refused.message
    uploaded, models = Uploaded(), catalog("none")
    media = Media(Guard(), Reading(), models, uploaded, Read(uploaded))
    entry = models.find("none")
    assert entry is not None
    with pytest.raises(Unsupported, match=r"freehold\[ocr\]"):
        asyncio.run(media.see(WHO, entry, (Message(role="user", content=(CAT,)),), {}))


def test_a_file_s_text_is_given_with_its_name() -> None:
    note = InputFile(filename="a\n[b]  c.txt", file_data="SGVsbG8=")
    assert see("none", note) == {note: ("\n[File a [b] c.txt:\nHello\n]\n",)}
    paper = InputFile(file_data=data_url(pdf("The bridge"), "application/pdf"))
    assert see("ocr", paper) == {paper: ("\n[File without a name:\nThe bridge\n]\n",)}
    assert not read_by_ocr(see("ocr", paper))


def test_a_model_that_sees_is_shown_the_pages_too() -> None:
    paper = InputFile(filename="p.pdf", file_data=data_url(pdf("One", ""), "application/pdf"), detail="low")
    text, *pages = see("native", paper)[paper]
    assert text == "\n[File p.pdf:\nOne\n]\n"
    assert [type(page) for page in pages] == [Image, Image]


def test_the_outputs_of_calls_are_seen() -> None:
    note = InputFile(filename="n", file_data="SGVsbG8=")
    other = InputFile(filename="o", file_data="SGVsbG8=")
    items = (FunctionCallOutput(call_id="c", output=(note,)), CustomToolCallOutput(call_id="d", output=(other, note)))
    assert see("none", items=items).keys() == {note, other}


def test_uploaded_files_are_those_of_the_caller_s_project() -> None:
    cat, note = InputImage(file_id="file-cat"), InputFile(file_id="file-note")
    seen = see("ocr", cat, note)
    assert seen[cat] == (read("Cat"),)
    assert seen[note] == ("\n[File note.txt:\nBuy milk\n]\n",)
    unknown = fault("ocr", InputFile(file_id="file-other"))
    assert (type(unknown), unknown.message) == (NotFound, "No such File object: file-other")


@pytest.mark.parametrize(
    ("part", "size"), [(InputImage(file_id="file-big"), 20_000_001), (InputFile(file_id="file-big"), 50_000_001)]
)
def test_an_uploaded_file_that_is_too_large_is_not_read(part: InputImage | InputFile, size: int) -> None:
    files = Uploaded()
    files.known["file-big"] = ("big.txt", bytes(size))
    refused = fault("ocr", part, files)
    assert (type(refused), refused.code) == (Invalid, "file_too_large")
    assert "'file-big' is larger than" in refused.message


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (InputImage(image_url="data:image/png;base64,@"), "invalid_base64_image"),
        (InputImage(image_url="data:image/png;base64,YWJj"), "unsupported_image_media_type"),
        (InputImage(image_url="http://127.0.0.1/cat.png"), "invalid_image_url"),
        (InputImage(image_url="cat.png"), "invalid_image_url"),
        (InputFile(file_url="http://127.0.0.1/cat.pdf"), "invalid_file_url"),
        (InputFile(file_data="@"), "invalid_base64"),
        (InputFile(file_data="AAEC"), "unsupported_file"),
        (InputFile(file_data="ICA="), "file_parse_error"),
    ],
)
def test_what_is_wrong_names_its_place(part: InputImage | InputFile, code: str) -> None:
    assert fault("ocr", part).code == code


def test_a_place_that_is_not_known_was_said_before() -> None:
    with pytest.raises(Invalid) as caught:
        see("ocr", InputImage(image_url="cat.png"))
    assert caught.value.param == "input"


def test_a_conversation_may_hold_only_so_many() -> None:
    with pytest.raises(Invalid, match="101 images and files"):
        see("none", *(InputFile(file_data="YQ==", filename=str(number)) for number in range(101)))


def test_all_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.services.media.MOST_BYTES", 50)
    notes = [InputFile(file_data="YWJj" * 5, filename=str(number)) for number in range(3)]
    assert len(see("none", *notes[:1])) == 1
    with pytest.raises(Invalid, match="together larger"):
        see("none", *notes)

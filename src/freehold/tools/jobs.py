"""What a reading process is asked, and what it answers: one msgpack message each."""

from typing import Literal

from msgspec import Struct

Kind = Literal["picture", "ocr", "document", "pages", "scan"]


class Job(Struct, frozen=True, array_like=True):
    """Read `data`.

    A `picture` is made plain, as `images.bounded` does; `ocr` reads the text in it; a `document` of the media type
    `type` becomes text; the `pages` of a PDF become pictures; the text of a `scan`, a PDF of pictures, is read by OCR.
    """

    kind: Kind
    data: bytes
    detail: str = "auto"
    type: str = ""


class Reply(Struct, frozen=True, array_like=True):
    """What a job came to: text or pictures; else why it is refused, with a code.

    `missing` names a package that is not installed.
    """

    text: str = ""
    pictures: tuple[bytes, ...] = ()
    refusal: str = ""
    code: str | None = None
    missing: str = ""

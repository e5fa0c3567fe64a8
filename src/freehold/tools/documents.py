"""Files to text: what is text is decoded here; PDF and office files are parsed, in a reading process only."""

import codecs
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from freehold.core.errors import Invalid
from freehold.tools.images import bounded

MOST_BYTES = 50_000_000
MOST_TEXT = 2_000_000
MOST_PAGES = 20

PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument."
PARSED: Mapping[str, str] = {
    "pdf": PDF,
    "docx": _OFFICE + "wordprocessingml.document",
    "pptx": _OFFICE + "presentationml.presentation",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
    "html": "text/html",
    "htm": "text/html",
    "eml": "message/rfc822",
}
"""The media types that are parsed, by the ending of the file's name."""

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PAGE_DPI = 100
_PAGE = re.compile(r"\n?\f\d+\n")


def parsed_type(name: str, told: str, data: bytes) -> str | None:
    """Return the media type as which a file is to be parsed; None for one that is to be read as text.

    The content counts first, then the name's ending, then the media type that was `told`.
    """
    if data.startswith(b"%PDF-"):
        return PDF
    ending = PurePosixPath(name).suffix.lower().removeprefix(".")
    if ending:
        return PARSED.get(ending)
    return told if told in PARSED.values() else None


def plain_text(data: bytes, param: str) -> str:
    """Return a text file's text: UTF-8, UTF-16 where it begins with its mark, else Latin-1.

    Raises Invalid that names `param` for a file that is no text.
    """
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        text = "\0" if encoding else data.decode("latin-1")
    if "\0" in text:
        raise Invalid(
            "The file is none of the types that can be read: text, code, markdown, JSON, CSV, "
            f"{', '.join(ending.upper() for ending in PARSED)}.",
            "unsupported_file",
            param,
        )
    return text


def checked(text: str, param: str | None = None) -> str:
    """Return the text. Raises Invalid that names `param` when it is too long to be given to a model."""
    if len(text) > MOST_TEXT:
        raise Invalid(
            f"The file holds {len(text)} characters of text; at most {MOST_TEXT} are read. Send a part of it.",
            "file_too_large",
            param,
        )
    return text


def parsed_text(data: bytes, kind: str) -> str:
    """Return the text of a PDF or office file as Markdown; `kind` is its media type. Raises Invalid.

    That of a PDF is `paged`.
    """
    import kreuzberg  # noqa: PLC0415  an extra, and slow

    wanted = kreuzberg.ExtractionConfig(
        use_cache=False,
        disable_ocr=True,  # pyright: ignore[reportCallIssue]
        output_format="markdown",  # pyright: ignore[reportArgumentType]
        pages=kreuzberg.PageConfig(extract_pages=True) if kind == PDF else None,  # pyright: ignore[reportCallIssue]
    )
    try:
        result = kreuzberg.extract_bytes_sync(data, kind, wanted)
    except kreuzberg.KreuzbergError as error:
        raise _unreadable(str(error), kind) from None
    if kind == PDF and result.pages and result.content.strip():
        return paged((page["page_number"], page["content"]) for page in result.pages)
    return result.content.replace("\f", " ").strip()


def paged(pages: Iterable[tuple[int, str]]) -> str:
    """The texts of numbered pages as one; before each stands a form feed with its number, on a line of its own."""
    return "\n".join(f"\f{number}\n{text.strip()}\n" for number, text in pages)


def without_pages(text: str) -> str:
    """The text without the marks of its pages."""
    return _PAGE.sub("\n", text).strip()


def page_images(data: bytes, detail: str) -> tuple[bytes, ...]:
    """Return the pages of a PDF as pictures, as `images.bounded` makes them. Raises Invalid for too many."""
    import kreuzberg  # noqa: PLC0415  an extra, and slow

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.pdf")
        path.write_bytes(data)
        try:
            with kreuzberg.PdfPageIterator(str(path), _PAGE_DPI) as pages:
                if len(pages) > MOST_PAGES:
                    raise Invalid(
                        f"The PDF has {len(pages)} pages; of its pages as pictures at most {MOST_PAGES} are read.",
                        "file_too_large",
                    )
                return tuple(bounded(page, detail) for _, page in pages)
        except (kreuzberg.KreuzbergError, RuntimeError) as error:
            raise _unreadable(str(error), PDF) from None


def _unreadable(reason: str, kind: str) -> Invalid:
    ending = next(one for one, known in PARSED.items() if known == kind).upper()
    if "password" in reason.lower():
        return Invalid(f"The {ending} file is encrypted: send it without its password.", "file_encrypted")
    if "limit" in reason.lower():
        return Invalid(f"The {ending} file unpacks to more than is read.", "file_too_large")
    return Invalid(f"The file is damaged, or is no {ending} file.", "file_parse_error")

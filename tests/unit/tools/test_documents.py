"""Files to text."""

import io
import zipfile

import pytest
from PIL import Image

from freehold.core.errors import Invalid
from freehold.tools.documents import (
    MOST_TEXT,
    PARSED,
    PDF,
    checked,
    page_images,
    parsed_text,
    parsed_type,
    plain_text,
    without_pages,
)
from tests.papers import DOCX_TYPE, docx, pdf


@pytest.mark.parametrize(
    ("name", "told", "data", "kind"),
    [
        ("a.pdf", "", b"", PDF),
        ("A.PDF", "text/plain", b"", PDF),
        ("", PDF, b"", PDF),
        ("a.txt", "", b"%PDF-1.7", PDF),
        ("", "", b"%PDF-1.7", PDF),
        ("a.docx", "", b"PK", DOCX_TYPE),
        ("", DOCX_TYPE, b"PK", DOCX_TYPE),
        ("a.py", "", b"", None),
        ("a.csv", "application/rtf", b"", None),
        ("", "text/csv", b"", None),
        ("pdf", "", b"", None),
    ],
)
def test_content_then_name_then_type_say_what_a_file_is(name: str, told: str, data: bytes, kind: str | None) -> None:
    assert parsed_type(name, told, data) == kind


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"print(1)", "print(1)"),
        ("größer".encode(), "größer"),
        ("größer".encode("utf-8-sig"), "größer"),
        ("größer".encode("utf-16"), "größer"),
        (b"\xfe\xff" + "größer".encode("utf-16-be"), "größer"),
        ("größer".encode("latin-1"), "größer"),
        (b"", ""),
    ],
)
def test_text_is_read_in_the_usual_encodings(data: bytes, text: str) -> None:
    assert plain_text(data, "p") == text


@pytest.mark.parametrize("data", [b"\0\1\2", b"PK\3\4\0\0", b"\xff\xfe\0\xd8", b"\x89PNG\r\n\x1a\n\0"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match="PDF, DOCX") as caught:
        plain_text(data, "p")
    assert (caught.value.code, caught.value.param) == ("unsupported_file", "p")


def test_too_much_text_is_refused() -> None:
    assert checked("a" * MOST_TEXT, "p")
    with pytest.raises(Invalid, match="2000001 characters") as caught:
        checked("a" * (MOST_TEXT + 1), "p")
    assert (caught.value.code, caught.value.param) == ("file_too_large", "p")


def test_a_pdf_and_a_word_document_become_text() -> None:
    pages = parsed_text(pdf("The bridge", "is red."), PDF)
    assert pages.split() == ["1", "The", "bridge", "2", "is", "red."]
    assert without_pages(pages).split() == ["The", "bridge", "is", "red."]
    assert parsed_text(docx("The bridge is 42 metres long."), DOCX_TYPE) == "The bridge is 42 metres long."
    assert parsed_text(pdf(""), PDF) == ""


@pytest.mark.parametrize(
    ("ending", "data", "text"),
    [
        ("rtf", rb"{\rtf1\ansi Hello {\b rtf} text.}", "Hello **rtf** text."),
        (
            "odt",
            {
                "mimetype": PARSED["odt"],
                "content.xml": "<office:document-content "
                'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
                'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>'
                "<text:p>Hello odt</text:p></office:text></office:body></office:document-content>",
            },
            "Hello odt",
        ),
        (
            "epub",
            {
                "mimetype": PARSED["epub"],
                "META-INF/container.xml": '<container version="1.0" '
                'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
                '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
                "c.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/><manifest>'
                '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
                '<spine><itemref idref="a"/></spine></package>',
                "a.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'><body><p>Hello epub</p></body></html>",
            },
            "Hello epub",
        ),
        (
            "xlsx",
            {
                "_rels/.rels": "<Relationships "
                'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http:'
                '//schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
                'Target="xl/workbook.xml"/></Relationships>',
                "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
                'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
                '<sheet name="Sales" sheetId="1" r:id="r1"/></sheets></workbook>',
                "xl/_rels/workbook.xml.rels": "<Relationships "
                'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http:'
                '//schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/s.xml"/>'
                "</Relationships>",
                "xl/worksheets/s.xml": '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
                '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>Hello</t></is></c><c r="B1"><v>42</v></c></row>'
                "</sheetData></worksheet>",
            },
            "| Hello | 42 |",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 5 else "",
)
def test_other_documents_become_text(ending: str, data: bytes | dict[str, str], text: str) -> None:
    if isinstance(data, dict):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as folder:
            for name, content in data.items():
                folder.writestr(name, content)
        data = made.getvalue()
    assert text in parsed_text(data, PARSED[ending])


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (pdf("secret", encrypted=True), PDF, "file_encrypted"),
        (b"%PDF-1.4 and nothing else", PDF, "file_parse_error"),
        (b"PK\3\4 and nothing else", DOCX_TYPE, "file_parse_error"),
        (docx(b"A" * 110_000_000), DOCX_TYPE, "file_too_large"),
    ],
    ids=["encrypted", "no pdf", "no docx", "bomb"],
)
def test_what_cannot_be_parsed_is_refused(data: bytes, kind: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed_text(data, kind)
    assert caught.value.code == code


def test_the_pages_of_a_pdf_become_pictures() -> None:
    pages = page_images(pdf("One", "Two"), "low")
    assert [Image.open(io.BytesIO(page)).size for page in pages] == [(396, 512), (396, 512)]
    with pytest.raises(Invalid, match="21 pages"):
        page_images(pdf(*["x"] * 21), "low")
    with pytest.raises(Invalid, match="no PDF"):
        page_images(b"%PDF-1.4 and nothing else", "low")

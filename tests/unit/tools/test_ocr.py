"""The bundled OCR."""

from freehold.tools.ocr import text_in
from tests.papers import picture


def test_lines_of_text_are_read_from_top_to_bottom() -> None:
    lines = text_in(picture("Invoice 4711", "Total 128 EUR")).splitlines()
    assert [line.replace(" ", "") for line in lines] == ["Invoice4711", "Total128EUR"]
    assert text_in(picture()) == ""

"""What may be uploaded for what."""

import pytest

from freehold.core.errors import Invalid
from freehold.surfaces.files import ExpiresAfter, file_name, lifetime


def test_how_long_a_file_stays() -> None:
    assert lifetime("user_data", None) is None
    assert lifetime("batch", None) == 30 * 24 * 3600
    assert lifetime("batch", ExpiresAfter(anchor="created_at", seconds=3600)) == 3600


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("données 数据 👩‍👩‍👧.txt", "données 数据 👩‍👩‍👧.txt"),
        ("Screenshot 3.45\u202fPM.png", "Screenshot 3.45\u202fPM.png"),
        ("...", "..."),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_name_is_without_folders(given: str, name: str) -> None:
    assert file_name(given, "user_data", "file") == name


@pytest.mark.parametrize("given", ["", " ", "a/", "a\0b", "a\nb", "a\x7f", "x" * 256])
def test_a_name_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="Invalid file name") as caught:
        file_name(given, "user_data", "filename")
    assert caught.value.param == "filename"


def test_lines_are_wanted_where_lines_are_read() -> None:
    assert file_name("a.JSONL", "batch", "file") == "a.JSONL"
    for purpose, words in (("batch", "Batch API"), ("fine-tune", "Fine-Tuning API")):
        with pytest.raises(Invalid, match=f"Invalid file format for {words}. Must be .jsonl"):
            file_name("a.json", purpose, "file")

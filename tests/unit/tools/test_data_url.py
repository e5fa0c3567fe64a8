"""`data:` URLs: what is read, and what is wrong with the others."""

import pytest

from freehold.core.errors import Invalid
from freehold.tools.data_url import Inline, is_data_url, read_file_data, read_image_url

PARAM = "input[0].content[1].image_url"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data:image/png;base64,YWJj", Inline("image/png", b"abc")),
        ("DATA:IMAGE/JPEG;BASE64,YWI=", Inline("image/jpeg", b"ab")),
        ("data:image/svg+xml;charset=utf-8;base64,YQ==", Inline("image/svg+xml", b"a")),
    ],
)
def test_an_image_is_read(text: str, expected: Inline) -> None:
    assert is_data_url(text)
    assert read_image_url(text, PARAM) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("data:image/png;base64,@@@", "invalid_base64_image"),
        ("data:image/png;base64,YWJ", "invalid_base64_image"),
        ("data:image/png;base64,YW Jj", "invalid_base64_image"),
        ("data:image/png;base64,YWJj\n", "invalid_base64_image"),
        ("data:image/png;base64,YWJjé", "invalid_base64_image"),
        ("data:image/png;base64,", "empty_image_file"),
        ("data:image/png,YWJj", "invalid_value"),
        ("data:;base64,YWJj", "invalid_value"),
        ("data:text/plain;base64,YWJj", "invalid_value"),
        ("data:image/png;base64", "invalid_value"),
        ("data:", "invalid_value"),
        ("data:" + ";" * 1_000_000, "invalid_value"),
    ],
)
def test_what_is_no_image_names_its_place(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_image_url(text, PARAM)
    assert (caught.value.code, caught.value.param) == (code, PARAM)
    assert len(caught.value.message) < 400


def test_an_ordinary_url_is_none() -> None:
    assert not is_data_url("https://example.com/data:image/png")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("YWJj", Inline("", b"abc")),
        ("data:application/pdf;base64,YWJj", Inline("application/pdf", b"abc")),
        ("data:;base64,YWJj", Inline("", b"abc")),
    ],
)
def test_a_file_is_read_with_or_without_its_type(text: str, expected: Inline) -> None:
    assert read_file_data(text, "p") == expected


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(";a=b" * 2_500_000, id="many"),
        pytest.param(";a=" + "b" * 10_000_000, id="long"),
        pytest.param(";charset=utf-8" * 100, id="a little long"),
    ],
)
def test_a_head_that_goes_on_and_on_is_not_followed(head: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_image_url(f"data:image/png{head};base64,YWJj", "p")
    assert caught.value.code == "invalid_value"


@pytest.mark.parametrize(
    ("text", "code"), [("@", "invalid_base64"), ("data:text/plain,abc", "invalid_base64"), ("", "empty_file")]
)
def test_what_is_no_file_names_its_place(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_file_data(text, "p")
    assert (caught.value.code, caught.value.param) == (code, "p")

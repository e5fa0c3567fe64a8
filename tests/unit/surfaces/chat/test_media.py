"""The image and file parts of messages."""

import json
from typing import Any

import pytest

from freehold.core.errors import Fault
from freehold.core.items import InputFile, InputImage, InputText, Message
from freehold.core.prompt import Ask
from freehold.surfaces.chat.request import ChatBody, parse
from freehold.surfaces.decode import Decoder

CAT = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}}


def ask(*parts: Any) -> Ask:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]
    return parse(Decoder(ChatBody)(json.dumps({"model": "m", "messages": messages}).encode()))


def test_images_and_files_are_read_with_their_places() -> None:
    file = {"type": "file", "file": {"file_data": "YQ==", "filename": "a.txt"}}
    found = ask({"type": "text", "text": "What?"}, CAT, file, {"type": "file", "file": {"file_id": "f"}}, CAT)
    cat = InputImage(image_url="https://example.com/cat.png", detail="low")
    given, kept = InputFile(filename="a.txt", file_data="YQ=="), InputFile(file_id="f")
    assert found.items[1] == Message(role="user", content=(InputText("What?"), cat, given, kept, cat))
    assert found.places == {
        cat: "messages[1].content[1].image_url.url",
        given: "messages[1].content[2].file.file_data",
        kept: "messages[1].content[3].file.file_id",
    }


@pytest.mark.parametrize(
    ("part", "param", "code"),
    [
        ({"type": "image_url"}, "image_url", "missing_required_parameter"),
        ({"type": "image_url", "image_url": {}}, "image_url.url", "missing_required_parameter"),
        ({"type": "image_url", "image_url": {"url": "u", "detail": "x"}}, "image_url.detail", "invalid_value"),
        ({"type": "image_url", "image_url": {"url": "u", "wish": 1}}, "image_url.wish", "unknown_parameter"),
        ({"type": "file", "file": {"filename": "a"}}, "file.file_id", "missing_required_parameter"),
        ({"type": "file", "file": {"file_id": "a", "file_data": "b"}}, "file.file_id", "mutually_exclusive_parameters"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "type", "unsupported_value"),
    ],
)
def test_what_is_wrong_is_named(part: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(Fault) as caught:
        ask(part)
    assert (caught.value.param, caught.value.code) == (f"messages[1].content[0].{param}", code)

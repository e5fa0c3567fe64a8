"""The images and files of an input."""

import json
from typing import Any

import pytest

from freehold.core.errors import Invalid
from freehold.core.items import FunctionCallOutput, InputFile, InputImage, InputText, Message
from freehold.core.prompt import Ask
from freehold.surfaces.decode import Decoder
from freehold.surfaces.responses.request import ResponseBody, parse

CAT = {"type": "input_image", "image_url": "https://example.com/cat.png"}


def ask(*items: Any) -> Ask:
    return parse(Decoder(ResponseBody)(json.dumps({"model": "m", "input": items}).encode()))


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": parts}


def test_images_and_files_are_read_with_their_places() -> None:
    text = {"type": "input_text", "text": "What?"}
    file = {"type": "input_file", "filename": "a.txt", "file_data": "YQ=="}
    output = {"type": "function_call_output", "call_id": "c", "output": [text, {"type": "input_file", "file_id": "f"}]}
    found = ask(
        user(text, CAT, {"type": "input_image", "file_id": "f", "detail": "low"}), user(file), output, user(CAT)
    )
    cat, uploaded = InputImage(image_url="https://example.com/cat.png"), InputImage(file_id="f", detail="low")
    given, kept = InputFile(filename="a.txt", file_data="YQ=="), InputFile(file_id="f")
    assert found.items == (
        Message(role="user", content=(InputText("What?"), cat, uploaded)),
        Message(role="user", content=(given,)),
        FunctionCallOutput(call_id="c", output=(InputText("What?"), kept)),
        Message(role="user", content=(cat,)),
    )
    assert found.places == {
        cat: "input[0].content[1].image_url",
        uploaded: "input[0].content[2].file_id",
        given: "input[1].content[0].file_data",
        kept: "input[2].output[1].file_id",
    }


@pytest.mark.parametrize(
    ("part", "param", "code"),
    [
        ({"type": "input_image"}, "input[0].content[0].image_url", "missing_required_parameter"),
        (CAT | {"file_id": "f"}, "input[0].content[0].file_id", "mutually_exclusive_parameters"),
        (CAT | {"detail": "huge"}, "input[0].content[0].detail", "invalid_value"),
        (CAT | {"image_url": 1}, "input[0].content[0].image_url", "invalid_type"),
        (CAT | {"wish": 1}, "input[0].content[0].wish", "unknown_parameter"),
        ({"type": "input_file", "filename": "a"}, "input[0].content[0].file_id", "missing_required_parameter"),
        (
            {"type": "input_file", "file_url": "u", "file_data": "d"},
            "input[0].content[0].file_url",
            "mutually_exclusive_parameters",
        ),
        ({"type": "input_audio", "data": ""}, "input[0].content[0].type", "invalid_value"),
    ],
)
def test_each_comes_from_exactly_one_place(part: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        ask(user(part))
    assert (caught.value.param, caught.value.code) == (param, code)


def test_the_parts_of_outputs_are_checked_too() -> None:
    for kind in ("function_call_output", "custom_tool_call_output"):
        with pytest.raises(Invalid) as caught:
            ask({"type": kind, "call_id": "c", "output": [CAT, CAT | {"file_id": "f"}]})
        assert caught.value.param == "input[0].output[1].file_id"


def test_the_assistant_brings_no_images() -> None:
    with pytest.raises(Invalid, match="'output_text' and 'refusal'"):
        ask({"role": "assistant", "content": [CAT]})

import json

import pytest

from freehold.core.errors import Invalid
from freehold.core.items import InputText, Message
from freehold.surfaces.conversations import AddBody, CreateBody, UpdateBody, parse_add, parse_create
from freehold.surfaces.decode import Decoder

HELLO = {"role": "user", "content": "Hello."}
SAID = Message(role="user", content=(InputText("Hello."),))


def create(**body: object) -> CreateBody:
    return Decoder(CreateBody)(json.dumps(body).encode())


def add(**body: object) -> AddBody:
    return Decoder(AddBody)(json.dumps(body).encode())


def test_a_conversation_may_begin_with_items_or_without() -> None:
    assert parse_create(create()) == ()
    assert parse_create(create(items=[])) == ()
    assert parse_create(create(items=None, metadata=None)) == ()
    assert parse_create(create(items=[HELLO] * 20)) == (SAID,) * 20
    assert parse_add(add(items=[HELLO])) == (SAID,)


@pytest.mark.parametrize(
    ("items", "code", "param"),
    [
        ([], "empty_array", "items"),
        ([HELLO] * 21, "array_above_max_length", "items"),
        ("Hello.", "invalid_type", "items"),
        ([HELLO, {"role": "robot", "content": ""}], "invalid_value", "items[1].role"),
        (
            [{"role": "user", "content": [{"type": "input_text"}]}],
            "missing_required_parameter",
            "items[0].content[0].text",
        ),
    ],
)
def test_items_that_cannot_be_added_are_refused_by_their_path(items: object, code: str, param: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_add(add(items=items))
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"k": 1}, "invalid_type"),
        ({"k" * 65: ""}, "string_above_max_length"),
        ({"k": "v" * 513}, "string_above_max_length"),
        ({f"k{n}": "" for n in range(17)}, "object_above_max_length"),
    ],
)
def test_metadata_out_of_bounds_is_refused(metadata: object, code: str) -> None:
    for decode in (Decoder(CreateBody), Decoder(UpdateBody)):
        with pytest.raises(Invalid) as caught:
            decode(json.dumps({"metadata": metadata}).encode())
        assert (caught.value.code, caught.value.param) == (code, "metadata")


def test_an_update_must_say_what_the_metadata_is_to_be() -> None:
    with pytest.raises(Invalid, match="Missing required parameter: 'metadata'"):
        Decoder(UpdateBody)(b"{}")
    assert Decoder(UpdateBody)(b'{"metadata":null}').metadata is None

import json
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from freehold.core.errors import Invalid
from freehold.surfaces.decode import Decoder


class Inner(Struct, tag="inner", forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=3)]


class Other(Struct, tag="other", forbid_unknown_fields=True):
    mode: Literal["slow", "fast"]


class Body(Struct, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, Meta(max_length=4)]
    heat: Annotated[float, Meta(ge=0, le=2)] | None = None
    parts: Annotated[list[Inner | Other], Meta(max_length=2)] | None = None
    labels: dict[str, Annotated[str, Meta(max_length=2)]] | None = None


decode = Decoder(Body)

CASES = [
    (b"{}", "missing_required_parameter", "name", "Missing required parameter: 'name'."),
    (b'{"name":1}', "invalid_type", "name", "Invalid type for 'name': expected a string, but got an integer instead."),
    (b'{"name":"a","x":1}', "unknown_parameter", "x", "Unknown parameter: 'x'."),
    (
        b'{"name":"a","heat":-1}',
        "decimal_below_min_value",
        "heat",
        "Invalid 'heat': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
    ),
    (
        b'{"name":"a","heat":2.5}',
        "decimal_above_max_value",
        "heat",
        "Invalid 'heat': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
    ),
    (
        b'{"name":"abcde"}',
        "string_above_max_length",
        "name",
        "Invalid 'name': string too long. Expected a string with maximum length 4, "
        "but got a string with length 5 instead.",
    ),
    (
        b'{"name":"a","parts":[{"type":"inner","size":9}]}',
        "integer_above_max_value",
        "parts[0].size",
        "Invalid 'parts[0].size': integer above maximum value. Expected a value <= 3, but got 9 instead.",
    ),
    (
        b'{"name":"a","parts":[{"type":"other","mode":"quick"}]}',
        "invalid_value",
        "parts[0].mode",
        "Invalid value: 'quick'. Supported values are: 'fast' and 'slow'.",
    ),
    (
        b'{"name":"a","parts":[{"type":"third"}]}',
        "invalid_value",
        "parts[0].type",
        "Invalid value: 'third'. Supported values are: 'inner' and 'other'.",
    ),
    (
        b'{"name":"a","parts":[{"size":1}]}',
        "missing_required_parameter",
        "parts[0].type",
        "Missing required parameter: 'parts[0].type'.",
    ),
    (
        b'{"name":"a","parts":[' + b",".join([b'{"type":"inner","size":1}'] * 3) + b"]}",
        "array_above_max_length",
        "parts",
        "Invalid 'parts': array too long. Expected an array with maximum length 2, "
        "but got an array with length 3 instead.",
    ),
    (
        b'{"name":"a","labels":{"k":5}}',
        "invalid_type",
        "labels",
        "Invalid type for 'labels': expected a string, but got an integer instead.",
    ),
    (b"[]", "invalid_type", None, "Invalid body: expected an object, but got an array instead."),
]


@pytest.mark.parametrize(("raw", "code", "param", "message"), CASES)
def test_what_is_wrong_is_said_as_openai_says_it(raw: bytes, code: str, param: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(raw)
    fault = caught.value
    assert (fault.code, fault.param) == (code, param)
    assert fault.message == message


@pytest.mark.parametrize("raw", [b"", b"{", b'{"name":"a"} x', b'{"name":"\xff"}', b'{"name":"\\ud800"}'])
def test_what_is_not_json_is_refused_without_a_code(raw: bytes) -> None:
    with pytest.raises(Invalid, match="could not parse the JSON body") as caught:
        decode(raw)
    assert (caught.value.code, caught.value.param) == (None, None)


def test_a_prefix_leads_the_path() -> None:
    with pytest.raises(Invalid) as caught:
        decode(b'{"name":1}', "input[2]")
    assert caught.value.param == "input[2].name"


def test_depth_is_bounded() -> None:
    with pytest.raises(Invalid):
        decode(b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_invalid(raw: bytes) -> None:
    try:
        decode(raw)
    except Invalid:
        return


@pytest.mark.parametrize(
    "rest",
    [
        b"garbage",
        b'"name":"\xff"}',
        b'"name":"a","name":[]}',
        pytest.param(b'"heat":' + b"1" * 5_000 + b"}", id="digits"),
        pytest.param(b'"labels":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="depth"),
        b'"parts":null}',
    ],
)
def test_what_follows_the_first_fault_does_not_matter(rest: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        decode(b'{"parts":[{"type":"inner","size":9}],' + rest)
    assert (caught.value.code, caught.value.param) == ("integer_above_max_value", "parts[0].size")


@pytest.mark.parametrize("name", ["a b", "a\nb", "a`b", "", " - at `$.heat`", "x" * 1_000_000])
def test_any_name_may_be_unknown(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(json.dumps({name: 1}).encode())
    assert caught.value.code in ("unknown_parameter", "invalid_value")

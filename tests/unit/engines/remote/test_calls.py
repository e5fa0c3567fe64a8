"""Calls, in whatever pieces they come."""

from collections.abc import Sequence

from msgspec import convert

from freehold.core.deltas import CallArgs, CallStart
from freehold.core.prompt import Function
from freehold.engines.remote.calls import CallReader
from freehold.engines.remote.wire import CallPiece

TOOLS = (Function(name="get"), Function(name="get_all"), Function(name="free", free="text"))


def read(*pieces: dict[str, object], custom: bool = False) -> list[tuple[str, str]]:
    """The calls that pieces tell of, each with its arguments."""
    reader, found = CallReader(TOOLS, custom), list[CallStart | CallArgs]()
    for piece in pieces:
        found += reader.feed(convert(piece, CallPiece))
    return together([*found, *reader.end()])


def together(found: Sequence[CallStart | CallArgs]) -> list[tuple[str, str]]:
    calls: list[tuple[str, str]] = []
    for one in found:
        if isinstance(one, CallStart):
            calls.append((one.name, ""))
        else:
            calls[-1] = (calls[-1][0], calls[-1][1] + one.text)
    return calls


def call(index: int | None = 0, id: str | None = None, **function: object) -> dict[str, object]:
    return {"index": index, "id": id, "function": function}


def test_as_openai_sends_them() -> None:
    pieces = [call(id="a", name="get", arguments=""), call(arguments='{"x"'), call(arguments=": 1}")]
    assert read(*pieces) == [("get", '{"x": 1}')]


def test_side_by_side() -> None:
    pieces = [
        call(0, "a", name="get", arguments="{"),
        call(1, "b", name="get_all", arguments='{"b"'),
        call(0, arguments="}"),
    ]
    assert read(*pieces, call(1, arguments=":2}")) == [("get", "{}"), ("get_all", '{"b":2}')]


def test_whole_with_arguments_as_an_object_and_no_index_or_id() -> None:
    assert read(call(None, name="get", arguments={"x": 1})) == [("get", '{"x":1}')]
    two = [call(None, name="get", arguments={"x": 1}), call(None, name="get", arguments={"x": 2})]
    assert read(*two) == [("get", '{"x":1}'), ("get", '{"x":2}')]


def test_whole_and_all_under_one_index() -> None:
    pieces = [call(0, "a", name="get", arguments="{}"), call(0, "b", name="get", arguments='{"x":1}')]
    assert read(*pieces) == [("get", "{}"), ("get", '{"x":1}')]


def test_told_apart_by_id_alone() -> None:
    pieces = [call(None, "a", name="get", arguments="{"), call(None, "a", arguments="}"), call(None, "b", name="get")]
    assert read(*pieces) == [("get", "{}"), ("get", "{}")]


def test_with_the_name_in_pieces_or_again_and_again() -> None:
    assert read(call(name="ge"), call(name="t"), call(name="_all"), call(arguments="{}")) == [("get_all", "{}")]
    assert read(call(name="get_all"), call(name="get_all", arguments="{"), call(name="get_all", arguments="}")) == [
        ("get_all", "{}")
    ]


def test_one_is_told_as_soon_as_its_name_is_sure() -> None:
    reader = CallReader(TOOLS, custom=False)
    assert list(reader.feed(convert(call(name="get_all"), CallPiece))) == [CallStart("get_all")]
    assert list(reader.feed(convert(call(1, name="get"), CallPiece))) == []


def test_none_has_no_arguments() -> None:
    assert read(call(name="get")) == [("get", "{}")]


def test_the_input_of_a_custom_tool_comes_out_of_its_arguments() -> None:
    pieces = [
        call(name="free"),
        call(arguments='{"inp'),
        call(arguments='ut": "a \\"b'),
        call(arguments='\\" \\u00e9"}'),
    ]
    assert read(*pieces) == [("free", 'a "b" é')]


def test_or_as_it_is() -> None:
    pieces = [{"index": 0, "custom": {"name": "free", "input": ""}}, {"index": 0, "custom": {"input": "{ hi"}}]
    assert read(*pieces, custom=True) == [("free", "{ hi")]
    assert read({"index": 0, "custom": {"name": "free"}}, custom=True) == [("free", "")]

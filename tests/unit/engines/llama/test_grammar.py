"""The grammars that answers are held to: each one that is written can be read, and nothing breaks out of it."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer

from freehold.core.errors import EngineFailed, Invalid
from freehold.core.prompt import Choice, Function, JsonFormat, Prompt, Turn
from freehold.engines.llama import inspector
from freehold.engines.llama.grammar import Grammars

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
STRICT = Function(name="strict", parameters=OBJECT, strict=True)
LOOSE = Function(name="loose", parameters={"type": "object", "not": {}, "properties": {"a": {"uniqueItems": True}}})
EMPTY = Function(name="empty")
FREE = Function(name="free", free="text")
LARK = Function(name="lark", free="lark", definition='start: "a" NUMBER\nNUMBER: /[0-9]+/')
REGEX = Function(name="regex", free="regex", definition=r"a/b\/c[\n ]+\d")
EVERY = (STRICT, LOOSE, EMPTY, FREE, LARK, REGEX)
BYTES = LLTokenizer("byte")


def prompt(*functions: Function, choice: Choice | None = None, **more: Any) -> Prompt:
    return Prompt(model="m", turns=(Turn("user", "x"),), functions=functions, choice=choice or Choice(), **more)


async def inspect(grammar: str) -> str:
    """What an inspecting process says, from this one."""
    return inspector.flaw(grammar, BYTES)


def grammars() -> Grammars:
    return Grammars(inspect)


def check(asked: Prompt) -> None:
    asyncio.run(grammars().check(asked))


def write(asked: Prompt) -> str:
    return asyncio.run(grammars().write(asked))


def written(asked: Prompt) -> str:
    check(asked)
    grammar = write(asked)
    assert not LLMatcher.validate_grammar(grammar), grammar
    return grammar


def test_a_plain_prompt_has_no_grammar() -> None:
    assert write(prompt()) == ""
    assert write(prompt(STRICT, choice=Choice("none"))) == ""


@pytest.mark.parametrize("functions", [(one,) for one in EVERY] + [EVERY, (FREE, LARK), (STRICT, REGEX)])
@pytest.mark.parametrize("mode", ["auto", "required"])
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("wanted", [None, JsonFormat(), JsonFormat(schema=OBJECT, name="n", strict=True)])
def test_every_grammar_can_be_read(
    functions: tuple[Function, ...], mode: Any, parallel: bool, wanted: JsonFormat | None
) -> None:
    assert written(prompt(*functions, choice=Choice(mode), parallel=parallel, format=wanted))


def test_a_format_is_the_whole_answer() -> None:
    grammar = written(prompt(format=JsonFormat(schema=OBJECT, name="n", strict=True)))
    assert grammar.startswith('%llguidance {}\nstart: %json {"type":"object"')
    assert '"whitespace_flexible":false' in grammar


def test_a_schema_that_is_not_strict_is_held_to_as_far_as_it_goes() -> None:
    lenient = written(prompt(format=JsonFormat(schema=LOOSE.parameters)))
    assert '"not":{}' in lenient
    assert '"lenient":true' in lenient
    unreadable = written(
        prompt(format=JsonFormat(schema={"type": "object", "properties": {"a": {"pattern": "(?=a)"}}}))
    )
    assert "pattern" not in unreadable


def test_a_named_choice_offers_no_other() -> None:
    grammar = written(prompt(STRICT, LOOSE, choice=Choice("required", ("loose",))))
    assert "loose" in grammar
    assert "strict" not in grammar


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            Function(name="f", free="lark", definition="start: nothing"),
            "Invalid grammar for custom tool 'f': .*nothing",
        ),
        (Function(name="f", free="lark", definition='start: "a"\n}\nstart: "b"'), "Invalid grammar"),
        (Function(name="f", free="lark", definition=""), "Invalid grammar"),
        (
            Function(name="f", free="regex", definition="(?=a)"),
            "Invalid regular expression for custom tool 'f': .*look",
        ),
        (Function(name="f", free="regex", definition="("), "Invalid regular expression"),
        (Function(name="f", strict=True, parameters={"type": "object", "not": {}}), "Invalid schema for function 'f'"),
    ],
)
def test_what_cannot_be_held_to_is_refused_by_name(function: Function, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        check(prompt(function))
    assert refused.value.param == "tools"
    assert "\n" not in refused.value.message


def test_a_strict_format_that_cannot_be_held_to_is_refused() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?!b)"}}}
    with pytest.raises(Invalid, match="Invalid schema for response_format 'n'") as refused:
        check(prompt(format=JsonFormat(schema=schema, name="n", strict=True)))
    assert refused.value.param == "format"


@pytest.mark.parametrize("definition", ['a/ | "evil"', "a\\", "a\nstart: /evil/", "[/]", "a//b", r"\\/"])
def test_a_regular_expression_cannot_leave_its_slashes(definition: str) -> None:
    asked = prompt(Function(name="f", free="regex", definition=definition))
    try:
        grammar = written(asked)
    except Invalid:
        return
    (line,) = [line for line in grammar.splitlines() if line.startswith("input0: ")]
    assert line.endswith("/")
    assert "\nstart: /evil/" not in grammar


def test_what_passes_alone_is_refused_where_it_is_too_much_together() -> None:
    async def crowded(grammar: str) -> str:
        return "it is too large" if grammar.count("%json") > 1 else ""

    asyncio.run(Grammars(crowded).check(prompt(STRICT)))
    with pytest.raises(Invalid, match="cannot be used together: it is too large") as refused:
        asyncio.run(Grammars(crowded).check(prompt(STRICT, EMPTY)))
    assert (refused.value.code, refused.value.param) == ("invalid_grammar", "tools")


def takes(grammar: str, text: str) -> bool:
    """Whether a whole answer may be `text`."""
    matcher = LLMatcher(BYTES, grammar)
    assert matcher.get_error() == ""
    tokens = list(text.encode())
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def call(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


def use(name: str, text: str) -> str:
    return f'<tool_call>\n{{"name": "{name}"}}\n{text}\n</tool_call>'


GOOD = call("strict", '{"a": "x"}')


def test_a_strict_format_takes_what_its_schema_says_and_nothing_else() -> None:
    grammar = written(prompt(format=JsonFormat(schema=OBJECT, name="n", strict=True)))
    assert takes(grammar, '{"a": "x"}')
    for text in ("{}", '{"a": 1}', '{"a": "x", "b": 2}', "x", '{"a": "x"} and more'):
        assert not takes(grammar, text), text


def test_a_free_choice_holds_only_what_names_an_offered_function() -> None:
    free = written(prompt(STRICT, EMPTY, FREE))
    for text in (
        "",
        "Hello {x} `y` <b> {",
        '{"name": "other", "arguments": 5}',
        f"So: {GOOD}\n{call('empty', '{}')} and {call('free', json.dumps({'input': 'ls'}))}.",
        '```json\n{"name": "strict", "arguments": {"a": "x"}}\n```',
    ):
        assert takes(free, text), text
    for text in ('{"b": 1}', "{}", '"x"', '{"a": "x", "b": 2}', '{"a": 1}'):
        assert not takes(free, call("strict", text)), text
        assert not takes(free, f'Well, {{ "name" : "strict" , "arguments":{text}}}'), text
    assert not takes(free, '{"name": "strict"}')
    assert not takes(free, call("free", '{"input": 5}'))


def test_required_begins_with_a_call_of_what_is_named() -> None:
    required = written(prompt(STRICT, EMPTY, choice=Choice("required", ("strict",))))
    assert takes(required, GOOD) and takes(required, f"{GOOD}\n{GOOD}")
    for text in ("", "Hello", call("empty", "{}"), f"So: {GOOD}", '{"a": "x"}', call("strict", "{}")):
        assert not takes(required, text), text


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_without_parallel_calls_there_is_room_for_one(mode: Any) -> None:
    one = written(prompt(STRICT, LARK, parallel=False, choice=Choice(mode)))
    made, asked = GOOD, use("lark", "a12")
    assert takes(one, made) and takes(one, asked)
    assert not any(takes(one, f"{first}\n{second}") for first in (made, asked) for second in (made, asked))


def test_a_format_or_a_call() -> None:
    both = written(prompt(STRICT, format=JsonFormat(schema=OBJECT, name="n", strict=True)))
    assert takes(both, '{"a": "x"}') and takes(both, GOOD)
    assert not takes(both, "Hello") and not takes(both, call("strict", "{}"))


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_the_input_of_a_custom_tool_follows_its_grammar(mode: Any) -> None:
    held = written(prompt(LARK, REGEX, choice=Choice(mode)))
    for name, text in (("lark", "a12"), ("regex", "a/b/c \n7")):
        assert takes(held, use(name, text)), text
    for name, text in (("lark", "b12"), ("lark", "a12;"), ("lark", "a/b/c 7"), ("regex", "a12"), ("regex", "a/b/c7")):
        assert not takes(held, use(name, text)), text


def test_a_last_tag_may_be_missing_where_a_call_is_required() -> None:
    assert takes(written(prompt(LARK, choice=Choice("required"))), '<tool_call>\n{"name": "lark"}\na1')


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ('start: "a', "lexer error"),
        ("start: @other", "unknown grammar"),
        ('start: "a"\n}', "expecting rule"),
        ('start: "a"\n}\nTEXT: /.*/\nx: %lark {\nstart: "b"', "expecting rule"),
        ('start: "a"\n}\ncall: "x"\nx: %lark {\nstart: "b"', "expecting rule"),
        ("start: <|im_end|>", "special tokens"),
        ('start: "<" <[1-9]>', "special tokens"),
    ],
)
def test_a_grammar_cannot_write_into_ours_or_name_tokens_of_a_model(definition: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        check(prompt(STRICT, Function(name="t", free="lark", definition=definition)))
    assert (refused.value.code, refused.value.param) == ("invalid_grammar", "tools")


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ('start: "}" "{" // }', "}{"),
        ('start: "<|x|>" /[<\\/"]/ // <x>', "<|x|><"),
        ('start: "\\"" INT\r\n%import common.INT', '"12'),
        ('start: %json {"type": "string", "enum": ["//"]}', '"//"'),
        ('start: e\ne: "a" | "(" e ")"', "((a))"),
    ],
)
def test_what_only_looks_like_an_end_is_none(definition: str, text: str) -> None:
    assert takes(written(prompt(STRICT, Function(name="t", free="lark", definition=definition))), use("t", text))


@pytest.mark.parametrize(
    ("definition", "text"), [("a/b", "a/b"), (r"a\/b", "a/b"), (r"\\/", "\\/"), ("a\nb", "a\nb"), ("/i | /x", "/i ")]
)
def test_a_slash_or_a_line_does_not_end_a_regular_expression(definition: str, text: str) -> None:
    assert takes(written(prompt(STRICT, Function(name="t", free="regex", definition=definition))), use("t", text))


def test_what_may_not_be_called_is_not_checked() -> None:
    bad = Function(name="t", free="regex", definition="(")
    assert written(prompt(STRICT, bad, choice=Choice("auto", ("strict",))))
    unused = prompt(bad, choice=Choice("none"))
    check(unused)
    assert write(unused) == ""


def test_a_grammar_that_was_not_checked_is_not_sent() -> None:
    with pytest.raises(EngineFailed, match="could not be made"):
        write(prompt(Function(name="t", free="lark", definition="start: b")))


NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LARKS = st.lists(
    st.sampled_from(["start", ":", '"a"', "}", "{", "\n", "%lark", "%json", "TEXT", "call", "/", "//", '"', "\\", "|",
                     "%llguidance", "<", ">", "(", ")", "input", "*", "x", "~", "&", "[", "]", "%ignore", "@", " "]),
    max_size=14,
).map("".join)  # fmt: skip


@st.composite
def tools(draw: st.DrawFn) -> Function:
    """A function or custom tool as a client may send it, with anything where anything may stand."""
    name, description = draw(NAMES), draw(ANY)
    free = draw(st.sampled_from([None, "text", "lark", "regex"]))
    if free is not None:
        return Function(name=name, description=description, free=free, definition=draw(ANY | LARKS))
    key, strict = draw(ANY), draw(st.booleans())
    parameters: dict[str, Any] = {"type": "object", "properties": {key: {"type": "string", "description": draw(ANY)}}}
    if strict:
        parameters |= {"required": [key], "additionalProperties": False}
    return Function(name=name, description=description, parameters=parameters, strict=strict)


@given(
    st.lists(tools(), min_size=1, max_size=3, unique_by=lambda one: one.name),
    st.sampled_from(["auto", "required"]),
    st.booleans(),
)
def test_what_was_checked_can_be_written_whatever_stands_in_it(
    offered: list[Function], mode: Any, parallel: bool
) -> None:
    try:
        grammar = written(prompt(*offered, choice=Choice(mode), parallel=parallel))
    except Invalid as refused:
        assert refused.param == "tools"
        return
    for one in offered:
        if one.free == "text":
            assert takes(grammar, call(one.name, '{"input": "x"}'))
        if one.free in (None, "text"):
            assert not takes(grammar, call(one.name, "[1]"))


def test_an_answer_is_held_against_its_grammar() -> None:
    held = grammars()
    format_ = write(prompt(format=JsonFormat(schema=OBJECT, name="n", strict=True)))
    assert held.holds(format_, '{"a": "é"}')
    assert not held.holds(format_, '{"a": 1}')
    assert not held.holds(format_, '{"a": "')
    calls = write(prompt(STRICT))
    assert held.holds(calls, 'Look: {x} {"name": "strict", "arguments": {"a": "b"}}')
    assert not held.holds(calls, '{"name": "strict", "arguments": {"a": 1}}')

"""The grammars of whole answers: what XGrammar may write, LLGuidance takes, and what it cannot hold is refused."""

import asyncio
from typing import Any

import pytest

from freehold.core.errors import EngineFailed, Invalid
from freehold.core.prompt import Choice, Function, JsonFormat, Prompt
from freehold.engines.llama import inspector
from freehold.engines.openvino.grammar import OpenVinoGrammars
from freehold.engines.worker.messages import Done, Piece
from tests.ebnf import BYTES, follows, matcher, reading, walks

OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 4}},
    "required": ["a"],
    "additionalProperties": False,
}
ODD: dict[str, Any] = {"type": "object", "not": {}, "properties": {"a": {"type": "array", "uniqueItems": True}}}
STRICT = Function(name="strict", parameters=OBJECT, strict=True)
SHORTER = Function(name="stri", parameters=OBJECT, strict=True)
LOOSE = Function(name="loose", parameters=ODD)
EMPTY = Function(name="empty")
FREE = Function(name="free", free="text")
REGEX = Function(name="regex", free="regex", definition=r"a/b\/c[\n ]+\d")
LARK = Function(name="lark", free="lark", definition='start: "a"')
EVERY = (STRICT, SHORTER, LOOSE, EMPTY, FREE, REGEX)
FORMAT = JsonFormat(schema=OBJECT, name="n", strict=True)


async def inspect(grammar: str) -> str:
    """What an inspecting process says, from this one."""
    return inspector.flaw(grammar, BYTES)


def prompt(*functions: Function, mode: Any = "auto", **more: Any) -> Prompt:
    return Prompt(model="m", turns=(), functions=functions, choice=Choice(mode), **more)


def written(asked: Prompt) -> tuple[str, str]:
    """The grammars of a prompt: that by which it is decoded, and that by which it is verified."""

    async def write() -> tuple[str, str]:
        grammars = OpenVinoGrammars(inspect)
        await grammars.check(asked)
        grammar = await grammars.write(asked)
        return await grammars.spell(asked, grammar), grammar

    return asyncio.run(write())


@pytest.mark.parametrize("functions", [(one,) for one in EVERY] + [EVERY, (STRICT, SHORTER)])
@pytest.mark.parametrize("mode", ["auto", "required"])
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("wanted", [None, JsonFormat(), FORMAT])
def test_what_is_decoded_is_verified(
    functions: tuple[Function, ...], mode: str, parallel: bool, wanted: JsonFormat | None
) -> None:
    ebnf, grammar = written(prompt(*functions, mode=mode, parallel=parallel, format=wanted))
    verified = matcher(grammar)
    hints = [f'{{"name": "{one.name}"' for one in functions]
    said = list(walks(ebnf, 15, [*hints, '{"name": "stric', '{{"name":"strictly"', '{"na{', "<tool_call>\n"]))
    assert said
    for text in said:
        assert follows(verified, text), text


def test_what_names_a_function_can_only_be_a_call_of_it() -> None:
    ebnf, _ = written(prompt(STRICT, SHORTER))
    found = reading(ebnf)
    call = '{"name": "strict", "arguments": {"a": "b"}}'
    for text in (
        "hello",
        "{}",
        '{"name": "strictly", "arguments": 5}',
        '{ {"name": 5}',
        f"<tool_call>\n{call}\n",
        call * 2,
    ):
        assert follows(found, text), text
    for text in ('{"name": "strict"', '{"name": "strict", "arguments": {}}', '{{ "name" :\n"stri", "arguments": 5}'):
        assert not follows(found, text), text


def test_where_one_call_is_allowed_nothing_but_the_end_of_it_follows() -> None:
    ebnf, _ = written(prompt(STRICT, parallel=False))
    found = reading(ebnf)
    call = '{"name": "strict", "arguments": {"a": "b"}}'
    assert follows(found, "Well {} " + call + "\n</tool_call>\n")
    assert not follows(found, f"{call} and")
    assert not follows(found, call * 2)


def test_without_formats_and_functions_there_is_no_grammar() -> None:
    assert written(prompt()) == ("", "")
    assert written(prompt(STRICT, mode="none")) == ("", "")


@pytest.mark.parametrize(
    ("asked", "code", "param", "why"),
    [
        (prompt(format=JsonFormat(schema=ODD, name="n", strict=True)), "invalid_json_schema", "format", "'n'"),
        (prompt(Function(name="f", parameters=ODD, strict=True)), "invalid_function_parameters", "tools", "'f'"),
        (
            prompt(format=JsonFormat(schema={"type": "string", "pattern": r"^\Da$"}, name="n", strict=True)),
            "invalid_json_schema",
            "format",
            "OpenVINO, which runs this model, cannot hold answers to the regular expression",
        ),
        (
            prompt(Function(name="f", parameters={"properties": {"a": {"multipleOf": 2}}}, strict=True)),
            "invalid_function_parameters",
            "tools",
            "cannot hold answers to 'multipleOf'. An engine of kind `llama` can",
        ),
        (prompt(LARK), "invalid_grammar", "tools", "a Lark grammar. An engine of kind `llama` can"),
        (prompt(Function(name="f", free="regex", definition=r"\pL")), "invalid_grammar", "tools", "regular expression"),
    ],
)
def test_what_cannot_be_held_is_refused(asked: Prompt, code: str, param: str, why: str) -> None:
    with pytest.raises(Invalid, match=why.replace("(", r"\(")) as refused:
        written(asked)
    assert (refused.value.code, refused.value.param) == (code, param)


def test_many_schemas_can_be_too_much_together() -> None:

    def with_enums(*firsts: int) -> list[Function]:
        enums = [{"enum": [f"{first}{n:0100}" for n in range(1_500)]} for first in firsts]
        return [
            Function(name=f"f{n}", parameters={"properties": {"a": one}}, strict=True) for n, one in enumerate(enums)
        ]

    assert written(prompt(*with_enums(1, 1, 1)))
    with pytest.raises(Invalid, match="so large a schema") as refused:
        written(prompt(*with_enums(1, 2, 3)))
    assert refused.value.param == "tools"


def test_a_grammar_that_cannot_be_made_is_a_fault_of_the_engine() -> None:
    with pytest.raises(EngineFailed, match="could not be made"):
        asyncio.run(OpenVinoGrammars(inspect).spell(prompt(LARK), "x"))


def test_the_next_character_is_chosen_in_its_notation() -> None:
    _, grammar = written(prompt(format=JsonFormat(schema={"enum": ["a]", "b"]}, name="n", strict=True)))
    asked: list[str] = []

    async def write(said: str, choice: str) -> Any:
        asked.append(choice)
        if choice:
            yield Piece(0, "b")
        yield Done(0, "stop")

    async def go_on() -> str:
        rest = OpenVinoGrammars(inspect).follow(grammar, '"')
        return "".join([text async for text in rest.go_on(write)])

    assert asyncio.run(go_on()) == 'b"'
    assert asked[:2] == ["", "root ::= [\\x61\\x62]\n"]

"""JSON schemas as EBNF: whatever that allows follows the schema, as two other libraries read it."""

import asyncio
import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.prompt import JsonFormat, Prompt
from freehold.engines.llama.grammar import Grammars
from freehold.engines.openvino.rules import Rules, Unheld, other_name
from freehold.engines.openvino.schema import held_part, write
from tests.ebnf import follows, matcher, reading, walks

NODE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}},
    "required": ["v", "next"],
    "additionalProperties": False,
}
PAIR: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    "required": ["b"],
}
HELD: list[dict[str, Any]] = [
    {"title": "anything"},
    {"type": "object"},
    PAIR,
    PAIR | {"additionalProperties": False},
    PAIR | {"required": ["a", "b"], "additionalProperties": {"type": "integer"}},
    PAIR | {"required": [], "additionalProperties": False, "title": "A", "description": "b", "default": {}},
    {
        "properties": {"na": True, "name": {"type": "null"}, 'é"x': {"const": 'é"\\\n'}},
        "additionalProperties": {"type": "null"},
    },
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4},
    {"type": "array", "maxItems": 0},
    {"type": "array", "items": {"type": ["null", "boolean"]}, "minItems": 1},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"type": ["string", "null"]},
    {"enum": ["a", 1, None, True, 1.5, {"x": [1, 2]}, []]},
    {"type": "string", "enum": ["a", 1]},
    {"const": "x\u2028y"},
    {"type": "integer"},
    {"type": "number"},
    {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}, {"type": "array", "items": {"type": "boolean"}}]},
    {"allOf": [{"type": "boolean"}]},
    {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"], "$defs": {"n": NODE}},
    {"type": "object", "properties": {"c": {"type": "array", "items": {"$ref": "#"}}}, "required": ["c"]},
    *({"type": "string", "format": one} for one in ("date", "time", "date-time", "uuid", "ipv4", "email")),
]
UNHELD = [
    ({"type": "number", "multipleOf": 2}, "'multipleOf'"),
    ({"type": "object", "properties": {"a": {"not": {}}}}, "'not'"),
    ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
    ({"oneOf": [{"type": "null"}]}, "'oneOf'"),
    ({"type": "string", "format": "uri"}, "the format 'uri'"),
    ({"type": "string", "pattern": "a", "maxLength": 3}, "lengths of the same string"),
    ({"type": "object", "required": ["a"]}, "the required 'a'"),
    ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}, "leads to itself"),
    ({"$ref": "https://example.com"}, "'\\$ref' to"),
    ({"$ref": "#/$defs/a"}, "'\\$ref' to"),
    ({"$ref": "#/$defs/a", "type": "object", "$defs": {"a": {}}}, "'type' beside '\\$ref'"),
    ({"anyOf": []}, "'anyOf' of 0"),
    ({"type": "integer", "minimum": 3, "maximum": 2}, "no number"),
    ({"type": "number", "minimum": 0.5}, "bound of 0.5"),
    ({"type": "integer", "minimum": 10**16}, "'minimum'"),
    ({"type": "string", "minLength": -1}, "'minLength'"),
    ({"type": "array", "minItems": 2, "maxItems": 1}, "below"),
    ({"type": "array", "items": False, "minItems": 1}, "must not have items"),
    ({"type": "string", "enum": [1]}, "leaves no value"),
    ({"type": "any"}, "the type 'any'"),
    ({"properties": {"a": False}}, "nothing follows"),
    ({"properties": [1]}, "that is none"),
    ({"const": 1e300}, "number 1e\\+300"),
]


def ebnf(schema: Any) -> str:
    rules = Rules()
    return rules.text(write(rules, schema))


@pytest.mark.parametrize("schema", HELD, ids=json.dumps)
def test_what_is_written_follows_the_schema(schema: dict[str, Any]) -> None:
    strict = matcher(strictly(schema))
    valid = jsonschema_rs.validator_for(schema, validate_formats=True)
    said = list(walks(ebnf(schema), 40))
    assert said
    for text in said:
        assert follows(strict, text) and valid.is_valid(json.loads(text)), text


def strictly(schema: dict[str, Any]) -> str:
    """What answers are verified by."""

    async def no_flaw(grammar: str) -> str:
        return ""

    asked = Prompt(model="m", turns=(), format=JsonFormat(schema=schema, strict=True))
    return asyncio.run(Grammars(no_flaw).write(asked))


@pytest.mark.parametrize(("schema", "why"), UNHELD, ids=lambda one: json.dumps(one) if isinstance(one, dict) else "")
def test_what_cannot_be_held_says_so(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(Unheld, match=why):
        ebnf(schema)


def test_large_and_deep_schemas_are_not_held() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Unheld, match="nested so deeply"):
        ebnf(deep)
    with pytest.raises(Unheld, match="so large"):
        ebnf({"enum": [f"{n:0100}" for n in range(5_000)]})


BOUND = st.integers(-1_200, 1_200)


@given(st.sampled_from(["integer", "number"]), BOUND, BOUND, st.booleans(), st.booleans())
def test_numbers_keep_to_their_bounds(kind: str, low: int, high: int, above: bool, below: bool) -> None:
    schema = {
        "type": kind,
        "exclusiveMinimum" if above else "minimum": low,
        "exclusiveMaximum" if below else "maximum": high,
    }
    valid = jsonschema_rs.validator_for(schema)
    try:
        grammar = ebnf(schema)
    except Unheld:
        assert not valid.is_valid(low) and not valid.is_valid(high) and not valid.is_valid((low + high) / 2)
        return
    found = reading(grammar)
    for text in walks(grammar, 10):
        assert valid.is_valid(json.loads(text)), text
    for number in {low - 1, low, low + 1, 0, -1, 9, 10, 99, 100, -10, (low + high) // 2, high - 1, high, high + 1}:
        assert follows(found, str(number)) == valid.is_valid(number), number


def test_any_other_name_is_none_of_the_known() -> None:
    rules = Rules()
    found = reading(rules.text(other_name(rules, ["na", "name", 'a"\n'])))
    for name in ("n", "nam", "names", "nb", "x", "", "a"):
        assert follows(found, f'"{name}"')
    for text in ('"na"', '"name"', '"n\\u0061"', '"a\\"\\n"'):
        assert not follows(found, text)


@given(st.integers(0, 120), st.none() | st.integers(0, 120))
def test_lengths_are_counted(least: int, more: int | None) -> None:
    most = None if more is None else least + more
    schema = {"type": "array", "items": {"const": 1}, "minItems": least} | ({} if most is None else {"maxItems": most})
    found = reading(ebnf(schema))
    for count in {max(0, least - 1), least, least + 1, least + 33, *(() if most is None else (most, most + 1))}:
        fits = least <= count and (most is None or count <= most)
        assert follows(found, json.dumps([1] * count)) == fits, count


SCALAR = st.sampled_from(
    [{"type": "string"}, {"type": "integer", "multipleOf": 3}, {"enum": ["a"]}, {"pattern": "(?=a)", "type": "string"}]
)
SCHEMAS = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"uniqueItems": st.booleans()}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("abc"), inner)},
            optional={"required": st.just(["a"]), "patternProperties": st.just({})},
        ),
    ),
    max_leaves=6,
)


@given(SCHEMAS)
def test_of_a_schema_that_is_not_strict_a_part_is_held(schema: dict[str, Any]) -> None:
    part = held_part(schema)
    ebnf(part)
    assert held_part(part) == part


def test_the_part_that_is_held_is_all_but_what_cannot_be() -> None:
    whole = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "multipleOf": 3, "minimum": 0},
            "b": {"type": "string", "pattern": "(?=x)", "description": "b"},
            "c": {"oneOf": [{"type": "null"}, {"not": {}}]},
            "d": {"$ref": "#/nowhere"},
        },
        "required": ["a"],
        "minProperties": 1,
    }
    assert held_part(PAIR) == PAIR
    assert held_part(whole)["properties"] == {
        "a": {"type": "integer", "minimum": 0},
        "b": {"type": "string", "description": "b"},
        "c": {"anyOf": [{"type": "null"}, {}]},
        "d": {},
    }
    assert held_part({"$ref": "#"}) == {"type": "object"}

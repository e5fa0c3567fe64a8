from typing import Any

import pytest

from freehold.core.errors import Invalid
from freehold.surfaces.schema import DEPTH, check_strict, is_strict, json_format


def obj(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}

GOOD = [
    obj(),
    obj(a=TEXT, b={"type": ["integer", "null"], "minimum": 1}, c={"type": "array", "items": TEXT, "maxItems": 3}),
    obj(a={"anyOf": [TEXT, obj(b=TEXT)]}, e={"type": "string", "enum": ["x", "y"]}),
    obj(a={"$ref": "#/$defs/node"}) | {"$defs": {"node": obj(next={"anyOf": [{"$ref": "#/$defs/node"}, TEXT]})}},
    obj(a={"$ref": "#"}),
    obj(a={"$ref": "#/$defs/a/type"}) | {"$defs": {"a": TEXT, "a/type": TEXT, "b": {"$ref": "#/$defs/a/type"}}},
    obj(a={"$ref": "#/$defs/d0"})
    | {"$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5000)} | {"d5000": TEXT}},
    obj(**{f"p{i}": TEXT for i in range(5000)}),
    obj(a={"type": "string", "pattern": "^a+$", "format": "date-time"}),
]


@pytest.mark.parametrize("schema", GOOD)
def test_the_subset_is_taken(schema: dict[str, Any]) -> None:
    assert is_strict(schema)


BAD = [
    ({"type": "array", "items": TEXT}, "In context=(), schema must be a JSON Schema of 'type: \"object\"'"),
    (obj() | {"anyOf": [obj()]}, "'anyOf' is not permitted at the top level"),
    ({"type": "object", "properties": {}}, "'additionalProperties' is required to be supplied and to be false"),
    (obj(a=TEXT) | {"required": []}, "including every key in properties. Missing 'a'"),
    (obj(a=TEXT) | {"required": ["a", "b"]}, "'required' names 'b', which is no property"),
    (obj(a={}), "In context=('properties', 'a'), schema must have a 'type' key"),
    (obj(a={"type": "text"}), "'text' is not a valid type"),
    (obj(a={"type": "array"}), "array schema missing items"),
    (obj(a={"type": "string", "not": TEXT}), "'not' is not permitted"),
    (obj(a={"allOf": [TEXT]}), "'allOf' is not permitted"),
    (obj(a={"type": "string", "enum": []}), "'enum' must be an array with at least one value"),
    (obj(a={"type": "string", "format": "colour"}), "'colour' is not a valid format"),
    (obj(a={"$ref": "#/$defs/none"}), "reference '#/$defs/none' cannot be resolved"),
    (obj(a={"$ref": "#/$defs/a"}) | {"$defs": {"a": {"$ref": "#/$defs/a"}}}, "refers to nothing but itself"),
    (obj(a={"type": "string", "enum": [str(i) for i in range(1001)]}), "more than 1000 enum values"),
    (obj(a=True), "expected a schema object, got bool"),
    ({"type": "object", "properties": [], "additionalProperties": False}, "'properties' must be an object"),
    (obj(a=TEXT) | {"required": "a"}, "'required' must be an array"),
    (obj(a={"type": "array", "items": True}), "expected a schema object, got bool"),
    (obj() | {"$defs": 3}, "'$defs' must be an object"),
    (obj(a={"type": "string", "pattern": 3}), "'pattern' must be a string"),
    (obj(a={"type": {"x": 1}}), "is not a valid type"),
    (obj(a={"$ref": 3}), "reference '3' cannot be resolved"),
    (obj(a={"$ref": []}), "reference '[]' cannot be resolved"),
    (obj(a={"$ref": None}), "reference 'None' cannot be resolved"),
    ({"type": "object", "additionalProperties": False, "required": 5}, "'required' must be an array"),
    (obj() | {"required": [{}]}, "'required' must be an array of strings"),
    (obj(**{f"p{i}": TEXT for i in range(5001)}), "more than 5000 properties"),
    (obj(a={"anyOf": [TEXT] * 10_001}), "more than 10000 subschemas"),
    (obj() | {"$defs": {f"d{i}": TEXT for i in range(10_001)}}, "more than 10000 subschemas"),
    (obj(a={"type": "string", "enum": ["x" * 60_001, "y" * 60_000]}), "more than 120000 characters"),
    (obj(**{"x" * 120_001: TEXT}), "more than 120000 characters"),
    (obj(a={"type": "string", "pattern": "x" * 120_000}), "more than 120000 characters"),
    (
        obj(a={"$ref": "#/$defs/d0"})
        | {"$defs": {f"d{i}": {"$ref": f"#/$defs/d{(i + 1) % 9000}"} for i in range(9000)}},
        "refers to nothing but itself",
    ),
    (obj(a={"type": "string", "format": []}), "'[]' is not a valid format"),
]


@pytest.mark.parametrize(("schema", "why"), BAD)
def test_anything_else_is_refused_with_the_place_and_the_reason(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_strict(schema, "function 'f'", "tools[0].parameters")
    fault = caught.value
    assert fault.message.startswith("Invalid schema for function 'f': In context=(")
    assert why in fault.message
    assert (fault.code, fault.param) == ("invalid_json_schema", "tools[0].parameters")


@pytest.mark.parametrize("depth", [DEPTH + 1, 5000])
def test_depth_is_bounded(depth: int) -> None:
    schema: dict[str, Any] = obj(a=TEXT)
    for _ in range(depth):
        schema = obj(a=schema)
    with pytest.raises(Invalid, match="levels deep"):
        check_strict(schema, "function 'f'", "p")


def test_a_format_needs_a_good_name() -> None:
    with pytest.raises(Invalid) as caught:
        json_format("no spaces", obj(), None, True, "text.format")
    assert caught.value.param == "text.format.name"
    assert json_format("x", {"anything": "goes"}, None, None, "text.format").strict is False

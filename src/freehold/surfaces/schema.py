"""The JSON Schemas that strict functions and formats may have: OpenAI's subset, refused in OpenAI's words outside it.

Source: the "Supported schemas" section of OpenAI's guide to structured outputs.
"""

import re
from collections.abc import Iterator
from typing import Any

from freehold.core.errors import Invalid
from freehold.core.prompt import JsonFormat

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

DEPTH, PROPERTIES, CHOICES = 10, 5_000, 1_000
TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
KEYWORDS = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "definitions",
        "description",
        "title",
        "default",
        "examples",
        "$schema",
        "$id",
        "$comment",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
    ]
)
FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
NUMBERS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "minLength", "maxLength"),
)
REFUSED = ["allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties"]

Place = tuple[str, ...]


class _Wrong(Exception):
    def __init__(self, place: Place, why: str) -> None:
        super().__init__(why)
        self.place = place
        self.why = why


def check_strict(schema: dict[str, Any], what: str, param: str) -> None:
    """Refuse a schema that strict decoding does not take. `what` is e.g. `function 'f'` or `response_format 'x'`.

    Raises Invalid (`invalid_json_schema`) that says where and why.
    """
    try:
        if schema.get("type") != "object":
            raise _Wrong(
                (), f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'"
            )
        if "anyOf" in schema:
            raise _Wrong((), "'anyOf' is not permitted at the top level")
        counts = {"properties": 0, "choices": 0}
        definitions = {f"#/{name}/{key}" for name in ("$defs", "definitions") for key in _mapping(schema, name, ())} | {
            "#"
        }
        _check(schema, (), 0, definitions, counts)
        for _ in _endless(schema, schema, ()):
            pass
    except _Wrong as wrong:
        place = ", ".join(f"'{step}'" for step in wrong.place)
        context = f"({place},)" if len(wrong.place) == 1 else f"({place})"
        raise Invalid(
            f"Invalid schema for {what}: In context={context}, {wrong.why}.", "invalid_json_schema", param
        ) from None


def is_strict(schema: dict[str, Any]) -> bool:
    """Whether strict decoding takes the schema."""
    try:
        check_strict(schema, "", "")
    except Invalid:
        return False
    return True


def _check(schema: Any, place: Place, depth: int, definitions: set[str], counts: dict[str, int]) -> None:
    if not isinstance(schema, dict):
        raise _Wrong(place, f"expected a schema object, got {type(schema).__name__}")
    if depth > DEPTH:
        raise _Wrong(place, f"the schema is nested more than {DEPTH} levels deep")
    for keyword in schema:
        if keyword in REFUSED or keyword not in KEYWORDS:
            raise _Wrong(place, f"'{keyword}' is not permitted")
    _check_leaf(schema, place, definitions, counts)
    types = schema.get("type")
    if "properties" in schema or types == "object" or (isinstance(types, list) and "object" in types):
        _check_object(schema, place, depth, definitions, counts)
    if types == "array" and "items" not in schema:
        raise _Wrong(place, "array schema missing items")
    if "items" in schema:
        _check(schema["items"], (*place, "items"), depth + 1, definitions, counts)
    for number, choice in enumerate(_listed(schema, "anyOf", place)):
        _check(choice, (*place, "anyOf", str(number)), depth + 1, definitions, counts)
    for name in ("$defs", "definitions"):
        for key, value in _mapping(schema, name, place).items():
            _check(value, (*place, name, key), 1, definitions, counts)


def _check_leaf(schema: dict[str, Any], place: Place, definitions: set[str], counts: dict[str, int]) -> None:
    types = schema.get("type")
    if types is None and not {"anyOf", "$ref", "enum", "const"} & schema.keys():
        raise _Wrong(place, "schema must have a 'type' key")
    for one in types if isinstance(types, list) else [types] if types is not None else []:
        if one not in TYPES:
            raise _Wrong(place, f"'{one}' is not a valid type")
    if "$ref" in schema and schema["$ref"] not in definitions:
        raise _Wrong(place, f"reference '{schema['$ref']}' cannot be resolved")
    counts["choices"] += len(_listed(schema, "enum", place))
    if counts["choices"] > CHOICES:
        raise _Wrong(place, f"the schema has more than {CHOICES} enum values")
    for keyword in ("pattern", "description", "title"):
        if not isinstance(schema.get(keyword, ""), str):
            raise _Wrong(place, f"'{keyword}' must be a string")
    for keyword in NUMBERS:
        if isinstance(schema.get(keyword, 0), bool) or not isinstance(schema.get(keyword, 0), int | float):
            raise _Wrong(place, f"'{keyword}' must be a number")
    if "format" in schema and schema["format"] not in FORMATS:
        raise _Wrong(place, f"'{schema['format']}' is not a valid format")


def _check_object(
    schema: dict[str, Any], place: Place, depth: int, definitions: set[str], counts: dict[str, int]
) -> None:
    properties = _mapping(schema, "properties", place)
    if schema.get("additionalProperties") is not False:
        raise _Wrong(place, "'additionalProperties' is required to be supplied and to be false")
    missing = [name for name in properties if name not in _listed(schema, "required", place)]
    if missing:
        raise _Wrong(
            place,
            "'required' is required to be supplied and to be an array including every key in properties. "
            f"Missing '{missing[0]}'",
        )
    unknown = [name for name in schema.get("required", []) if name not in properties]
    if unknown:
        raise _Wrong(place, f"'required' names '{unknown[0]}', which is no property")
    counts["properties"] += len(properties)
    if counts["properties"] > PROPERTIES:
        raise _Wrong(place, f"the schema has more than {PROPERTIES} properties")
    for name, value in properties.items():
        _check(value, (*place, "properties", name), depth + 1, definitions, counts)


def _mapping(schema: dict[str, Any], keyword: str, place: Place) -> dict[str, Any]:
    value = schema.get(keyword, {})
    if not isinstance(value, dict):
        raise _Wrong(place, f"'{keyword}' must be an object")
    return value


def _listed(schema: dict[str, Any], keyword: str, place: Place) -> list[Any]:
    value = schema.get(keyword, [])
    if not isinstance(value, list) or (keyword in schema and not value and keyword != "required"):
        raise _Wrong(place, f"'{keyword}' must be an array with at least one value")
    return value


def _endless(schema: dict[str, Any], root: dict[str, Any], seen: Place) -> Iterator[None]:
    """Raise for a reference that leads back to itself without a value in between."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference in seen:
            raise _Wrong((), f"reference '{reference}' refers to nothing but itself")
        target: Any = root
        for step in reference.removeprefix("#").strip("/").split("/"):
            target = target.get(step, {}) if step else target
        yield from _endless(target, root, (*seen, reference))
    for name in ("$defs", "definitions", "properties"):
        for value in schema.get(name, {}).values():
            if isinstance(value, dict) and "$ref" in value and name != "properties":
                yield from _endless(value, root, ())


def check_name(name: str, path: str) -> None:
    """Refuse a name at `path` that OpenAI does not take for functions and formats. Raises Invalid."""
    if not NAME.fullmatch(name):
        raise Invalid(
            f"Invalid '{path}.name': string does not match pattern. Expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$' of at most 64 characters.",
            "invalid_value",
            f"{path}.name",
        )


def json_format(
    name: str, schema: dict[str, Any], description: str | None, strict: bool | None, param: str
) -> JsonFormat:
    """Check a JSON Schema format at the path `param`. Raises Invalid."""
    check_name(name, param)
    if strict:
        check_strict(schema, f"response_format '{name}'", f"{param}.schema")
    return JsonFormat(schema=schema, name=name, description=description, strict=bool(strict))

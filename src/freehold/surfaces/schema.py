"""The JSON Schemas that strict functions and formats may have: OpenAI's subset, refused in OpenAI's words outside it.

Source: the "Supported schemas" section of OpenAI's guide to structured outputs.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from freehold.core.errors import Invalid
from freehold.core.prompt import JsonFormat

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

DEPTH = 10
MOST = {
    "properties": 5_000,
    "enum values": 1_000,
    "subschemas": 10_000,
    "characters in names, enum values, constants and patterns": 120_000,
}
"""The most that a schema may have, all its parts together."""
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


class _Whole:
    """What holds for a schema as a whole: the `definitions` that references may name, and how large it has grown."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self.definitions = definitions
        self._counts = Counter[str]()

    def grow(self, place: Place, what: str, number: int) -> None:
        """Count what was found at `place`. Raises _Wrong where that is too much."""
        self._counts[what] += number
        if self._counts[what] > MOST[what]:
            raise _Wrong(place, f"the schema has more than {MOST[what]} {what}")

    def grow_text(self, place: Place, *texts: Any) -> None:
        """Count the characters of what is text."""
        length = sum(len(text) for text in texts if isinstance(text, str))
        self.grow(place, "characters in names, enum values, constants and patterns", length)


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
        definitions = {"#": schema} | {
            f"#/{name}/{key}": value
            for name in ("$defs", "definitions")
            for key, value in _mapping(schema, name, ()).items()
        }
        _check(schema, (), 0, _Whole(definitions))
        _check_endless(definitions)
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


def _check(schema: Any, place: Place, depth: int, whole: _Whole) -> None:
    if not isinstance(schema, dict):
        raise _Wrong(place, f"expected a schema object, got {type(schema).__name__}")
    if depth > DEPTH:
        raise _Wrong(place, f"the schema is nested more than {DEPTH} levels deep")
    whole.grow(place, "subschemas", 1)
    for keyword in schema:
        if keyword in REFUSED or keyword not in KEYWORDS:
            raise _Wrong(place, f"'{keyword}' is not permitted")
    _check_leaf(schema, place, whole)
    types = schema.get("type")
    if "properties" in schema or types == "object" or (isinstance(types, list) and "object" in types):
        _check_object(schema, place, depth, whole)
    if types == "array" and "items" not in schema:
        raise _Wrong(place, "array schema missing items")
    if "items" in schema:
        _check(schema["items"], (*place, "items"), depth + 1, whole)
    for number, choice in enumerate(_listed(schema, "anyOf", place)):
        _check(choice, (*place, "anyOf", str(number)), depth + 1, whole)
    for name in ("$defs", "definitions"):
        for key, value in _mapping(schema, name, place).items():
            whole.grow_text((*place, name), key)
            _check(value, (*place, name, key), depth + 1, whole)


def _check_leaf(schema: dict[str, Any], place: Place, whole: _Whole) -> None:
    types = schema.get("type")
    if types is None and not {"anyOf", "$ref", "enum", "const"} & schema.keys():
        raise _Wrong(place, "schema must have a 'type' key")
    for one in types if isinstance(types, list) else [types] if types is not None else []:
        if one not in TYPES:
            raise _Wrong(place, f"'{one}' is not a valid type")
    reference = schema.get("$ref", "#")
    if not isinstance(reference, str) or reference not in whole.definitions:
        raise _Wrong(place, f"reference '{reference}' cannot be resolved")
    choices = _listed(schema, "enum", place)
    whole.grow(place, "enum values", len(choices))
    whole.grow_text(place, *choices, schema.get("const"), schema.get("pattern"))
    for keyword in ("pattern", "description", "title"):
        if not isinstance(schema.get(keyword, ""), str):
            raise _Wrong(place, f"'{keyword}' must be a string")
    for keyword in NUMBERS:
        if isinstance(schema.get(keyword, 0), bool) or not isinstance(schema.get(keyword, 0), int | float):
            raise _Wrong(place, f"'{keyword}' must be a number")
    if "format" in schema and schema["format"] not in FORMATS:
        raise _Wrong(place, f"'{schema['format']}' is not a valid format")


def _check_object(schema: dict[str, Any], place: Place, depth: int, whole: _Whole) -> None:
    properties = _mapping(schema, "properties", place)
    whole.grow(place, "properties", len(properties))
    whole.grow_text(place, *properties)
    if schema.get("additionalProperties") is not False:
        raise _Wrong(place, "'additionalProperties' is required to be supplied and to be false")
    listed = _listed(schema, "required", place)
    if not all(isinstance(name, str) for name in listed):
        raise _Wrong(place, "'required' must be an array of strings")
    required = set(listed)
    missing = [name for name in properties if name not in required]
    if missing:
        raise _Wrong(
            place,
            "'required' is required to be supplied and to be an array including every key in properties. "
            f"Missing '{missing[0]}'",
        )
    unknown = [name for name in listed if name not in properties]
    if unknown:
        raise _Wrong(place, f"'required' names '{unknown[0]}', which is no property")
    for name, value in properties.items():
        _check(value, (*place, "properties", name), depth + 1, whole)


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


def _check_endless(definitions: Mapping[str, Any]) -> None:
    """Refuse a reference that leads back to itself without a value in between."""
    ending: set[str] = set()
    for first in definitions:
        passed: set[str] = set()
        reference: str | None = first
        while reference is not None and reference not in ending:
            if reference in passed:
                raise _Wrong((), f"reference '{reference}' refers to nothing but itself")
            passed.add(reference)
            reference = definitions[reference].get("$ref")
        ending |= passed


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

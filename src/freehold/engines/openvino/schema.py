"""JSON that follows a schema, as EBNF.

Written by us, and not left to XGrammar's own reading of schemas: that passes over what it does not know. What is held
here is held exactly; all else is said not to be. Of several ways to write a value down, models are left one or two:
separators are `", "` and `": "`, and properties stand in the order of the schema, as LLGuidance has them.
"""

import json
from collections.abc import Mapping
from typing import Any

from freehold.engines.openvino.numbers import integer, number
from freehold.engines.openvino.pattern import expression
from freehold.engines.openvino.rules import (
    UNSPELLED,
    Rules,
    Unheld,
    all_but,
    class_of,
    either,
    literal,
    other_name,
    times,
)

_NOTES = frozenset(
    ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$comment")
)
_DEFINED = frozenset(("$defs", "definitions"))
_BY_TYPE: Mapping[str, frozenset[str]] = {
    "object": frozenset(("properties", "required", "additionalProperties")),
    "array": frozenset(("items", "minItems", "maxItems")),
    "string": frozenset(("minLength", "maxLength", "pattern", "format")),
    "number": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    "integer": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    "boolean": frozenset(),
    "null": frozenset(),
}
_TYPED = frozenset().union(*_BY_TYPE.values())
_ALONE = ("$ref", "anyOf", "allOf")
_KNOWN = _TYPED | _NOTES | _DEFINED | {*_ALONE, "type", "enum", "const"}
_DEEPEST = 48
_MOST_TIMES = 10_000
_HEX = "[0-9a-fA-F]"
_CHARACTER = rf'{class_of(all_but(UNSPELLED))} | "\\" [\x22\x5cbfnrt]'
_DAY = '("0" [1-9] | "1" [0-9] | "2" [0-8])'
_DATE = (
    f'[0-9]{{4}} "-" (("0" [1-9] | "1" [0-2]) "-" {_DAY} | ("0" [13-9] | "1" [0-2]) "-" ("29" | "30") | '
    '("0" [13578] | "10" | "12") "-31")'
)
_CLOCK = '("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9]'
_TIME = f'{_CLOCK} ":" [0-5] [0-9] ("." [0-9]{{1,9}})? ("Z" | [+\\x2d] {_CLOCK})'
_BYTE = '([0-9] | [1-9] [0-9] | "1" [0-9] [0-9] | "2" [0-4] [0-9] | "25" [0-5])'
_WORD = "[a-zA-Z0-9_+\\x2d]{1,30}"
_LABEL = "[a-zA-Z0-9] ([a-zA-Z0-9\\x2d]{0,20} [a-zA-Z0-9])?"
_FORMATS: Mapping[str, str] = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f'{_DATE} "T" {_TIME}',
    "uuid": ' "-" '.join(f"{_HEX}{{{size}}}" for size in (8, 4, 4, 4, 12)),
    "ipv4": ' "." '.join([_BYTE] * 4),
    "email": f'{_WORD} ("." {_WORD})? "@" {_LABEL} ("." {_LABEL}){{1,3}}',
}


class Values:
    """Writes the values of one schema, whose references lead into it."""

    def __init__(self, rules: Rules, schema: Any) -> None:
        self._rules = rules
        self._whole = schema
        self._named: dict[str, str] = {}
        self._depth = 0

    def whole(self) -> str:
        """Return the expression of the schema's values. Raises Unheld."""
        return self.value(self._whole)

    def value(self, schema: Any, before: frozenset[str] = frozenset()) -> str:
        """Return the expression of a part's values. Raises Unheld.

        `before` are the references that lead here without anything being written in between.
        """
        if schema is True or schema == {}:
            return self._any()
        if not isinstance(schema, dict):
            raise Unheld("a schema that nothing follows" if schema is False else "a schema that is no object")
        self._depth += 1
        try:
            if self._depth > _DEEPEST:
                raise Unheld("schemas that are nested so deeply")
            return self._value({name: one for name, one in schema.items() if name not in _NOTES}, before)
        finally:
            self._depth -= 1

    def _value(self, schema: dict[str, Any], before: frozenset[str]) -> str:
        keys = schema.keys() - _DEFINED
        if unknown := sorted(keys - _KNOWN):
            raise Unheld(f"'{unknown[0]}'")
        for name in _ALONE:
            if name in keys:
                if beside := sorted(keys - {name}):
                    raise Unheld(f"'{beside[0]}' beside '{name}'")
                return self._alone(name, schema[name], before)
        types = schema.get("type", list(_BY_TYPE))
        types = [types] if isinstance(types, str) else list(types)
        if "enum" in keys or "const" in keys:
            if beside := sorted(keys - {"enum", "const", "type"}):
                raise Unheld(f"'{beside[0]}' beside 'enum' or 'const'")
            return self._rules.add(either([literal(_spelled(one)) for one in _choices(schema, types)]))
        if "number" in types:
            types = [one for one in types if one != "integer"]
        return self._rules.add(either([self._typed(one, schema) for one in types]))

    def _alone(self, name: str, told: Any, before: frozenset[str]) -> str:
        if name == "$ref":
            return self._reference(told, before)
        if not told or (name == "allOf" and len(told) > 1):
            raise Unheld(f"'{name}' of {len(told)} schemas")
        return self._rules.add(either([self.value(one, before) for one in told]))

    def _reference(self, reference: str, before: frozenset[str]) -> str:
        if reference in before:
            raise Unheld("a '$ref' that leads to itself")
        name = self._named.get(reference)
        if name is None:
            name = self._named[reference] = self._rules.reserve()
            self._rules.define(name, self.value(_found(self._whole, reference), before | {reference}))
        return name

    def _typed(self, kind: str, schema: dict[str, Any]) -> str:
        match kind:
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._string(schema)
            case "integer":
                return integer(schema)
            case "number":
                return number(schema)
            case "boolean":
                return '("true" | "false")'
            case "null":
                return '"null"'
            case _:
                raise Unheld(f"the type {kind!r}")

    def _string(self, schema: dict[str, Any]) -> str:
        least, most = _range(schema, "minLength", "maxLength")
        pattern, kind = schema.get("pattern"), schema.get("format")
        if (pattern is not None) + (kind is not None) + ((least, most) != (0, None)) > 1:
            raise Unheld("'pattern', 'format' and lengths of the same string")
        if pattern is not None:
            return f'"\\"" {expression(self._rules, pattern, quoted=True)} "\\""'
        if kind is not None:
            if kind not in _FORMATS:
                raise Unheld(f"the format {kind!r}")
            return f'"\\"" {self._rules.add(_FORMATS[kind])} "\\""'
        return f'"\\"" {times(self._rules, self._rules.add(_CHARACTER), least, most)} "\\""'

    def _array(self, schema: dict[str, Any]) -> str:
        least, most = _range(schema, "minItems", "maxItems")
        if most == 0 or schema.get("items") is False:
            if least:
                raise Unheld("an array that must and must not have items")
            return '"[]"'
        item = self.value(schema.get("items", True))
        more = times(self._rules, f'(", " {item})', max(0, least - 1), None if most is None else most - 1)
        return f'"[" {item} {more} "]"' if least else f'"[" ({item} {more})? "]"'

    def _object(self, schema: dict[str, Any]) -> str:
        known, required = schema.get("properties", {}), schema.get("required", [])
        if missing := [name for name in required if name not in known]:
            raise Unheld(f"the required {missing[0]!r} without a schema in 'properties'")
        extra = last = ""
        more = schema.get("additionalProperties", True)
        if more is not False:
            extra = self._rules.add(f'{other_name(self._rules, known)} ": " {self.value(more)}')
            last = f'(", " {extra})*'
        members = [
            (f"{literal(_spelled(name) + ': ')} {self.value(one)}", name in required) for name, one in known.items()
        ]
        first, after = f"({extra} {last})?" if last else '""', last or '""'
        for member, needed in reversed(members):
            one, after = self._rules.add(member), self._rules.add(after)
            first = f"{one} {after}" if needed else f"({one} {after} | {self._rules.add(first)})"
            after = f'", " {one} {after}' if needed else f'(", " {one})? {after}'
        return f'"{{" {first} "}}"'

    def _any(self) -> str:
        """The expression of any JSON."""
        name = self._named.get("")
        if name is None:
            name = self._named[""] = self._rules.reserve()
            self._rules.define(name, either([self._typed(one, {}) for one in _BY_TYPE if one != "integer"]))
        return name


def write(rules: Rules, schema: Any) -> str:
    """Return the expression of the JSON that follows a schema. Raises Unheld."""
    try:
        return Values(rules, schema).whole()
    except (TypeError, ValueError, AttributeError) as error:
        raise Unheld(f"a schema that is none ({error})") from error


def held_part(schema: dict[str, Any]) -> dict[str, Any]:
    """Return as much of a schema as can be held, if only that what follows it is an object."""
    if _can_be_held(schema):
        return schema
    reduced = _reduced(schema, schema, 0)
    return reduced if isinstance(reduced, dict) and _can_be_held(reduced) else {"type": "object"}


def _can_be_held(schema: Any) -> bool:
    try:
        write(Rules(), schema)
    except Unheld:
        return False
    return True


def _reduced(schema: Any, whole: Any, depth: int) -> Any:
    """A schema whose every part can be held by itself."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    kept = {name: one for name, one in schema.items() if name in _KNOWN}
    if "oneOf" in schema and "anyOf" not in schema:
        kept["anyOf"] = schema["oneOf"]
    for name, parts in list(kept.items()):
        if name == "$ref" and not _leads(whole, parts):
            del kept[name]
        elif name in ("properties", *_DEFINED) and isinstance(parts, dict):
            kept[name] = {key: _reduced(one, whole, depth + 1) for key, one in parts.items()}
        elif name in ("anyOf", "allOf") and isinstance(parts, list):
            kept[name] = [_reduced(one, whole, depth + 1) for one in parts]
        elif name in ("items", "additionalProperties") and isinstance(parts, dict):
            kept[name] = _reduced(parts, whole, depth + 1)
    for without in ([], *([name] for name in kept), [name for name in kept if name not in {"type", *_DEFINED}]):
        tried = {name: one for name, one in kept.items() if name not in without}
        if _can_be_held(_shallow(tried)):
            return tried
    return {}


def _leads(whole: Any, reference: Any) -> bool:
    try:
        _found(whole, str(reference))
    except Unheld:
        return False
    return True


def _shallow(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with parts that anything follows."""
    parts = {name: dict.fromkeys(one, True) for name, one in schema.items() if name == "properties" and one}
    parts |= {name: [True] * len(one) for name, one in schema.items() if name in ("anyOf", "allOf")}
    parts |= {name: True for name, one in schema.items() if name in ("items", "additionalProperties") and one}
    return {name: parts.get(name, one) for name, one in schema.items() if name not in ("$ref", *_DEFINED)}


def _range(schema: dict[str, Any], low: str, high: str) -> tuple[int, int | None]:
    least, most = schema.get(low, 0), schema.get(high)
    for name, value in ((low, least), (high, most)):
        if value is not None and (
            not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_TIMES
        ):
            raise Unheld(f"a '{name}' of {value}")
    if most is not None and most < least:
        raise Unheld(f"a '{high}' below '{low}'")
    return least, most


def _choices(schema: dict[str, Any], types: list[str]) -> list[Any]:
    if "const" in schema and "enum" in schema:
        raise Unheld("'enum' beside 'const'")
    found = [schema["const"]] if "const" in schema else schema["enum"]
    found = [one for one in found if any(_is(one, kind) for kind in types)]
    if not found:
        raise Unheld("an 'enum' that leaves no value")
    return found


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _spelled(value: Any) -> str:
    """How a value is written. Raises Unheld for one that everybody writes differently."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    json.loads(text, parse_float=_plain)
    return text


def _plain(number: str) -> None:
    if "e" in number:
        raise Unheld(f"the number {number}")


def _found(whole: Any, reference: str) -> Any:
    """Return what a reference leads to. Raises Unheld where that is not in the schema."""
    place = whole
    if reference != "#" and not reference.startswith("#/"):
        raise Unheld(f"a '$ref' to {reference!r}")
    for step in reference.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or key not in place:
            raise Unheld(f"a '$ref' to {reference!r}")
        place = place[key]
    return place

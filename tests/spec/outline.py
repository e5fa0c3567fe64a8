"""The outline of a JSON Schema: what a parameter may be, without prose, names of schemas, or nesting of unions."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


def outline(schema: Json, definitions: Mapping[str, Json]) -> Json:
    """Return `types` (without null), `enum` and `items` where only listed strings are taken, and the bounds.

    `definitions` holds the schemas that `$ref` names by their last step; one that it does not hold may be anything.
    """
    members = list(_members(schema, definitions))
    types = sorted({kind for member in members for kind in _types(member)} - {"null"})
    found: Json = {"types": types}
    strings = [member for member in members if "string" in _types(member)]
    if strings and all("enum" in member or "const" in member for member in strings):
        found["enum"] = sorted({value for member in strings for value in _values(member) if value is not None})
    choices = {value for member in members if "items" in member for value in _choices(member["items"], definitions)}
    if choices:
        found["items"] = sorted(choices)
    for bound in BOUNDS:
        values = [member[bound] for member in members if bound in member]
        if values:
            found[bound] = float(min(values) if bound.startswith("min") else max(values))
    return found


def properties(schema: Json, definitions: Mapping[str, Json]) -> tuple[dict[str, Json], list[str]]:
    """Return the properties of an object schema, each outlined, and the names of the required ones."""
    found: dict[str, Json] = {}
    required: set[str] = set()
    for member in _members(schema, definitions):
        required |= set(member.get("required", ()))
        for name, inner in member.get("properties", {}).items():
            found[name] = outline(inner, definitions)
    return dict(sorted(found.items())), sorted(required)


def _choices(schema: Json, definitions: Mapping[str, Json]) -> list[str]:
    return outline(schema, definitions).get("enum", [])


def _members(schema: Json, definitions: Mapping[str, Json]) -> Iterator[Json]:
    """Yield the plain schemas that unions, compositions and references come down to."""
    if "$ref" in schema:
        yield from _members(definitions.get(schema["$ref"].rsplit("/", 1)[1], {}), definitions)
        return
    unions = [schema[key] for key in ("anyOf", "oneOf", "allOf") if key in schema]
    if not unions:
        yield schema
    for union in unions:
        for member in union:
            yield from _members(member, definitions)


def _types(schema: Json) -> list[str]:
    kinds = schema.get("type")
    if kinds is None and _values(schema):
        return ["string"] if all(isinstance(value, str) for value in _values(schema)) else []
    return [kinds] if isinstance(kinds, str) else list(kinds or ())


def _values(schema: Json) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))

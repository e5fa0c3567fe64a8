"""Request bodies: JSON bytes to typed structs, and what is wrong with them in OpenAI's own words."""

import json
import re
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from freehold.core.errors import Fault, Invalid

B = TypeVar("B")

MALFORMED = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The API expects a JSON payload, but what was sent was not valid JSON: {reason}.)"
)

_WHERE = re.compile(r"(?P<key>`key` in )?`\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_BOUND = re.compile(r"^Expected `(?P<kind>\w+)`(?P<length> of length)? (?P<sign><=|>=|<|>) (?P<bound>-?[\d.]+)$")
_TYPES = re.compile(r"^Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`$")

_NAMES = {
    "str": ("a string", "a string"),
    "int": ("an integer", "an integer"),
    "float": ("a decimal", "a decimal"),
    "bool": ("a boolean", "a boolean"),
    "array": ("an array", "an array"),
    "object": ("an object", "an object"),
    "null": ("null", "null"),
}
_PREFIX = {"int": "integer", "float": "decimal", "str": "string", "array": "array", "object": "object"}


class Decoder(Generic[B]):
    """Decodes one body type; `prefix` is the path of the decoded value inside the whole body."""

    def __init__(self, wanted: type[B] | Any) -> None:
        self._wanted = wanted
        self._decoder = msgspec.json.Decoder(wanted)

    def __call__(self, raw: bytes | msgspec.Raw, prefix: str = "") -> B:
        """Decode `raw`. Raises Invalid with the path of the first thing that is wrong."""
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise explain(str(error), bytes(raw), self._wanted, prefix) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Invalid(MALFORMED.format(reason=error)) from None
        except RecursionError:
            raise Invalid(MALFORMED.format(reason="it is nested too deeply")) from None


def read(value: Any, wanted: type[B], prefix: str) -> B:
    """Read a value that is decoded already, at the path `prefix`, as `wanted`. Raises Invalid with its path."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise explain(str(error), msgspec.json.encode(value), wanted, prefix) from None


def explain(error: str, raw: bytes, wanted: Any, prefix: str = "") -> Fault:
    """Turn msgspec's message about `raw` into the fault that OpenAI would answer with."""
    what, _, where = error.rpartition(" - at ")
    found = _WHERE.fullmatch(where)
    if found is None:
        what, path, at_key = error, "", None
    else:
        path, at_key = found["path"], found["key"]
    steps = [name or index for name, index in _STEP.findall(path)]
    param = _join(prefix, path)
    if missing := re.match(r"Object missing required field `(.+)`", what):
        param = _join(param, "." + missing[1])
        return Invalid(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)
    if unknown := re.match(r"(?s:Object contains unknown field `(.*)`)", what):
        param = _join(param, "." + unknown[1])
        return Invalid(f"Unknown parameter: '{param}'.", "unknown_parameter", param)
    if re.match(r"Invalid (enum )?value ", what):
        value = what.split("value ", 1)[1]
        allowed = _allowed(wanted, steps)
        hint = f" Supported values are: {_listed(allowed)}." if allowed else ""
        return Invalid(f"Invalid value: {value}.{hint}", "invalid_value", param)
    if bound := _BOUND.match(what):
        return _out_of_bounds(bound, None if at_key else _value_at(raw, steps), param)
    if types := _TYPES.match(what):
        wanted_names = " or ".join(_NAMES.get(t, (t, t))[0] for t in types["wanted"].split(" | ") if t != "null")
        got = _NAMES.get(types["got"], (types["got"],) * 2)[1]
        subject = f"Invalid type for '{param}'" if param else "Invalid body"
        return Invalid(f"{subject}: expected {wanted_names}, but got {got} instead.", "invalid_type", param or None)
    return Invalid(f"Invalid '{param}': {what}." if param else f"Invalid body: {what}.", "invalid_value", param or None)


def _out_of_bounds(bound: re.Match[str], value: Any, param: str) -> Fault:
    kind, sign, limit = bound["kind"], bound["sign"], bound["bound"]
    above = sign.startswith("<")
    limit = limit.removesuffix(".0")
    if bound["length"]:
        count = len(value) if isinstance(value, str | list | dict) else None
        got = f", but got {_a(kind)} with length {count} instead" if count is not None else ""
        size = "maximum" if above else "minimum"
        long = {"str": "too long" if above else "too short", "array": "too long" if above else "empty or too short"}
        adjective = long.get(kind, "has too many properties" if above else "has too few properties")
        code = f"{_PREFIX.get(kind, kind)}_{'above_max_length' if above else 'below_min_length'}"
        verb = f"{_PREFIX.get(kind, kind)} {adjective}"
        return Invalid(f"Invalid '{param}': {verb}. Expected {_a(kind)} with {size} length {limit}{got}.", code, param)
    side = "above maximum value" if above else "below minimum value"
    code = f"{_PREFIX.get(kind, kind)}_{'above_max_value' if above else 'below_min_value'}"
    got = f", but got {json.dumps(value)} instead" if isinstance(value, int | float) else ""
    return Invalid(
        f"Invalid '{param}': {_PREFIX.get(kind, kind)} {side}. Expected a value {sign} {limit}{got}.", code, param
    )


def _a(kind: str) -> str:
    return _NAMES.get(kind, (kind, kind))[0]


def _join(prefix: str, path: str) -> str:
    path = path.replace("[...]", "")
    return prefix + path if prefix else path.lstrip(".")


def _listed(values: list[Any]) -> str:
    quoted = [f"'{value}'" for value in values]
    if len(quoted) <= 2:
        return " and ".join(quoted)
    return ", ".join(quoted[:-1]) + f", and {quoted[-1]}"


def _value_at(raw: bytes, steps: list[str]) -> Any:
    """The value at `steps`; None where it cannot be told, in a body that is also wrong beyond it."""
    try:
        value = json.loads(raw)
        for step in steps:
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return value


def _allowed(wanted: Any, steps: list[str]) -> list[Any]:
    """The literal values (or tags) that the type at `steps` inside `wanted` admits; empty when it is not a choice."""
    types = [inspect.type_info(wanted)]
    for step in steps:
        types = [inner for outer in types for inner in _inside(outer, step)]
    values: list[Any] = []
    for kind in types:
        for one in kind.types if isinstance(kind, inspect.UnionType) else (kind,):
            if isinstance(one, inspect.LiteralType):
                values += [value for value in one.values if value not in values]
    return values


def _inside(kind: Any, step: str) -> list[Any]:
    if isinstance(kind, inspect.UnionType):
        return [inner for one in kind.types for inner in _inside(one, step)]
    if isinstance(kind, inspect.Metadata):
        return _inside(kind.type, step)
    if isinstance(kind, inspect.StructType):
        if step == kind.tag_field:
            return [inspect.LiteralType((kind.tag,))]
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return [kind.item_type]
    if isinstance(kind, inspect.DictType):
        return [kind.value_type]
    return []

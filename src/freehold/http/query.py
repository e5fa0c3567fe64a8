"""Query parameters: known ones decoded and bounded, unknown ones refused, as in bodies."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from freehold.core.errors import Fault
from freehold.surfaces.decode import explain

Q = TypeVar("Q", bound=msgspec.Struct)

_BETA = ("beta", "true")
"""What the SDKs' beta resources add to every URL; their paths are the usual ones."""


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of what takes none."""


def read_query(request: Request, wanted: type[Q]) -> Q:
    """Decode the query into a struct. A name may be written `include[]` for lists, and is `metadata[key]` for objects.

    Raises Invalid that names the parameter.
    """
    kinds = {field.name: str(field.type) for field in msgspec.structs.fields(wanted)}
    lists = {name for name, kind in kinds.items() if "list" in kind}
    values: dict[str, object] = {}
    for key, value in request.query_params.multi_items():
        if (key, value) == _BETA:
            continue
        name = key.removesuffix("[]")
        outer, bracket, inner = key.partition("[")
        if bracket and inner[1:].endswith("]") and "dict" in kinds.get(outer, ""):
            previous = values.setdefault(outer, {})
            if isinstance(previous, dict):
                previous[inner[:-1]] = value
        elif name in lists:
            previous = values.setdefault(name, [])
            if isinstance(previous, list):
                previous.append(value)
        else:
            values[name] = value
    try:
        return msgspec.convert(values, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(error, values, wanted) from None


def refuse_query(request: Request) -> None:
    """Refuse any query at all. Raises Invalid that names the first parameter."""
    if request.scope["query_string"]:
        read_query(request, _Nothing)


def _explained(error: msgspec.ValidationError, values: dict[str, object], wanted: type) -> Fault:
    return explain(str(error), msgspec.json.encode(values), wanted)

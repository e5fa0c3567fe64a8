"""What is wrong with a filter."""

from freehold.core.errors import Invalid
from freehold.core.filters import Filter

DEEPEST = 8
MOST = 100
MOST_VALUES = 1_000
_ORDERED = ("gt", "gte", "lt", "lte")
_SETS = ("in", "nin")


def check(given: Filter, path: str) -> None:
    """Refuse a filter, at `path` in the body, that makes no sense or is too large. Raises Invalid."""
    if _count(given, path, 1) > MOST:
        raise Invalid(f"Invalid '{path}': a filter may have at most {MOST} parts.", "invalid_value", path)
    if _values(given) > MOST_VALUES:
        raise Invalid(f"Invalid '{path}': a filter may have at most {MOST_VALUES} values.", "invalid_value", path)


def _count(given: Filter, path: str, depth: int) -> int:
    if depth > DEEPEST:
        raise Invalid(f"Invalid '{path}': filters may be nested at most {DEEPEST} deep.", "invalid_value", path)
    if given.type not in ("and", "or"):
        _check_comparison(given, path)
        return 1
    for name in ("key", "value"):
        if getattr(given, name) is not None:
            raise Invalid(f"Unknown parameter: '{path}.{name}'.", "unknown_parameter", f"{path}.{name}")
    if not given.filters:
        raise _missing(f"{path}.filters")
    return 1 + sum(_count(one, f"{path}.filters[{place}]", depth + 1) for place, one in enumerate(given.filters))


def _values(given: Filter) -> int:
    return len(given.value) if isinstance(given.value, tuple) else sum(map(_values, given.filters or ()))


def _check_comparison(given: Filter, path: str) -> None:
    if given.filters is not None:
        raise Invalid(f"Unknown parameter: '{path}.filters'.", "unknown_parameter", f"{path}.filters")
    for name in ("key", "value"):
        if getattr(given, name) is None:
            raise _missing(f"{path}.{name}")
    where, value = f"{path}.value", given.value
    if isinstance(value, tuple) != (given.type in _SETS):
        wanted = "an array" if given.type in _SETS else "a string, a number or a boolean"
        raise Invalid(f"Invalid type for '{where}': expected {wanted} with '{given.type}'.", "invalid_type", where)
    if isinstance(value, tuple) and len(value) > MOST_VALUES:
        raise Invalid(f"Invalid '{where}': array too long.", "array_above_max_length", where)
    if given.type in _ORDERED and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Invalid(f"Invalid type for '{where}': expected a number with '{given.type}'.", "invalid_type", where)


def _missing(path: str) -> Invalid:
    return Invalid(f"Missing required parameter: '{path}'.", "missing_required_parameter", path)

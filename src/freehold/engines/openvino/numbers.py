"""Numbers between bounds, as EBNF."""

from math import ceil, floor
from typing import Any

from freehold.engines.openvino.rules import Unheld, either, literal

_DIGITS = 15  # more than that a double cannot tell apart, and small models do not know when to end
_MOST = 10**_DIGITS - 1
_FRACTION = f'("." [0-9]{{1,{_DIGITS}}})?'
_EXPONENT = "([eE] [+\\x2d]? [0-9]{1,2})?"


def integer(schema: dict[str, Any]) -> str:
    """The expression of the integers of a schema. Raises Unheld where there are none."""
    low, high = _bounds(schema)
    first = -_MOST if low is None else floor(low[0]) + 1 if low[1] else ceil(low[0])
    last = _MOST if high is None else ceil(high[0]) - 1 if high[1] else floor(high[0])
    found = _naturals(max(first, 0), min(last, _MOST))
    if first < 0:
        found += [f'"-" {one}' for one in _naturals(max(1, -last), min(-first, _MOST))]
    return _some(found)


def number(schema: dict[str, Any]) -> str:
    """The expression of the numbers of a schema. Raises Unheld where there are none, or not by whole bounds."""
    low, high = _bounds(schema)
    if low is None and high is None:
        return f'("-"? ("0" | [1-9] [0-9]{{0,{_DIGITS - 1}}}) {_FRACTION} {_EXPONENT})'
    first = (-_MOST, False) if low is None else (_whole(low[0]), low[1])
    last = (_MOST, False) if high is None else (_whole(high[0]), high[1])
    found = _positive(first if first[0] >= 0 else (0, False), last)
    if first[0] < 0:
        least = (-last[0], last[1]) if last[0] <= 0 else (0, False)
        found += [f'"-" {one}' for one in _positive(least, (-first[0], first[1]))]
    return _some(found)


def _bounds(schema: dict[str, Any]) -> tuple[tuple[float, bool] | None, tuple[float, bool] | None]:
    """The bounds, each with whether it is itself excluded."""
    low = [(_real(schema, name), name != "minimum") for name in ("minimum", "exclusiveMinimum") if name in schema]
    high = [(_real(schema, name), name != "maximum") for name in ("maximum", "exclusiveMaximum") if name in schema]
    return max(low, default=None), min(high, key=lambda bound: (bound[0], not bound[1]), default=None)


def _real(schema: dict[str, Any], name: str) -> float:
    value = schema[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _MOST:
        raise Unheld(f"a '{name}' of {value}")
    return value


def _whole(bound: float) -> int:
    if bound != int(bound):
        raise Unheld(f"a bound of {bound} for numbers that are not integers")
    return int(bound)


def _some(found: list[str]) -> str:
    if not found:
        raise Unheld("bounds that leave no number")
    return either(found)


def _positive(low: tuple[int, bool], high: tuple[int, bool]) -> list[str]:
    """Expressions of the numbers from one bound to another, none below zero."""
    (first, above), (last, below) = low, high
    found: list[str] = []
    if last > first:
        if above:
            found.append(f'{literal(str(first))} "." [0-9]{{0,{_DIGITS - 1}}} [1-9]')
            first += 1
        found += [f"{one} {_FRACTION}" for one in _naturals(first, last - 1)]
    elif last < first or above:
        return []
    return found if below else [*found, literal(str(last))]


def _naturals(first: int, last: int) -> list[str]:
    """Expressions of the natural numbers from one to another."""
    found: list[str] = []
    for digits in range(len(str(first)), len(str(last)) + 1):
        low, high = max(first, 10 ** (digits - 1) if digits > 1 else 0), min(last, 10**digits - 1)
        if low <= high:
            found += _between(str(low), str(high))
    return found


def _between(low: str, high: str) -> list[str]:
    """Expressions of the numbers from one to another that has as many digits."""
    if low == high:
        return [literal(low)]
    rest = len(low) - 1
    if low[0] == high[0]:
        return [f"{literal(low[0])} {one}" for one in _between(low[1:], high[1:])]
    first, last, found = int(low[0]), int(high[0]), list[str]()
    if rest and low[1:].strip("0"):
        found += [f"{literal(low[0])} {one}" for one in _between(low[1:], "9" * rest)]
        first += 1
    ending = [f"{literal(high[0])} {one}" for one in _between("0" * rest, high[1:])] if high[1:].strip("9") else []
    last -= bool(ending)
    if first <= last:
        found.append(f"[{first}-{last}]" + (f" [0-9]{{{rest}}}" if rest else ""))
    return found + ending

"""Rules of EBNF, as OpenVINO (XGrammar) reads them: expressions are strings, those that are used again have names."""

from collections.abc import Iterable, Mapping
from typing import Any

Ranges = tuple[tuple[int, int], ...]
"""Characters, by their codes from one to another."""

UNSPELLED: Ranges = ((0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F))
"""What stands in no JSON string without a backslash."""

_ASCII, _LAST = 0x80, 0x10FFFF
_BLOCK = 16
_SURROGATES = (0xD800, 0xDFFF)
_LONGEST = 400_000
_LONGEST_NAME = 256


class Unheld(Exception):
    """OpenVINO cannot be made to hold an answer to this; the message says what `this` is."""


class Rules:
    """The rules of one grammar; the same expression is written once."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._lines: list[str] = []
        self._size = self._count = 0

    def add(self, expression: str) -> str:
        """Return the name of a rule that is this expression."""
        name = self._names.get(expression)
        if name is None:
            name = self._names[expression] = self.reserve()
            self.define(name, expression)
        return name

    def reserve(self) -> str:
        """Return the name of a rule that is to be defined."""
        self._count += 1
        return f"r{self._count}"

    def define(self, name: str, expression: str) -> None:
        """Say what a reserved rule is. Raises Unheld when the whole grows too large."""
        self._lines.append(f"{name} ::= {expression}\n")
        self._size += len(self._lines[-1])
        if self._size > _LONGEST:
            raise Unheld("so large a schema")

    def text(self, root: str) -> str:
        """Return the grammar of answers that are the expression `root`."""
        return f"root ::= {root}\n" + "".join(self._lines)


def literal(text: str) -> str:
    """The expression of a text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def class_of(ranges: Ranges) -> str:
    """The expression of one of some characters."""
    others = [one for one in all_but(ranges) if one != _SURROGATES]
    # What is beyond ASCII is read faster where a class says what is not in it, and misread where that is beyond ASCII.
    if others and others[-1][1] < _ASCII:
        return f"[^{''.join(map(_range, others))}]"
    return f"[{''.join(map(_range, ranges))}]"


def all_but(ranges: Ranges) -> Ranges:
    """All other characters."""
    found, after = list[tuple[int, int]](), 0
    for low, high in sorted((*ranges, _SURROGATES)):
        if after < low:
            found.append((after, low - 1))
        after = max(after, high + 1)
    return (*found, *(((after, _LAST),) if after <= _LAST else ()))


def those(characters: Iterable[str]) -> Ranges:
    """Some characters."""
    return tuple((ord(one), ord(one)) for one in characters)


def either(expressions: list[str]) -> str:
    """One of the expressions."""
    return expressions[0] if len(expressions) == 1 else f"({' | '.join(expressions)})"


def times(rules: Rules, expression: str, least: int, most: int | None) -> str:
    """An expression that stands alone, so many times.

    Large numbers are counted in blocks: XGrammar takes seconds over long rows of characters, for each token.
    """
    if most == 0:
        return '""'
    if most is None:
        return f"{_exactly(rules, expression, least)} {expression}*" if least else f"{expression}*"
    parts = [_exactly(rules, expression, least)] if least else []
    blocks, rest = divmod(most - least, _BLOCK)
    if blocks < 2:
        parts += [f"{expression}{{0,{most - least}}}"] if most > least else []
    else:
        block = rules.add(f"{expression}{{{_BLOCK}}}")
        parts.append(f"{block}{{0,{blocks - 1}}} {rules.add(f'{expression}{{0,{_BLOCK + rest}}}')}")
    return " ".join(parts)


def _exactly(rules: Rules, expression: str, count: int) -> str:
    blocks, rest = divmod(count, _BLOCK)
    if blocks < 2:
        return f"{expression}{{{count}}}" if count > 1 else expression
    whole = f"{rules.add(f'{expression}{{{_BLOCK}}}')}{{{blocks}}}"
    return f"{whole} {expression}{{{rest}}}" if rest else whole


def other_name(rules: Rules, known: Iterable[str]) -> str:
    """The expression of a quoted name that is none of the known; without backslashes, which could spell a known one.

    Raises Unheld for very long names.
    """
    tree: dict[str, Any] = {}
    for name in known:
        if len(name) > _LONGEST_NAME:
            raise Unheld(f"names of more than {_LONGEST_NAME} characters beside any others")
        node = tree
        for char in name:
            node = node.setdefault(char, {})
        node[""] = {}
    return f'"\\"" {_branch(rules, tree)}'


def _branch(rules: Rules, node: Mapping[str, Any]) -> str:
    """The rest of such a name, with its quotation mark."""
    rest = rules.add(rf'{class_of(all_but(UNSPELLED))}* "\""')
    if not node:
        return rest
    chars = [char for char in node if char]
    ways = [f"{class_of(all_but((*UNSPELLED, *those(chars))))} {rest}"]
    ways += [f"{literal(char)} {_branch(rules, node[char])}" for char in chars]
    return rules.add(either(ways if "" in node else [*ways, r'"\""']))


def _range(ends: tuple[int, int]) -> str:
    low, high = ends
    return _code(low) if low == high else f"{_code(low)}-{_code(high)}"


def _code(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x80 else chr(code)

"""Regular expressions as EBNF: those whose meaning does not depend on who reads them."""

from msgspec import Struct

from freehold.engines.openvino.rules import UNSPELLED, Ranges, Rules, Unheld, all_but, class_of, either, literal, times

_SHORT = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_SPACES = ((0x09, 0x0D), (0x20, 0x20))
_ALL_SPACES = (*_SPACES, (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029))
_ALL_SPACES = (*_ALL_SPACES, (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000))
_DIGITS = ((0x30, 0x39),)
_WORDS = (*_DIGITS, (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SETS = {"d": _DIGITS, "w": _WORDS, "s": _SPACES}
_PUNCTUATION = frozenset(r".^$*+?()[]{}|\/-_ '\"!#%&,:;<=>@`~")
_QUOTE = '"'
_MOST = 2_000
_MOST_WITH_CHOICES = 64  # XGrammar follows all ways to read what is written, and these multiply


class Part(Struct, frozen=True):
    """A part of a regular expression: its EBNF, how long it can be said to be, and whether it can be empty.

    One that is `endless` has no most.
    """

    text: str
    weight: int
    empty: bool
    endless: bool = False


def expression(rules: Rules, pattern: str, quoted: bool) -> str:
    """Return the EBNF of texts that a regular expression matches.

    With `quoted`, they stand in a JSON string, and may go on before and after what matches where nothing anchors it.
    Else, the whole text is matched. Raises Unheld for what only some programs read so, and for what takes too long.
    """
    reader = _Reader(rules, pattern, quoted)
    whole = reader.read()
    if whole.weight > (_MOST_WITH_CHOICES if reader.choices > 1 else _MOST):
        raise Unheld(f"so long a regular expression as {pattern!r}")
    return whole.text


class _Reader:
    def __init__(self, rules: Rules, pattern: str, quoted: bool) -> None:
        self._rules = rules
        self._pattern = pattern
        self._quoted = quoted
        self._at = 0
        self.choices = 0

    def read(self) -> Part:
        """Return the whole."""
        parts = [self._anchored()]
        while self._take("|"):
            parts.append(self._anchored())
        if self._at < len(self._pattern):
            raise self._unheld()
        return _any_of(parts)

    def _anchored(self) -> Part:
        """One of the alternatives of the whole, with what may stand around it."""
        begins = self._take("^") or not self._quoted
        inner = self._sequence()
        ends = self._take("$") or not self._quoted
        around = Part(f"{self._set(UNSPELLED, negated=True).text}*", 1, True, endless=True)
        self.choices += (not begins) + (not ends)
        return _sequence(([] if begins else [around]) + [inner] + ([] if ends else [around]))

    def _alternatives(self) -> Part:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        return _any_of(parts)

    def _sequence(self) -> Part:
        parts: list[Part] = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)$":
            parts.append(self._repeated(self._atom()))
        return _sequence(parts)

    def _atom(self) -> Part:
        char = self._next()
        if char == "(":
            if self._take("?") and not self._take(":"):
                raise self._unheld()
            inner = self._alternatives()
            if not self._take(")"):
                raise self._unheld()
            return Part(f"({inner.text})", inner.weight, inner.empty, inner.endless)
        if char == "[":
            return self._class()
        if char == ".":
            return self._set(((0x0A, 0x0A),), negated=True)
        if char == "\\":
            found = self._escaped()
            return self._character(found) if isinstance(found, str) else self._set(*found)
        if char in "^*+?{}])":
            raise self._unheld()
        return self._character(char)

    def _repeated(self, part: Part) -> Part:
        if self._take("*"):
            least, most = 0, None
        elif self._take("+"):
            least, most = 1, None
        elif self._take("?"):
            least, most = 0, 1
        elif self._take("{"):
            least = self._number()
            most = least if not self._take(",") else None if self._peek() == "}" else self._number()
            if not self._take("}") or (most is not None and most < least):
                raise self._unheld()
        else:
            return part
        self._take("?")
        if part.empty or self._peek() in ("*", "+", "{") or (part.endless and most != 1):
            raise Unheld(f"repetitions in repetitions, as in {self._pattern!r}")
        self.choices += least != most
        weight = part.weight * max(1, least if most is None else most)
        return Part(times(self._rules, part.text, least, most), weight, least == 0, most is None or part.endless)

    def _class(self) -> Part:
        negated, found = self._take("^"), list[tuple[int, int]]()
        while not self._take("]"):
            first = self._member()
            if not isinstance(first, str):
                found += first
            elif self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                last = self._member()
                if not isinstance(last, str) or last < first:
                    raise self._unheld()
                found.append((ord(first), ord(last)))
            else:
                found.append((ord(first), ord(first)))
        if not found:
            raise self._unheld()
        return self._set(tuple(found), negated)

    def _member(self) -> str | Ranges:
        char = self._next()
        if char == "[" or (char in "&~-" and self._peek() == char):
            raise self._unheld()
        if char != "\\":
            return char
        escaped = self._escaped()
        if isinstance(escaped, str):
            return escaped
        if escaped[1]:
            raise self._unheld()
        return escaped[0]

    def _escaped(self) -> str | tuple[Ranges, bool]:
        """What stands behind a backslash: a character, or a set and whether it is negated."""
        char = self._next()
        if char in _SETS:
            return _SETS[char], False
        if char == "S":
            return _ALL_SPACES, True
        if char in _SHORT or char in _PUNCTUATION:
            return _SHORT.get(char, char)
        raise self._unheld()

    def _character(self, char: str) -> Part:
        return self._set(((ord(char), ord(char)),), negated=False)

    def _set(self, ranges: Ranges, negated: bool) -> Part:
        """One of the characters of some ranges, or any other; in a JSON string, as it is spelled there."""
        found = all_but(ranges) if negated else ranges
        if not self._quoted:
            return Part(class_of(found), 1, False)
        plain = all_but((*all_but(found), *UNSPELLED))
        quote = [literal(r"\"")] if any(low <= ord(_QUOTE) <= high for low, high in found) else []
        # A backslash is left out: LLGuidance, which verifies answers, does not take all that may stand behind one.
        ways = ([class_of(plain)] if plain else []) + quote
        if not ways:
            raise self._unheld()
        return Part(either(ways), 1, False)

    def _number(self) -> int:
        start = self._at
        while self._peek() in tuple("0123456789"):
            self._at += 1
        if not 0 < self._at - start <= 4:
            raise self._unheld()
        return int(self._pattern[start : self._at])

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self, char: str) -> bool:
        found = self._peek() == char
        self._at += found
        return found

    def _next(self) -> str:
        char = self._peek()
        if not char:
            raise self._unheld()
        self._at += 1
        return char

    def _unheld(self) -> Unheld:
        return Unheld(f"the regular expression {self._pattern!r}")


def _any_of(parts: list[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    text = either([one.text for one in parts])
    endless = any(one.endless for one in parts)
    return Part(text, sum(one.weight for one in parts), any(one.empty for one in parts), endless)


def _sequence(parts: list[Part]) -> Part:
    text = " ".join(one.text for one in parts) or '""'
    endless = any(one.endless for one in parts)
    return Part(text, sum(one.weight for one in parts), all(one.empty for one in parts), endless)

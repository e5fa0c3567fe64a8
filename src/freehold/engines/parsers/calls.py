"""Function calls read out of an answer's text while it streams.

A call is an object that begins `{"name": "<an offered function>", "arguments":`, bare, in a ```json fence or between
<tool_call> tags. The arguments of a custom tool are `{"input": "<text>"}`. The input of one with a grammar is no JSON:
its call is `{"name": "<it>"}` after a <tool_call> tag, with the input on the lines below, up to the closing tag.
Whatever else the model writes is text. What may still become a call is held back, no longer than needed, so the deltas
are the same wherever the stream is cut. White space around calls is dropped.
"""

import re

from freehold.core.deltas import CallArgs, CallStart, Text
from freehold.core.prompt import Function

Found = Text | CallStart | CallArgs

_SPACE = " \t\r\n"
_OPENERS = ("<tool_call>", "```json", "```tool_call", "```")
_CLOSERS = ("</tool_call>", "```")
_CUSTOM_END = "\n</tool_call>"
_ARGUMENTS = ('"arguments"', '"parameters"')
_INPUT = '"input"'
_BEGINS = re.compile("[<`{]")
_SPACES = re.compile(r"[ \t\r\n]*")
_WHOLE = re.compile(
    r"""(?: [^\\"] | \\[^u]
      | \\u (?! [dD][89abAB] ) [0-9a-fA-F]{4}
      | \\u [dD][89abAB][0-9a-fA-F]{2} \\u [dD][c-fC-F][0-9a-fA-F]{2}
      | \\u [dD][89abAB][0-9a-fA-F]{2}
        (?= [^\\] | \\[^u] | \\u (?: (?! [dD][c-fC-F] ) [0-9a-fA-F]{4} | [0-9a-fA-F]{0,3}[^0-9a-fA-F] ) )
      | \\u (?= [0-9a-fA-F]{0,3}[^0-9a-fA-F] )
    )*""",
    re.DOTALL | re.VERBOSE,
)
"""As much of a JSON string as can be told what it spells: half of a surrogate pair waits for the other."""

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


class Partial(Exception):
    """The text ends before it can be told."""


class Calls:
    """Feed it the pieces of an answer; it returns what they hold."""

    def __init__(self, functions: tuple[Function, ...]) -> None:
        self._names = tuple(one.name for one in functions if one.free in (None, "text"))
        self._strings = frozenset(one.name for one in functions if one.free == "text")
        self._custom = tuple(one.name for one in functions if one.free in ("lark", "regex"))
        self._unquoted: Unquoted | None = None
        self._held = ""
        self._arguments: Arguments | None = None
        self._after = self._called = self._writing = self._nested = False

    def feed(self, piece: str) -> list[Found]:
        """Return what is certain by now."""
        self._held += piece
        found: list[Found] = []
        while self._held and self._step(found, last=False):
            pass
        return found

    def end(self) -> list[Found]:
        """Return what was held back: the answer is over."""
        found: list[Found] = []
        while self._held and self._step(found, last=True):
            pass
        return found

    def _step(self, found: list[Found], last: bool) -> bool:
        """Consume some of what is held; False when nothing can be told yet."""
        if self._writing:
            return self._write(found, last)
        if self._arguments is not None:
            return self._argue(found)
        if self._after:
            return self._close(last)
        return self._look(found, last)

    def _argue(self, found: list[Found]) -> bool:
        arguments = self._arguments
        if arguments is None:
            return False
        if not arguments.begun:
            self._held = self._held.lstrip(_SPACE)
        end = arguments.scan(self._held)
        piece = self._held[:end] if self._unquoted is None else self._unquoted.feed(self._held[:end])
        if piece:
            found.append(CallArgs(piece))
        self._held = self._held[end:]
        if arguments.complete:
            self._arguments, self._after = None, True
        return bool(self._held)

    def _write(self, found: list[Found], last: bool) -> bool:
        """Give out the input of a custom tool, up to the closing tag; the line's end before that is not part of it."""
        held = self._held
        end = held.find(_CUSTOM_END)
        if end >= 0:
            found += [CallArgs(held[:end])] if end else []
            self._held, self._writing = held[end + len(_CUSTOM_END) :], False
            return bool(self._held)
        kept = 0 if last else _overlap(held, _CUSTOM_END)
        if last and held.endswith("\n"):
            held = held[:-1]
        found += [CallArgs(held[: len(held) - kept])] if len(held) > kept else []
        self._held = held[len(held) - kept :] if kept else ""
        return False

    def _close(self, last: bool) -> bool:
        """Swallow what ends a call: the object's brace, and the closing of its wrapper."""
        try:
            end = at = _spaces(self._held, 0)
            braced = False
            for _ in range(1 + self._nested):
                if at == len(self._held):
                    raise Partial
                if self._held.startswith("}", at):
                    end, braced = at + 1, True
                    at = _spaces(self._held, end)
            if braced:
                end = _closing(self._held, end)
        except Partial:
            if not last:
                return False
            end = len(self._held)
        self._held = self._held[end:]
        self._after = False
        return True

    def _look(self, found: list[Found], last: bool) -> bool:
        """Find the next call; give out the text before it."""
        held = self._held
        for start in (match.start() for match in _BEGINS.finditer(held)):
            try:
                custom = _custom(held, start, self._custom) if self._custom else None
                opened = custom or _opening(held, start, self._names, self._strings)
            except Partial:
                if last:
                    continue
                self._say(found, len(held[:start].rstrip(_SPACE)))
                return False
            if opened is not None:
                end, name = opened
                self._say(found, len(held[:start].rstrip(_SPACE)))
                found.append(CallStart(name))
                self._held, self._called = held[end:], True
                self._writing = custom is not None
                self._arguments = None if self._writing else Arguments()
                self._unquoted = Unquoted() if name in self._strings else None
                self._nested = name in self._strings
                return True
        if last and self._called and not held.strip(_SPACE):
            self._held = ""
        self._say(found, len(self._held) if last else len(held.rstrip(_SPACE)))
        return False

    def _say(self, found: list[Found], end: int) -> None:
        """Give out the first `end` characters as text. White space that may stand before a call is held back."""
        if end:
            found.append(Text(self._held[:end]))
        self._held = self._held[end:]


class Arguments:
    """Follows one JSON value to its end."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False
        self.begun = self.complete = False

    def scan(self, text: str) -> int:
        """Return how much of `text` belongs to the value; `complete` says whether it ended there."""
        for place, char in enumerate(text):
            if self._quoted:
                if self._escaped:
                    self._escaped = False
                elif char == "\\":
                    self._escaped = True
                elif char == '"':
                    self._quoted = False
            elif char == '"':
                self._quoted = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                self._depth -= 1
                if self._depth < 0:  # a bare value, and the end of the call around it
                    self.complete = True
                    return place
            if self.begun or char not in _SPACE:
                self.begun = True
                if self._depth == 0 and not self._quoted and char in '}]"':
                    self.complete = True
                    return place + 1
        return len(text)


class Unquoted:
    """Turns the pieces of a JSON string into the text that it spells; what is no string passes as it is."""

    def __init__(self) -> None:
        self._held = ""
        self._quoted: bool | None = None

    def feed(self, piece: str) -> str:
        """Return what is certain by now; an escape is held back until it is whole."""
        if self._quoted is None and piece:
            self._quoted = piece.startswith('"')
            piece = piece[1:] if self._quoted else piece
        if not self._quoted:
            return piece
        self._held += piece
        whole = _WHOLE.match(self._held)
        end = 0 if whole is None else whole.end()
        text, self._held = self._held[:end], self._held[end:]
        return _ESCAPE.sub(_spelled, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _spelled(escape: re.Match[str]) -> str:
    """What an escape spells; one that is none stands as it is."""
    code = escape[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _SHORT.get(code, escape[0])


def _custom(text: str, start: int, names: tuple[str, ...]) -> tuple[int, str] | None:
    """Return where a custom tool's input begins, and the tool's name; None when no such call begins at `start`."""
    at = _named(text, start)
    if at < 0:
        return None
    name, at = _name(text, at, names)
    if name is None:
        return None
    at = _mark(text, _spaces(text, at), "}")
    if at < 0:
        return None
    after = _mark(text, at, "\n")
    return (at if after < 0 else after, name)


def _named(text: str, start: int) -> int:
    """Return where the name stands in the object that begins at `start`, or in a wrapper there; -1 when none does."""
    at = start
    for _ in range(3):  # at most a tag in a fence in a tag
        at = _spaces(text, at)
        wrapped = _any(text, at, _OPENERS)
        if wrapped is None:
            break
        at = wrapped
    for mark in ("{", '"name"', ":"):
        at = _mark(text, _spaces(text, at), mark)
        if at < 0:
            return -1
    return _spaces(text, at)


def _overlap(text: str, mark: str) -> int:
    """How many of the last characters of `text` may be the beginning of `mark`."""
    return next((size for size in range(min(len(text), len(mark) - 1), 0, -1) if mark.startswith(text[-size:])), 0)


def _opening(text: str, start: int, names: tuple[str, ...], strings: frozenset[str]) -> tuple[int, str] | None:
    """Return where a call's arguments begin, and its function's name; None when no call begins at `start`.

    Of a custom tool, one of `strings`, it is where its input begins.
    """
    at = _named(text, start)
    if at < 0:
        return None
    name, at = _name(text, at, names)
    if name is None:
        return None
    at = _mark(text, _spaces(text, at), ",")
    if at < 0:
        return None
    after = _any(text, _spaces(text, at), (*_ARGUMENTS, _INPUT) if name in strings else _ARGUMENTS)
    if after is None:
        return None
    direct = text.endswith(_INPUT, 0, after)
    for mark in (":",) if name not in strings or direct else (":", "{", _INPUT, ":"):
        after = _mark(text, _spaces(text, after), mark)
        if after < 0:
            return None
    return _spaces(text, after), name


def _closing(text: str, at: int) -> int:
    end = at
    for _ in range(3):
        past = _any(text, _spaces(text, end), _CLOSERS)
        if past is None:
            return end
        end = past
    return end


def _name(text: str, at: int, names: tuple[str, ...]) -> tuple[str | None, int]:
    partial = False
    for name in names:
        try:
            end = _mark(text, at, f'"{name}"')
        except Partial:
            partial = True
            continue
        if end >= 0:
            return name, end
    if partial:
        raise Partial
    return None, at


def _any(text: str, at: int, marks: tuple[str, ...]) -> int | None:
    partial = False
    for mark in marks:
        try:
            end = _mark(text, at, mark)
        except Partial:
            partial = True
            continue
        if end >= 0 and not partial:
            return end
    if partial:
        raise Partial
    return None


def _mark(text: str, at: int, mark: str) -> int:
    """Return the place after `mark`, -1 when it is not at `at`. Raises Partial when the text ends inside it."""
    if text.startswith(mark, at):
        return at + len(mark)
    if mark.startswith(text[at:]):
        raise Partial
    return -1


def _spaces(text: str, at: int) -> int:
    spaces = _SPACES.match(text, at)
    return at if spaces is None else spaces.end()

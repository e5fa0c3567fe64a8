"""Function calls read out of an answer's text while it streams.

A call is an object that begins `{"name": "<an offered function>", "arguments":`, bare, in a ```json fence or between
<tool_call> tags; whatever else the model writes is text. What may still become a call is held back, no longer than
needed, so the deltas are the same wherever the stream is cut. White space around calls is dropped.
"""

from freehold.core.deltas import CallArgs, CallStart, Text

Found = Text | CallStart | CallArgs

_SPACE = " \t\r\n"
_OPENERS = ("<tool_call>", "```json", "```tool_call", "```")
_CLOSERS = ("</tool_call>", "```")
_ARGUMENTS = ('"arguments"', '"parameters"')


class Partial(Exception):
    """The text ends before it can be told."""


class Calls:
    """Feed it the pieces of an answer; it returns what they hold."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._held = ""
        self._arguments: Arguments | None = None
        self._after = self._called = False

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
        if end:
            found.append(CallArgs(self._held[:end]))
        self._held = self._held[end:]
        if arguments.complete:
            self._arguments, self._after = None, True
        return bool(self._held)

    def _close(self, last: bool) -> bool:
        """Swallow what ends a call: the object's brace, and the closing of its wrapper."""
        try:
            end = _spaces(self._held, 0)
            if end == len(self._held):
                raise Partial
            if self._held.startswith("}", end):
                end = _closing(self._held, end + 1)
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
        for start in range(len(held)):
            if held[start] not in "<`{":
                continue
            try:
                opened = _opening(held, start, self._names)
            except Partial:
                if last:
                    continue
                self._say(found, len(held[:start].rstrip(_SPACE)))
                return False
            if opened is not None:
                end, name = opened
                self._say(found, len(held[:start].rstrip(_SPACE)))
                found.append(CallStart(name))
                self._held, self._arguments, self._called = held[end:], Arguments(), True
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


def _opening(text: str, start: int, names: tuple[str, ...]) -> tuple[int, str] | None:
    """Return where a call's arguments begin, and its function's name; None when no call begins at `start`."""
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
            return None
    name, at = _name(text, _spaces(text, at), names)
    if name is None:
        return None
    at = _mark(text, _spaces(text, at), ",")
    if at < 0:
        return None
    after = _any(text, _spaces(text, at), _ARGUMENTS)
    if after is None:
        return None
    at = _mark(text, _spaces(text, after), ":")
    return None if at < 0 else (_spaces(text, at), name)


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
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at

"""Calls as upstreams send them, in pieces split anyhow, told one after the other."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import json

from freehold.core.deltas import CallArgs, CallStart
from freehold.core.prompt import Function
from freehold.engines.parsers.calls import Calls
from freehold.engines.remote.wire import CallPiece

Told = CallStart | CallArgs


class _Call:
    """A call that comes in."""

    def __init__(self, key: object, id_: str | None) -> None:
        self.key = key
        self.id = id_
        self.name = ""
        self.pieces: list[str] = []
        self.told = 0  # of its pieces
        self.started = False

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def whole(self) -> bool:
        """Whether the arguments are whole."""
        try:
            json.decode(self.arguments)
        except (msgspec.DecodeError, UnicodeError):
            return False
        return True


class CallReader:
    """Feed it pieces of calls; it returns deltas.

    Deltas tell one call at a time. Of calls that come side by side, the first is told as it comes, and another once the
    one before it is whole, or the answer is over.
    """

    def __init__(self, functions: tuple[Function, ...], custom: bool) -> None:
        """With `custom`, the upstream has custom tools; else their input comes as the arguments of a function."""
        self._names = tuple(one.name for one in functions)
        self._free = frozenset(one.name for one in functions if one.free and custom)
        self._typed = () if custom else tuple(one for one in functions if one.free)
        self._calls: list[_Call] = []
        self._telling = 0
        self._inputs: dict[int, Calls] = {}

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def whole(self) -> Mapping[int, tuple[str, str]]:
        """The name and the arguments of each call."""
        return {place: (call.name, call.arguments) for place, call in enumerate(self._calls)}

    def feed(self, piece: CallPiece) -> Iterator[Told]:
        """Yield what can be told after this piece."""
        call = self._find(piece)
        function, custom = piece.function, piece.custom
        name = (function.name if function else None) or (custom.name if custom else None)
        if name and not call.pieces and name != call.name:  # some repeat the whole name with each piece
            call.name += name
        given = function.arguments if function else custom.input if custom else None
        if isinstance(given, dict):
            given = json.encode(given).decode()
        if given:
            call.pieces.append(given)
        yield from self._tell(last=False)

    def end(self) -> Iterator[Told]:
        """Yield the rest: the answer is over."""
        yield from self._tell(last=True)

    def another(self, piece: CallPiece) -> bool:
        """Whether a piece begins another call."""
        return self._known(piece) is None

    def _find(self, piece: CallPiece) -> _Call:
        call = self._known(piece)
        if call is None:
            call = _Call(piece.index, piece.id)
            self._calls.append(call)
        return call

    def _known(self, piece: CallPiece) -> _Call | None:
        """The call that a piece belongs to; None where it begins one."""
        named = piece.function is not None and bool(piece.function.name)
        last = self._calls[-1] if self._calls else None
        if piece.index is not None:
            found = next((one for one in reversed(self._calls) if one.key == piece.index), None)
            # Several whole calls may come under one index, each with its own id.
            if found is not None and not (named and piece.id and found.id and piece.id != found.id and found.pieces):
                return found
        elif piece.id:
            found = next((one for one in self._calls if one.id == piece.id), None)
            if found is not None:
                return found
        elif last is not None and not (named and last.pieces):
            return last
        return None

    def _tell(self, last: bool) -> Iterator[Told]:
        while self._telling < len(self._calls):
            call = self._calls[self._telling]
            over = last or (self._telling + 1 < len(self._calls) and call.whole())
            if not call.started and (call.pieces or over or self._sure(call.name)):
                call.started = True
                yield CallStart(call.name)
                self._open(call)
            if call.started:
                yield from self._argue(call, over)
            if not over:
                return
            self._telling += 1

    def _sure(self, name: str) -> bool:
        """Whether the name is whole: one that is offered, and not the beginning of another."""
        return name in self._names and not any(one != name and one.startswith(name) for one in self._names)

    def _open(self, call: _Call) -> None:
        tool = next((one for one in self._typed if one.name == call.name), None)
        if tool is not None:
            reader = Calls((Function(name=call.name, free="text"),))
            list(reader.feed(f'{{"name": {json.encode(call.name).decode()}, "arguments": '))
            self._inputs[self._telling] = reader

    def _argue(self, call: _Call, over: bool) -> Iterator[CallArgs]:
        reader = self._inputs.get(self._telling)
        for piece in call.pieces[call.told :]:
            if reader is None:
                yield CallArgs(piece)
            else:
                yield from (one for one in reader.feed(piece) if isinstance(one, CallArgs))
        call.told = len(call.pieces)
        if over and reader is not None:
            yield from (one for one in (*reader.feed("}"), *reader.end()) if isinstance(one, CallArgs))
        elif over and not call.pieces and call.name not in self._free:
            call.pieces.append("{}")
            call.told = 1
            yield CallArgs("{}")

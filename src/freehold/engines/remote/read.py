"""The chunks of an upstream's answer, read as deltas."""

from collections.abc import Iterator, Sequence

import msgspec

from freehold.core.deltas import CallArgs, CallStart, Declined, Delta, Stop, StopReason, Text, Thought
from freehold.core.errors import RemoteFailed
from freehold.core.items import Logprob, TopLogprob
from freehold.core.prompt import Prompt
from freehold.engines.parsers.render import offered
from freehold.engines.remote import wire
from freehold.engines.remote.calls import CallReader
from freehold.engines.remote.counts import Counts
from freehold.engines.remote.dialects import Dialect
from freehold.engines.remote.faults import told_inside
from freehold.engines.remote.request import written_alone
from freehold.engines.remote.tags import Tags

_DONE = b"[DONE]"
_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "tool_calls": "stop",
    "function_call": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}


class Reader:
    """Reads one answer. What it said is kept where it is `held` to something."""

    def __init__(self, prompt: Prompt, dialect: Dialect, *, held: bool, where: str) -> None:
        """`where` is the upstream, for the log."""
        self.over = False
        self.text: list[str] = []
        self.alone = written_alone(prompt, dialect)
        self.calls = CallReader(offered(prompt), dialect.custom)
        self.counts = Counts()
        self.reason: StopReason | None = None
        self.declined = False
        self._parallel = prompt.parallel
        # What is gone on with has its thought behind it.
        plain = prompt.raw is not None or prompt.begun.said or not dialect.tagged
        self._tags = None if plain else Tags()
        self._held = held
        self._where = where
        self._thoughts = 0
        self._single = self._called = False

    def read(self, data: bytes, found: list[Delta]) -> None:
        """Add the deltas of one event's data to those that were found. Raises the fault that it tells of."""
        if data == _DONE:
            self.over = True
            return
        try:
            chunk = wire.read_chunk(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RemoteFailed("The server of this model sent something that is no completion.") from error
        if chunk.usage is not None or chunk.timings is not None or chunk.eval_count is not None:
            self.counts.take(chunk)
        if not chunk.choices:
            if chunk.error is not None or chunk.object == "error":
                raise told_inside(chunk.error if chunk.error is not None else {"message": chunk.message}, self._where)
            return
        choice = chunk.choices[0]
        piece = choice.delta or choice.message
        if piece is not None:
            self._take(found, piece, choice.logprobs)
        elif choice.text:
            self._say(found, choice.text, choice.logprobs)
        if choice.finish_reason is not None:
            self._finish(choice.finish_reason)

    def end(self) -> Sequence[Delta]:
        """Return what was held back. Raises RemoteFailed for an answer that has not come to its end."""
        if self.reason is None:
            raise RemoteFailed("The server of this model ended its answer without saying why.")
        rest: list[Delta] = self._kept(list(self._tags.end()) if self._tags is not None else [])
        if self.alone is not None and not self._called:
            rest.append(CallStart(self.alone.name))
        return (*rest, *self.calls.end())

    def stop(self) -> Stop:
        """The last delta."""
        return Stop(self.reason or "stop", self.counts.usage(self._thoughts))

    def _take(self, found: list[Delta], piece: wire.Piece, logprobs: wire.Logprobs | None) -> None:
        if thought := piece.reasoning_content or piece.reasoning:
            self._thoughts += 1
            self._tags = None
            found.append(Thought(thought))
        if piece.content:
            self._say(found, piece.content, logprobs)
        if piece.refusal:
            self.declined = True
            found.append(Declined(piece.refusal))
        if piece.tool_calls:
            if self._tags is not None:  # what it holds was said before the call
                found += self._kept(list(self._tags.end()))
                self._tags = None
            found += self._call(piece.tool_calls)

    def _say(self, found: list[Delta], text: str, logprobs: wire.Logprobs | None) -> None:
        told = _logprobs(logprobs) if logprobs is not None else ()
        if self._tags is None:
            if self._held:
                found += self._kept([Text(text, told)])
            else:
                found.append(Text(text, told))
            return
        pieces: list[Delta] = list(self._tags.feed(text))
        if self._tags.over:
            self._tags = None
        self._thoughts += sum(isinstance(one, Thought) for one in pieces)
        if told and len(pieces) == 1 and isinstance(pieces[0], Text):
            pieces = [Text(pieces[0].text, told)]
        found += self._kept(pieces)

    def _kept(self, pieces: list[Delta]) -> list[Delta]:
        """Keep the text; where it is the input of a tool, it is told as such."""
        if not self._held:
            return pieces
        texts = [one.text for one in pieces if isinstance(one, Text)]
        self.text += texts
        if self.alone is None or not texts:
            return pieces
        begun = () if self._called else (CallStart(self.alone.name),)
        self._called = True
        thoughts = (one for one in pieces if not isinstance(one, Text))
        return [*thoughts, *begun, *map(CallArgs, texts)]

    def _call(self, pieces: list[wire.CallPiece]) -> Iterator[Delta]:
        for piece in pieces:
            if not self._parallel and len(self.calls) == 1 and self.calls.another(piece):
                self._single = True  # it was asked for one, and does not know that it can be
            if self._single:
                return
            yield from self.calls.feed(piece)

    def _finish(self, why: str) -> None:
        reason = _REASONS.get(why)
        if reason is None:
            raise RemoteFailed(f"The server of this model broke off its answer ({why[:40]}).")
        self.reason = reason


def _logprobs(told: wire.Logprobs) -> tuple[Logprob, ...]:
    if told.content:
        return tuple(
            Logprob(
                one.token,
                _bytes(one.token, one.bytes),
                one.logprob,
                tuple(
                    TopLogprob(top.token, _bytes(top.token, top.bytes), top.logprob) for top in one.top_logprobs or ()
                ),
            )
            for one in told.content
        )
    tops = told.top_logprobs or []
    return tuple(
        Logprob(
            token,
            tuple(token.encode()),
            logprob or 0.0,
            tuple(TopLogprob(top, tuple(top.encode()), value) for top, value in (tops[place] or {}).items())
            if place < len(tops)
            else (),
        )
        for place, (token, logprob) in enumerate(zip(told.tokens or (), told.token_logprobs or (), strict=False))
    )


def _bytes(token: str, spelled: list[int] | None) -> tuple[int, ...]:
    return tuple(token.encode()) if spelled is None else tuple(spelled)

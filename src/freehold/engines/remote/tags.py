"""Thoughts that an upstream leaves in the text, between tags at its beginning."""

from collections.abc import Iterator

from freehold.core.deltas import Text, Thought

_OPEN = "<think>"
_CLOSE = "</think>"


class Tags:
    """Feed it the pieces of an answer's text; it tells the thought at its beginning from the answer.

    White space around the thought is dropped. The deltas are the same wherever the text is cut.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = self._after = self._begun = False
        self.over = False
        """Whether the rest is answer: it need not be fed any more."""

    def feed(self, piece: str) -> Iterator[Text | Thought]:
        """Yield what is certain by now."""
        if self.over:
            yield Text(piece)
            return
        self._held += piece
        if not self._thinking and not self._after and not self._opened():
            return
        if self._thinking:
            yield from self._think()
        if self._after and (rest := self._held.lstrip()):
            self.over, self._held = True, ""
            yield Text(rest)
        elif self.over and self._held:
            rest, self._held = self._held, ""
            yield Text(rest)

    def end(self) -> Iterator[Text | Thought]:
        """Yield what was held back: the answer is over."""
        held, self._held = self._held, ""
        if self._thinking and held:
            yield Thought(held)
        elif held and not self._after:
            yield Text(held)

    def _opened(self) -> bool:
        """Whether it is certain how the text begins."""
        begun = self._held.lstrip()
        if begun.startswith(_OPEN):
            self._thinking, self._held = True, begun[len(_OPEN) :]
        elif not _OPEN.startswith(begun):
            self.over = True
        return self._thinking or self.over

    def _think(self) -> Iterator[Thought]:
        if not self._begun:
            self._held = self._held.lstrip()
            self._begun = bool(self._held)
        if (end := self._held.find(_CLOSE)) >= 0:
            thought, self._held = self._held[:end].rstrip(), self._held[end + len(_CLOSE) :]
            self._thinking, self._after = False, True
            if thought:
                yield Thought(thought)
            return
        # A thought's last white space, and what may be the beginning of the closing tag, wait for what follows.
        kept = next((n for n in range(len(_CLOSE) - 1, 0, -1) if self._held.endswith(_CLOSE[:n])), 0)
        sure = self._held[: len(self._held) - kept].rstrip()
        if sure:
            self._held = self._held[len(sure) :]
            yield Thought(sure)

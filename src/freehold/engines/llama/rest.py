"""The rest of an answer that is held to a grammar.

llama.cpp holds answers to grammars from their beginning only: behind a beginning that was written earlier, it writes
freely. What it writes there is followed here, and cut where it leaves the grammar; then the grammar says what comes,
where that is certain, or has the model choose the next character, and the model goes on from there.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from llguidance import LLMatcher, LLTokenizer

from freehold.core.errors import EngineFailed
from freehold.engines.worker.messages import Done, Piece

_ASCII = range(0x20, 0x7F)
_ESCAPED = r"\/[]^-"

Spell = Callable[[Sequence[str]], str]
"""Writes the grammar of one of some characters."""

Write = Callable[[str, str], AsyncGenerator[Piece | Done, None]]
"""Has the model go on behind a text, freely or, where it is not empty, by a grammar of what follows."""


def one_of(characters: Sequence[str]) -> str:
    """The grammar of one of some characters, for llama.cpp."""
    marks = "".join(f"\\{mark}" if mark in _ESCAPED else mark for mark in characters)
    return f"%llguidance {{}}\nstart: /[{marks}]/\n"


class Rest:
    """Follows an answer through its grammar. `written` is all of it so far; `cut`, that it reached the limit."""

    def __init__(self, grammar: str, written: str, tokenizer: LLTokenizer, spell: Spell = one_of) -> None:
        """`tokenizer` is that of bytes, `spell` writes choices for the backend.

        Raises EngineFailed where what is `written` cannot begin such an answer.
        """
        self._spell = spell
        self.written = ""
        self.cut = False
        self._matcher = LLMatcher(tokenizer, grammar)
        if self._take(written) != written:
            raise EngineFailed("The answer cannot be gone on with: it does not keep to the schema or grammar so far.")

    async def go_on(self, write: Write) -> AsyncGenerator[str, None]:
        """Yield the rest. Raises what `write` raises, and EngineFailed where nothing can come."""
        choice = ""
        while True:
            before = self.written
            async with aclosing(write(self.written, choice)) as messages:
                async for message in messages:
                    if isinstance(message, Done):
                        self.cut = message.reason == "length"
                        continue
                    if kept := self._take(message.text):
                        yield kept
                    if kept != message.text:
                        break
            if self.cut or (self._matcher.is_accepting() and not choice):
                return
            if forced := self._take(bytes(self._matcher.compute_ff_bytes()).decode("utf-8", "ignore")):
                yield forced
            choice = "" if forced or choice else self._choice()
            if self.written == before and not choice:
                raise EngineFailed("The engine did not keep to the schema or grammar of the request.")

    def _take(self, text: str) -> str:
        """Add as much of a text as keeps to the grammar, and return that."""
        spelled = list(text.encode())
        valid = 0 if self._matcher.is_stopped() else self._matcher.validate_tokens(spelled)
        kept = bytes(spelled[:valid]).decode("utf-8", "ignore")
        if kept:
            self._matcher.consume_tokens(list(kept.encode()))
            self.written += kept
        return kept

    def _choice(self) -> str:
        """The grammar of the next character; empty where none of ASCII may come."""
        mask = self._matcher.compute_bitmask()
        allowed = [chr(code) for code in _ASCII if mask[code // 8] >> code % 8 & 1]
        return self._spell(allowed) if allowed else ""

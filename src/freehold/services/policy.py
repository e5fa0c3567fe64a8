"""What this server declines to answer, as its owner configured it."""

import re
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from freehold.core.deltas import Declined, Delta, Stop, Usage
from freehold.core.items import InputText, Item, Message
from freehold.core.prompt import Prompt


class Policy:
    """Declines what the user says last where it matches one of some patterns."""

    def __init__(self, patterns: Sequence[str], message: str) -> None:
        """`patterns` are regular expressions, searched without regard to case. Raises ValueError for a broken one."""
        try:
            self._patterns = [re.compile(pattern, re.IGNORECASE) for pattern in patterns]
        except re.error as error:
            raise ValueError(f"refusals.patterns: {error.pattern!r} is no regular expression: {error}") from None
        self._message = message

    def declines(self, items: Sequence[Item]) -> "Declining | None":
        """What answers in the model's place; None when there is nothing to decline."""
        if not self._patterns:
            return None
        said = next((item for item in reversed(items) if isinstance(item, Message) and item.role == "user"), None)
        if said is None:
            return None
        return self.declines_text(" ".join(part.text for part in said.content if isinstance(part, InputText)))

    def declines_text(self, text: str) -> "Declining | None":
        """The same for a text that is to be continued."""
        return Declining(self._message) if any(pattern.search(text) for pattern in self._patterns) else None


class Declining(NamedTuple):
    """Answers every prompt with a refusal, without a model."""

    message: str

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield the refusal, or the rest of it, then Stop."""
        said = "".join(one for one in prompt.begun.said if isinstance(one, str))
        if rest := self.message.removeprefix(said):
            yield Declined(rest)
        yield Stop("stop", Usage(input=len(prompt.tokens), written=0))

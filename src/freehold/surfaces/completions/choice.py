"""One choice of a text_completion: the fold of one run's events, and what each adds to the stream."""

import codecs
from collections.abc import Iterable
from math import inf

from freehold.core.events import Closed, Ended, Grew
from freehold.core.items import Logprob, Message, OutputText, TopLogprob
from freehold.surfaces.completions.objects import FinishReason, LegacyLogprobs, TextChoice


class ChoiceFold:
    """The fold of the run that makes the choice number `index`."""

    def __init__(self, index: int, prompt: str, echo: bool, logprobs: bool) -> None:
        """`echo` puts the `prompt` before the text; `logprobs` says whether they were asked for."""
        self._index = index
        self._prompt = prompt
        self._echo = echo
        self._teller = Teller(len(prompt)) if logprobs else None
        self._text: list[str] = []
        self._logprobs: list[Logprob] = []
        self._finish: FinishReason = "stop"

    def begin(self) -> TextChoice | None:
        """The piece that repeats the prompt, where that was asked for."""
        return TextChoice(self._prompt, self._index) if self._echo else None

    def grow(self, event: Grew) -> TextChoice | None:
        """The piece that the text grew by; None for a refusal, which has no place here."""
        if event.kind != "text":
            return None
        return TextChoice(event.delta, self._index, self._teller and self._teller.tell(event.logprobs))

    def close(self, event: Closed) -> None:
        """Take a whole message into the choice."""
        for part in event.item.content if isinstance(event.item, Message) else ():
            if isinstance(part, OutputText):
                self._text.append(part.text)
                self._logprobs += part.logprobs
            else:
                self._finish = "content_filter"

    def end(self, event: Ended) -> TextChoice:
        """The piece that says why the choice ended."""
        if event.reason == "max_output_tokens":
            self._finish = "length"
        elif event.reason == "content_filter":
            self._finish = "content_filter"
        return TextChoice("", self._index, None, self._finish)

    def score(self) -> float:
        """The mean log-probability of its tokens; a text without any is the worst."""
        if not self._logprobs:
            return -inf
        return sum(one.logprob for one in self._logprobs) / len(self._logprobs)

    def result(self, index: int) -> TextChoice:
        """The choice as it stands, as number `index` of those that are given."""
        text = "".join((self._prompt, *self._text) if self._echo else self._text)
        told = None if self._teller is None else Teller(len(self._prompt)).tell(self._logprobs)
        return TextChoice(text, index, told, self._finish)


class Teller:
    """Writes log-probabilities in the legacy shape, piece by piece."""

    def __init__(self, offset: int) -> None:
        """`offset` is where the text begins, in characters."""
        self._offset = offset
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def tell(self, logprobs: Iterable[Logprob]) -> LegacyLogprobs:
        """Return those of the next tokens."""
        given, offsets = tuple(logprobs), list[int]()
        for one in given:
            offsets.append(self._offset)
            self._offset += len(self._decoder.decode(bytes(one.bytes)))
        return LegacyLogprobs(
            tokens=tuple(map(_spelled, given)),
            token_logprobs=tuple(one.logprob for one in given),
            top_logprobs=tuple(map(_alternatives, given)),
            text_offset=tuple(offsets),
        )


def _alternatives(place: Logprob) -> dict[str, float]:
    found = {_spelled(one): one.logprob for one in reversed(place.top_logprobs)}  # of two that look alike, the likelier
    return dict(reversed(found.items())) | {_spelled(place): place.logprob}


def _spelled(token: Logprob | TopLogprob) -> str:
    """The token's text; one that is only a part of a character is written as its bytes, as OpenAI does."""
    try:
        return bytes(token.bytes).decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.bytes)

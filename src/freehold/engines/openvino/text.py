"""What a model has written so far, as text: never cut inside a character, nor inside what may be a stop sequence."""

from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence

_CONTROL = 3  # the type of such tokens in the header of a GGUF file
_utf8 = getincrementaldecoder("utf-8")


def marks(kinds: Sequence[float], spelled: Mapping[int, bytes]) -> dict[str, int]:
    """Return the tokens that steer a model and are no part of its texts, from the types of all tokens.

    As with llama.cpp, tokens that were added to write with, such as `<tool_call>`, are none of them. Whether OpenVINO
    spells a token cannot tell: alone, it leaves out those and the tokens of half a character too.
    """
    found = (token for token, kind in enumerate(kinds) if kind == _CONTROL and spelled.get(token))
    return {spelled[token].decode(errors="replace"): token for token in found}


class Written:
    """Turns the bytes of tokens into text, up to the first stop sequence."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._decoder = _utf8("replace")
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """Return the text that has become certain; nothing once `stopped`."""
        return self._read(self._decoder.decode(data))

    def end(self) -> str:
        """Return the text that was held back: no more will come."""
        text = self._read(self._decoder.decode(b"", final=True))
        rest, self._held = self._held, ""
        return text + rest

    def _read(self, text: str) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        certain = len(text) - self._possible(text)
        self._held = text[certain:]
        return text[:certain]

    def _possible(self, text: str) -> int:
        """How many characters at the end may be the beginning of a stop sequence."""
        longest = max(map(len, self._stops), default=0) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0

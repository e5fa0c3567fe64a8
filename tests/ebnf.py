"""Texts that a grammar in EBNF allows, found by walking at random through another library's reading of it."""

from collections.abc import Iterator, Sequence
from random import Random

from llguidance import LLMatcher, LLTokenizer, grammar_from

BYTES = LLTokenizer("byte")
_ENDS = frozenset(b'"}]')
_LONG, _LONGEST = 60, 3_000


def matcher(grammar: str) -> LLMatcher:
    """A matcher of a grammar in the Lark dialect."""
    found = LLMatcher(BYTES, grammar, log_level=0)
    assert not found.is_error(), (found.get_error(), grammar)
    return found


def reading(ebnf: str) -> LLMatcher:
    """A matcher of a grammar in EBNF."""
    return matcher(grammar_from("gbnf", ebnf))


def follows(found: LLMatcher, text: str) -> bool:
    """Whether a whole text follows a matcher's grammar."""
    found.reset()
    spelled = list(text.encode())
    return found.try_consume_tokens(spelled) == len(spelled) and found.is_accepting()


def walks(ebnf: str, count: int, hints: Sequence[str] = ()) -> Iterator[str]:
    """Texts of `count` walks, less those that found no end; where one can, it goes along one of the `hints`."""
    found, chance = reading(ebnf), Random(ebnf)  # noqa: S311 - no secret
    for _ in range(count):
        found.reset()
        said = _walk(found, chance, [hint.encode() for hint in hints])
        if found.is_accepting():
            yield said.decode()


def _walk(found: LLMatcher, chance: Random, hints: Sequence[bytes]) -> bytes:
    said, ahead = b"", b""
    while len(said) < _LONGEST and not found.is_stopped():
        mask = found.compute_bitmask()
        takes = [byte for byte in range(256) if mask[byte // 8] >> byte % 8 & 1]
        long = len(said) > _LONG
        if not takes or (found.is_accepting() and (long or chance.random() < 0.05)):
            break
        if not ahead and hints and chance.random() < 0.1:
            ahead = chance.choice(hints)
        ends = [byte for byte in takes if byte in _ENDS] if long and chance.random() < 0.8 else []
        byte = ahead[0] if ahead and ahead[0] in takes else chance.choice(ends or takes)
        ahead = ahead[1:] if ahead and byte == ahead[0] else b""
        found.consume_token(byte)
        said += bytes([byte])
    return said

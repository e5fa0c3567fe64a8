"""The rest of an answer: whatever a model does, the whole keeps to its grammar."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from msgspec import json

from freehold.core.errors import EngineFailed
from freehold.engines.llama.rest import Rest
from freehold.engines.worker.messages import Done, Piece

BYTES = LLTokenizer("byte")
COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "kind": {"enum": ["Bär", "Fuchs"]},
        "ages": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "kind", "ages"],
    "additionalProperties": False,
    "x-guidance": COMPACT,
}
GRAMMAR = "%llguidance {}\nstart: %json " + json.encode(SCHEMA).decode() + "\n"
ANSWER = '{"name": "Bo\\"é", "kind": "Bär", "ages": [1, 22]}'


class Model:
    """A model that wants to say `wish`, whatever the grammar says; where it has to choose, it takes the first.

    What of its wish it has not said, it says wherever it is asked to go on, up to `limit` characters of the answer.
    """

    def __init__(self, wish: str, size: int = 3, limit: int = 10_000) -> None:
        self.wish = wish
        self.size = size
        self.limit = limit
        self.asked = 0

    async def write(self, written: str, grammar: str) -> AsyncGenerator[Piece | Done, None]:
        self.asked += 1
        if len(written) >= self.limit:
            yield Done(0, "length")
            return
        if grammar:
            yield Piece(0, first_of(grammar))
            yield Done(0, "stop")
            return
        rest = self.wish[len(written) :] if self.wish.startswith(written) else self.wish
        for start in range(0, len(rest), self.size):
            if len(written) + start >= self.limit:
                yield Done(0, "length")
                return
            yield Piece(0, rest[start : start + self.size])
        yield Done(0, "stop")


def first_of(grammar: str) -> str:
    """The first character that a grammar of one character takes."""
    mask = LLMatcher(BYTES, grammar).compute_bitmask()
    return next(chr(code) for code in range(0x20, 0x7F) if mask[code // 8] >> code % 8 & 1)


def gone_on(model: Model, written: str) -> tuple[str, Rest]:
    rest = Rest(GRAMMAR, written, BYTES)

    async def main() -> str:
        return "".join([text async for text in rest.go_on(model.write)])

    said = asyncio.run(main())
    assert rest.written == written + said
    return rest.written, rest


def holds(answer: str) -> bool:
    matcher = LLMatcher(BYTES, GRAMMAR)
    spelled = list(answer.encode())
    return (
        matcher.validate_tokens(spelled) == len(spelled) and matcher.consume_tokens(spelled) and matcher.is_accepting()
    )


@pytest.mark.parametrize("place", range(0, len(ANSWER) + 1, 3))
@pytest.mark.parametrize("size", [1, 7])
def test_a_model_that_keeps_to_the_grammar_is_left_alone(place: int, size: int) -> None:
    model = Model(ANSWER, size)
    assert gone_on(model, ANSWER[:place])[0] == ANSWER
    assert model.asked == 1


@pytest.mark.parametrize(
    "wish",
    ["", "no JSON at all", "\n  { }", ANSWER.replace(" ", "\n  "), ANSWER + "\n\nThat is the bear.", '"}]}', "é" * 40],
)
@pytest.mark.parametrize("place", [1, 2, 9, 15, 20, 31, 40, len(ANSWER) - 1])
def test_any_other_is_led_back(wish: str, place: int) -> None:
    answer, rest = gone_on(Model(wish), ANSWER[:place])
    assert answer.startswith(ANSWER[:place]) and holds(answer) and not rest.cut
    json.decode(answer)


@settings(max_examples=50)
@given(st.text('{}[]",:é 1nameBär\\\n', max_size=60), st.integers(1, len(ANSWER)), st.integers(1, 9))
def test_whatever_it_wants_to_say(wish: str, place: int, size: int) -> None:
    answer, rest = gone_on(Model(wish, size, limit=150), ANSWER[:place])
    assert holds(answer) or (rest.cut and len(answer) >= 150)


def test_the_limit_cuts_it() -> None:
    answer, rest = gone_on(Model(ANSWER, limit=20), ANSWER[:10])
    assert rest.cut and answer == ANSWER[: len(answer)] and 20 <= len(answer) < 24


def test_a_beginning_that_is_none_is_refused() -> None:
    with pytest.raises(EngineFailed, match="so far"):
        Rest(GRAMMAR, '{"age', BYTES)

"""One legacy choice: its text, why it ended, and its log-probabilities in the old shape."""

from freehold.core.events import Closed, Ended, Grew
from freehold.core.items import Logprob, Message, OutputText, Refusal, TopLogprob
from freehold.surfaces.completions.choice import ChoiceFold, Teller
from freehold.surfaces.completions.objects import LegacyLogprobs


def token(text: str, logprob: float = -1.0, *others: str) -> Logprob:
    tops = (TopLogprob(text, tuple(text.encode()), logprob), *(TopLogprob(o, tuple(o.encode()), -2.0) for o in others))
    return Logprob(text, tuple(text.encode()), logprob, tops)


def closed(*parts: OutputText | Refusal) -> Closed:
    return Closed(0, Message(role="assistant", content=parts))


def test_the_prompt_is_repeated_where_that_was_asked_for() -> None:
    echoing, plain = ChoiceFold(0, "Once ", True, False), ChoiceFold(0, "Once ", False, False)
    for choice in (echoing, plain):
        choice.close(closed(OutputText("upon")))
    assert (echoing.result(0).text, plain.result(0).text) == ("Once upon", "upon")
    begun = echoing.begin()
    assert begun is not None and begun.text == "Once "
    assert plain.begin() is None


def test_log_probabilities_have_the_old_shape_and_offsets_from_the_prompt() -> None:
    choice = ChoiceFold(1, "é", False, True)
    piece = choice.grow(Grew(0, " b", "text", (token(" b", -0.5, " c"),)))
    assert piece is not None
    assert piece.logprobs == LegacyLogprobs((" b",), (-0.5,), ({" b": -0.5, " c": -2.0},), (1,))
    later = choice.grow(Grew(0, "d", "text", (token("d"),)))
    assert later is not None and later.logprobs is not None
    assert later.logprobs.text_offset == (3,)


def test_a_part_of_a_character_is_written_as_bytes() -> None:
    half = Logprob("?", (0xC3,), -1.0)
    told = Teller(0).tell((half, Logprob("?", (0xA9,), -1.0), token("x")))
    assert told.tokens == ("bytes:\\xc3", "bytes:\\xa9", "x")
    assert told.text_offset == (0, 0, 1)


def test_why_it_ended() -> None:
    cut, declined = ChoiceFold(0, "", False, False), ChoiceFold(0, "", False, False)
    assert cut.end(Ended(status="incomplete", reason="max_output_tokens")).finish_reason == "length"
    declined.close(closed(Refusal("No.")))
    assert declined.end(Ended(status="completed")).finish_reason == "content_filter"
    assert declined.result(0).text == ""


def test_the_best_is_the_likeliest_on_average() -> None:
    good, bad, none = (ChoiceFold(0, "", False, False) for _ in range(3))
    good.close(closed(OutputText("ab", logprobs=(token("a", -1.0), token("b", -1.0)))))
    bad.close(closed(OutputText("a", logprobs=(token("a", -1.5),))))
    assert good.score() > bad.score() > none.score()

"""What a legacy completion asks for, and what is refused by name."""

from typing import Any

import msgspec
import pytest

from freehold.core.errors import Fault, Invalid
from freehold.core.prompt import Ask
from freehold.surfaces.completions.request import CompletionBody, parse
from freehold.surfaces.decode import Decoder


def ask(**more: Any) -> Ask:
    decode: Decoder[CompletionBody] = Decoder(CompletionBody)
    return parse(decode(msgspec.json.encode({"model": "m", "prompt": "Once", **more})))


def refused(**more: Any) -> Fault:
    with pytest.raises(Invalid) as caught:
        ask(**more)
    return caught.value


@pytest.mark.parametrize(
    ("prompt", "raw"),
    [
        ("Once", ("Once",)),
        (None, ("",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
    ],
)
def test_a_prompt_is_text_or_tokens_or_several_of_them(prompt: Any, raw: Any) -> None:
    assert ask(prompt=prompt).raw == raw


def test_what_is_left_out_is_as_the_reference_says() -> None:
    plain = ask()
    assert (plain.sampling.max_tokens, plain.choices, plain.suffix, plain.sampling.logprobs) == (16, 1, None, None)
    assert plain.items == ()


def test_best_of_writes_more_and_needs_their_log_probabilities() -> None:
    best = ask(n=2, best_of=5)
    assert (best.choices, best.sampling.logprobs) == (5, 0)
    assert ask(n=2, best_of=2).sampling.logprobs is None


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 3, "stream": True}, "best_of"),
        ({"best_of": 21}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"prompt": [[]]}, "prompt[0]"),
        ({"prompt": ["a"] * 17, "n": 128}, "n"),
        ({"messages": []}, "messages"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    with pytest.raises(Fault) as caught:
        ask(**more)
    assert (caught.value.param or "").split("[...]")[0] == param

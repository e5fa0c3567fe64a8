"""Legacy completions through the official client in strict mode."""

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

MODEL = "gpt-4.1"


def test_a_text_is_continued(client: OpenAI) -> None:
    done = client.completions.create(model=MODEL, prompt="Once upon a time")
    (choice,) = done.choices
    assert (choice.text, choice.finish_reason, done.object) == ("Once upon a time", "stop", "text_completion")
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (4, 4)


def test_a_stream_folds_to_the_whole(client: OpenAI) -> None:
    # The wire has a null finish_reason until the last piece, which the SDK's own type does not know.
    lenient = OpenAI(base_url=client.base_url, api_key=client.api_key, max_retries=0)
    stream = lenient.completions.create(
        model=MODEL, prompt="Once upon a time", stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "Once upon a time"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage is not None and last.usage.total_tokens == 8


def test_several_prompts_have_several_choices_each(client: OpenAI) -> None:
    done = client.completions.create(model=MODEL, prompt=["one two", "three"], n=2, echo=True)
    assert [choice.text for choice in done.choices] == ["one twoone two"] * 2 + ["threethree"] * 2
    assert [choice.index for choice in done.choices] == [0, 1, 2, 3]
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (3, 6)


def test_log_probabilities(client: OpenAI) -> None:
    (choice,) = client.completions.create(model=MODEL, prompt="one two", logprobs=2).choices
    assert choice.logprobs is not None
    assert choice.logprobs.tokens == ["one ", "two"]
    assert choice.logprobs.text_offset == [7, 11]


def test_the_length_is_bounded(client: OpenAI) -> None:
    (choice,) = client.completions.create(model=MODEL, prompt="word " * 30).choices
    assert (len(choice.text.split()), choice.finish_reason) == (16, "length")


def test_what_cannot_work_is_refused_by_name(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.completions.create(model=MODEL, prompt="x", suffix="y")
    assert refused.value.param == "suffix"
    with pytest.raises(NotFoundError) as unknown:
        client.completions.create(model="nobody", prompt="x")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", None)

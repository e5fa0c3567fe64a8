"""Thinking with the official client: efforts, budgets, summaries, and thoughts that the client keeps sealed."""

from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types.responses import ResponseReasoningItem

from tests.sse_checker import StreamChecker

SEALED: Any = ["reasoning.encrypted_content"]
LONG = " ".join(map(str, range(40)))


def thought_of(response: Any) -> ResponseReasoningItem:
    first = response.output[0]
    assert first.type == "reasoning"
    return first


def said(thought: ResponseReasoningItem) -> str:
    return "".join(part.text for part in thought.content or ())


def test_a_thought_comes_before_the_answer(client: OpenAI) -> None:
    response = client.responses.create(
        model="gpt-5.2", input="One. Two. Three.", reasoning={"effort": "low", "summary": "auto"}
    )
    assert [item.type for item in response.output] == ["reasoning", "message"]
    thought = thought_of(response)
    assert said(thought) == response.output_text == "One. Two. Three."
    assert [part.text for part in thought.summary] == ["One. Three."]
    assert thought.encrypted_content is None
    assert response.reasoning is not None
    assert (response.reasoning.effort, response.reasoning.summary) == ("low", "auto")
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == 3
    assert response.usage.output_tokens == 6


@pytest.mark.parametrize(
    ("effort", "tokens"), [("none", 0), ("minimal", 32), ("low", 128), ("medium", 512), ("max", 4096)]
)
def test_an_effort_is_a_budget_that_holds_exactly(client: OpenAI, effort: Any, tokens: int) -> None:
    response = client.responses.create(model="script", input="word " * 5000, reasoning={"effort": effort})
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == tokens
    assert response.usage.output_tokens == tokens + 5000


def test_thinking_can_eat_the_whole_answer(client: OpenAI) -> None:
    response = client.responses.create(
        model="gpt-5.2", input=LONG, reasoning={"effort": "medium"}, max_output_tokens=16
    )
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text == ""
    assert [(item.type, getattr(item, "status", None)) for item in response.output] == [("reasoning", "incomplete")]


@pytest.mark.parametrize("summary", [None, "auto", "concise", "detailed"])
@pytest.mark.parametrize("include", [[], SEALED])
def test_a_streamed_thought_folds_to_the_one_that_is_stored(client: OpenAI, summary: Any, include: Any) -> None:
    checker, kinds = StreamChecker(), set()
    reasoning: Any = {"effort": "low", "summary": summary}
    text = "First this. Then that.\n\nAt last this."
    with client.responses.create(
        model="gpt-5.2", input=text, reasoning=reasoning, include=include, stream=True
    ) as stream:
        for event in stream:
            kinds.add(event.type)
            checker.push(event.to_dict())
    response = checker.finish()
    assert ("response.reasoning_summary_text.delta" in kinds) == (summary is not None)
    assert len(response["output"][0]["summary"]) == {None: 0, "auto": 1, "concise": 1, "detailed": 2}[summary]
    assert ("encrypted_content" in response["output"][0]) == bool(include)
    assert client.responses.retrieve(response["id"], include=include).to_dict() == response


def test_a_stored_thought_is_sealed_for_who_asks_later(client: OpenAI) -> None:
    first = client.responses.create(model="gpt-5.2", input="Hm.", reasoning={"effort": "low"})
    assert thought_of(client.responses.retrieve(first.id)).encrypted_content is None
    sealed = thought_of(client.responses.retrieve(first.id, include=SEALED))
    assert said(sealed) == said(thought_of(first))
    passed: Any = [sealed.to_dict(), {"role": "user", "content": "And?"}]
    second = client.responses.create(model="gpt-5.2", input=passed)
    assert second.output_text == "And?"
    for include in ([], SEALED):
        (listed,) = (i for i in client.responses.input_items.list(second.id, include=include) if i.type == "reasoning")
        assert (listed.encrypted_content is not None) == bool(include)


def test_sealed_thoughts_come_back_without_any_state(client: OpenAI) -> None:
    first = client.responses.create(
        model="gpt-5.2", input="Hm.", reasoning={"effort": "low"}, include=SEALED, store=False
    )
    thought = thought_of(first)
    sealed = thought.encrypted_content
    assert sealed is not None
    assert "Hm" not in sealed
    passed: Any = [{"role": "user", "content": "Hm."}, *first.output, {"role": "user", "content": "And?"}]
    second = client.responses.create(model="gpt-5.2", input=passed, include=SEALED, store=False)
    assert second.output_text == "And?"
    # Without its content too: that is what a client keeps where thoughts are hidden.
    bare: Any = {"type": "reasoning", "id": thought.id, "summary": [], "encrypted_content": sealed}
    third = client.responses.create(model="gpt-5.2", input=[passed[0], bare, passed[2], passed[3]], store=False)
    assert third.output_text == "And?"


@pytest.mark.parametrize("place", [0, 1, 20, -5, -1])
def test_a_tampered_seal_is_refused(client: OpenAI, place: int) -> None:
    first = client.responses.create(
        model="gpt-5.2", input="Hm.", reasoning={"effort": "low"}, include=SEALED, store=False
    )
    thought = thought_of(first)
    sealed = list(thought.encrypted_content or "")
    sealed[place] = "A" if sealed[place] != "A" else "B"
    forged: Any = {**thought.to_dict(), "encrypted_content": "".join(sealed)}
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="gpt-5.2", input=[forged, {"role": "user", "content": "And?"}], store=False)
    assert (caught.value.code, caught.value.param) == ("invalid_encrypted_content", "input[0].encrypted_content")


def test_a_seal_of_another_project_is_refused(client: OpenAI, stranger: OpenAI) -> None:
    first = client.responses.create(
        model="gpt-5.2", input="Hm.", reasoning={"effort": "low"}, include=SEALED, store=False
    )
    passed: Any = [*first.output, {"role": "user", "content": "And?"}]
    assert client.responses.create(model="gpt-5.2", input=passed, store=False).output_text == "And?"
    with pytest.raises(BadRequestError) as caught:
        stranger.responses.create(model="gpt-5.2", input=passed, store=False)
    assert caught.value.code == "invalid_encrypted_content"


@pytest.mark.parametrize(
    ("model", "reasoning", "param", "code"),
    [
        ("gpt-4.1", {"effort": "low"}, "reasoning.effort", "unsupported_parameter"),
        ("gpt-5.2", {"effort": "minimal"}, "reasoning.effort", "unsupported_value"),
        ("gpt-5.2", {"effort": "enormous"}, "reasoning.effort", "invalid_value"),
        ("gpt-5.2", {"summary": "long"}, "reasoning.summary", "invalid_value"),
        ("gpt-5.2", {"mode": "pro"}, "reasoning.mode", "unsupported_value"),
        ("gpt-5.2", {"budget": 3}, "reasoning.budget", "unknown_parameter"),
    ],
)
def test_a_name_takes_what_it_takes_at_home(client: OpenAI, model: str, reasoning: Any, param: str, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model=model, input="Hi", reasoning=reasoning)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_chat_thinks_too_and_counts_it(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "one two three"}]
    completion = client.chat.completions.create(model="gpt-5.2", messages=messages, reasoning_effort="low")
    assert completion.choices[0].message.content == "one two three"
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 3
    assert completion.usage.completion_tokens == 6
    cut = client.chat.completions.create(
        model="gpt-5.2", messages=messages, reasoning_effort="low", max_completion_tokens=3
    )
    assert (cut.choices[0].finish_reason, cut.choices[0].message.content) == ("length", "")
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4.1", messages=messages, reasoning_effort="low")
    assert caught.value.param == "reasoning_effort"

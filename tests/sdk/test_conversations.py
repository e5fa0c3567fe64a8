"""`client.conversations`, and responses in a conversation, with the official Python SDK in strict mode."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.conversations import ConversationItem

from tests.servers import Server, strict_client

HELLO: Any = {"type": "message", "role": "user", "content": "Hello."}


def texts(items: list[ConversationItem]) -> list[str]:
    return [part.text for item in items if item.type == "message" for part in item.content if hasattr(part, "text")]


def said(client: OpenAI, conversation_id: str) -> list[str]:
    """Every text of a conversation, oldest first."""
    return texts(list(client.conversations.items.list(conversation_id, order="asc")))


def test_a_conversation_lives(client: OpenAI) -> None:
    made = client.conversations.create(metadata={"topic": "greetings"}, items=[HELLO])
    assert made.id.startswith("conv_")
    assert (made.object, made.metadata) == ("conversation", {"topic": "greetings"})
    assert client.conversations.retrieve(made.id) == made
    changed = client.conversations.update(made.id, metadata={"topic": "farewells"})
    assert (changed.id, changed.created_at, changed.metadata) == (made.id, made.created_at, {"topic": "farewells"})
    assert client.conversations.update(made.id, metadata=None).metadata == {}
    assert said(client, made.id) == ["Hello."]
    deleted = client.conversations.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "conversation.deleted")
    for call in (client.conversations.delete, client.conversations.retrieve, client.conversations.items.list):
        with pytest.raises(NotFoundError, match=made.id):
            call(made.id)


def test_three_turns(client: OpenAI) -> None:
    conversation = client.conversations.create()
    assert conversation.metadata == {}
    first = client.responses.create(model="gpt-5", input="one", conversation=conversation.id)
    assert first.conversation is not None
    assert first.conversation.id == conversation.id
    second = client.responses.create(
        model="gpt-5", input="two words", conversation={"id": conversation.id}, store=False
    )
    with client.responses.create(model="gpt-5", input="three", conversation=conversation.id, stream=True) as stream:
        *_, last = stream
    assert last.type == "response.completed"
    assert [one.usage.input_tokens for one in (first, second, last.response) if one.usage] == [1, 4, 7]
    assert said(client, conversation.id) == ["one", "one", "two words", "two words", "three", "three"]
    items = list(client.conversations.items.list(conversation.id, order="asc"))
    assert [item.role for item in items if item.type == "message"] == ["user", "assistant"] * 3
    assert [items[place].id for place in (1, 3, 5)] == [one.output[0].id for one in (first, second, last.response)]
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    with pytest.raises(NotFoundError):
        client.responses.retrieve(second.id)
    count = client.responses.input_tokens.count(model="gpt-5", input="four", conversation=conversation.id)
    assert count.input_tokens == 9


def test_a_cut_turn_is_part_of_the_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create()
    cut = client.responses.create(model="gpt-5", input="word " * 40, conversation=conversation.id, max_output_tokens=16)
    assert cut.status == "incomplete"
    *_, answer = client.conversations.items.list(conversation.id, order="asc")
    assert answer.type == "message"
    assert (answer.role, answer.status) == ("assistant", "incomplete")


def test_a_failed_turn_is_not(client: OpenAI) -> None:
    conversation = client.conversations.create(items=[HELLO])
    with client.responses.create(
        model="gpt-5", input="!crash after 1 one two", conversation=conversation.id, stream=True
    ) as stream:
        *_, last = stream
    assert last.type == "response.failed"
    assert said(client, conversation.id) == ["Hello."]


def test_turns_at_once_are_neither_lost_nor_mixed(server: Server) -> None:
    with strict_client(server) as client, ThreadPoolExecutor(8) as threads:
        conversation = client.conversations.create()

        def ask(number: int) -> None:
            client.responses.create(model="gpt-5", input=f"turn {number}", conversation=conversation.id)

        list(threads.map(ask, range(24)))
        listed = said(client, conversation.id)
    assert sorted(listed) == sorted([f"turn {number}" for number in range(24)] * 2)
    assert all(asked == answered for place, (asked, answered) in enumerate(pairwise(listed)) if place % 2 == 0)


def test_items_are_added_retrieved_and_removed(client: OpenAI) -> None:
    conversation = client.conversations.create(items=[HELLO])
    added = client.conversations.items.create(
        conversation.id,
        items=[
            {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a": 1}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "2"},
            {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},  # type: ignore[list-item]
        ],
    )
    assert [item.type for item in added.data] == ["function_call", "function_call_output", "message"]
    assert (added.first_id, added.last_id, added.has_more) == (added.data[0].id, added.data[2].id, False)
    call = client.conversations.items.retrieve(added.first_id, conversation_id=conversation.id)
    assert call == added.data[0]
    left = client.conversations.items.delete(added.first_id, conversation_id=conversation.id)
    assert left == conversation
    for operation in (client.conversations.items.delete, client.conversations.items.retrieve):
        with pytest.raises(NotFoundError, match=added.first_id):
            operation(added.first_id, conversation_id=conversation.id)
    kinds = [item.type for item in client.conversations.items.list(conversation.id, order="asc")]
    assert kinds == ["message", "function_call_output", "message"]


def test_a_reference_adds_what_it_refers_to_once(client: OpenAI) -> None:
    stored = client.responses.create(model="gpt-5", input="Remember me.")
    conversation = client.conversations.create(items=[{"type": "item_reference", "id": stored.output[0].id}])
    assert said(client, conversation.id) == ["Remember me."]
    reference: Any = {"type": "item_reference", "id": stored.output[0].id}
    with pytest.raises(BadRequestError) as caught:
        client.conversations.items.create(conversation.id, items=[reference])
    assert caught.value.param == "items[0].id"
    client.responses.create(
        model="gpt-5", input=[reference, {"role": "user", "content": "And?"}], conversation=conversation.id
    )
    assert said(client, conversation.id) == ["Remember me.", "And?", "And?"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_follow_each_other(client: OpenAI, limit: int) -> None:
    words = ["a", "b", "c", "d", "e"]
    items: Any = [{"role": "user", "content": word} for word in words]
    conversation = client.conversations.create(items=items)
    newest = client.conversations.items.list(conversation.id, limit=limit)
    assert texts(newest.data) == words[::-1][:limit]
    assert newest.has_more == (limit < len(words))
    assert texts(list(newest)) == words[::-1]
    assert texts(list(client.conversations.items.list(conversation.id, limit=limit, order="asc"))) == words


def test_logprobs_are_shown_to_those_who_ask(client: OpenAI) -> None:
    piece = {"token": "No", "bytes": [78, 111], "logprob": -0.5, "top_logprobs": []}
    content = [{"type": "output_text", "text": "No", "annotations": [], "logprobs": [piece]}]
    items: Any = [{"type": "message", "role": "assistant", "content": content}]
    conversation = client.conversations.create(items=items)
    (plain,) = client.conversations.items.list(conversation.id)
    (whole,) = client.conversations.items.list(conversation.id, include=["message.output_text.logprobs"])
    assert plain.to_dict()["content"] == [{**content[0], "logprobs": []}]
    assert whole.to_dict()["content"] == content


def test_deleting_a_conversation_keeps_its_responses(client: OpenAI) -> None:
    conversation = client.conversations.create()
    response = client.responses.create(model="gpt-5", input="Stay.", conversation=conversation.id)
    client.conversations.delete(conversation.id)
    assert client.responses.retrieve(response.id).to_dict() == response.to_dict()
    with pytest.raises(NotFoundError, match=conversation.id):
        client.responses.create(model="gpt-5", input="Gone?", conversation=conversation.id)


def test_a_conversation_that_is_deleted_under_way_takes_nothing(slow_server: Server) -> None:
    with strict_client(slow_server) as client:
        conversation = client.conversations.create()
        with client.responses.create(
            model="gpt-5", input="one two three four", conversation=conversation.id, stream=True
        ) as stream:
            events = iter(stream)
            assert next(events).type == "response.created"
            client.conversations.delete(conversation.id)
            *_, last = events
        assert last.type == "response.completed"
        assert client.responses.retrieve(last.response.id).output_text == "one two three four"


def test_another_project_sees_no_conversation(client: OpenAI, stranger: OpenAI) -> None:
    conversation = client.conversations.create(items=[HELLO])
    (item,) = client.conversations.items.list(conversation.id)
    there = {"conversation_id": conversation.id}
    calls: list[Callable[[], object]] = [
        lambda: stranger.conversations.retrieve(conversation.id),
        lambda: stranger.conversations.update(conversation.id, metadata={}),
        lambda: stranger.conversations.delete(conversation.id),
        lambda: stranger.conversations.items.list(conversation.id),
        lambda: stranger.conversations.items.create(conversation.id, items=[HELLO]),
        lambda: stranger.conversations.items.retrieve(str(item.id), **there),
        lambda: stranger.conversations.items.delete(str(item.id), **there),
        lambda: stranger.responses.create(model="gpt-5", input="Hi.", conversation=conversation.id),
        lambda: stranger.responses.input_tokens.count(model="gpt-5", conversation=conversation.id),
        lambda: stranger.conversations.create(items=[{"type": "item_reference", "id": str(item.id)}]),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            call()
    assert client.conversations.retrieve(conversation.id) == conversation
    assert said(client, conversation.id) == ["Hello."]


BAD: list[tuple[Callable[[OpenAI, str], object], str | None, str]] = [
    (lambda c, _: c.conversations.create(items=[HELLO] * 21), "items", "array_above_max_length"),
    (lambda c, i: c.conversations.items.create(i, items=[]), "items", "empty_array"),
    (lambda c, i: c.conversations.items.create(i, items=[{**HELLO, "role": "x"}]), "items[0].role", "invalid_value"),
    (lambda c, _: c.conversations.create(metadata={"k": "v" * 513}), "metadata", "string_above_max_length"),
    (lambda c, i: c.conversations.update(i, metadata={"k" * 65: ""}), "metadata", "string_above_max_length"),
    (lambda c, i: c.conversations.items.list(i, after="msg_x"), "after", "invalid_value"),
    (lambda c, i: c.conversations.items.list(i, limit=0), "limit", "integer_below_min_value"),
    (lambda c, i: c.conversations.items.list(i, limit=101), "limit", "integer_above_max_value"),
    (lambda c, i: c.conversations.items.list(i, order="up"), "order", "invalid_value"),  # type: ignore[arg-type]
    (
        lambda c, i: c.responses.create(model="gpt-5", input="x", conversation=i, previous_response_id="resp_1"),
        None,
        "mutually_exclusive_parameters",
    ),
]


@pytest.mark.parametrize(("call", "param", "code"), BAD)
def test_nonsense_is_refused(client: OpenAI, call: Callable[..., object], param: str | None, code: str) -> None:
    conversation = client.conversations.create(items=[HELLO])
    with pytest.raises(BadRequestError) as caught:
        call(client, conversation.id)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert said(client, conversation.id) == ["Hello."]

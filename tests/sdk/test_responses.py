"""`client.responses` of the official Python SDK, in strict mode."""

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.servers import Server, strict_client


def test_create(client: OpenAI) -> None:
    response = client.responses.create(model="gpt-5", input="Hello, world!", metadata={"order": "7"})
    assert response.output_text == "Hello, world!"
    assert (response.object, response.status, response.model) == ("response", "completed", "gpt-5")
    assert response.metadata == {"order": "7"}
    assert response.error is None
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (2, 2, 4)
    assert response._request_id is not None
    assert response._request_id.startswith("req_")


def test_message_roles(client: OpenAI) -> None:
    response = client.responses.create(
        model="gpt-5",
        instructions="Be brief.",
        input=[{"role": "developer", "content": "You repeat."}, {"role": "user", "content": "one two three"}],
    )
    assert response.output_text == "one two three"
    assert response.instructions == "Be brief."
    assert response.usage is not None
    assert response.usage.input_tokens == 7


def test_a_cut_answer_says_why(client: OpenAI) -> None:
    response = client.responses.create(model="gpt-5", input="word " * 40, max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text.split() == ["word"] * 16


def test_retrieve_returns_what_create_did(client: OpenAI) -> None:
    created = client.responses.create(model="gpt-5", input="Keep this.")
    assert client.responses.retrieve(created.id).to_dict() == created.to_dict()


def test_delete(client: OpenAI) -> None:
    created = client.responses.create(model="gpt-5", input="Forget this.")
    client.responses.delete(created.id)
    with pytest.raises(NotFoundError) as caught:
        client.responses.retrieve(created.id)
    assert created.id in caught.value.message
    with pytest.raises(NotFoundError):
        client.responses.delete(created.id)


def test_store_false_is_not_kept(client: OpenAI) -> None:
    created = client.responses.create(model="gpt-5", input="Never seen.", store=False)
    with pytest.raises(NotFoundError):
        client.responses.retrieve(created.id)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_input_items_page_by_page(client: OpenAI, order: str) -> None:
    texts = [f"message {number}" for number in range(5)]
    created = client.responses.create(model="gpt-5", input=[{"role": "user", "content": text} for text in texts])
    pages = list(client.responses.input_items.list(created.id, limit=2, order=order).iter_pages())
    assert [len(page.data) for page in pages] == [2, 2, 1]
    assert [page.has_more for page in pages] == [True, True, False]
    items = [item for page in pages for item in page.data]
    assert [item.content[0].text for item in items] == (texts if order == "asc" else texts[::-1])
    assert len({item.id for item in items}) == 5


def test_chain(client: OpenAI) -> None:
    first = client.responses.create(model="gpt-5", input="My name is Alice.")
    second = client.responses.create(model="gpt-5", input="What's my name?", previous_response_id=first.id)
    third = client.responses.create(model="gpt-5", input="Sure?", previous_response_id=second.id)
    assert second.previous_response_id == first.id
    assert [one.usage.input_tokens for one in (first, second, third) if one.usage] == [4, 4 + 4 + 3, 11 + 3 + 1]
    given = list(client.responses.input_items.list(third.id, order="asc"))
    said = [item.content[0].text for item in given]
    assert said == ["My name is Alice.", "My name is Alice.", "What's my name?", "What's my name?", "Sure?"]
    assert [item.role for item in given] == ["user", "assistant", "user", "assistant", "user"]


def test_a_deleted_link_breaks_the_chain(client: OpenAI) -> None:
    first = client.responses.create(model="gpt-5", input="one")
    second = client.responses.create(model="gpt-5", input="two", previous_response_id=first.id)
    client.responses.delete(first.id)
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="gpt-5", input="three", previous_response_id=second.id)
    assert caught.value.code == "previous_response_not_found"


def test_cancel_stops_a_running_answer(slow_server: Server) -> None:
    words = "word " * 200
    with (
        strict_client(slow_server) as client,
        client.responses.create(model="gpt-5", input=words, stream=True) as stream,
    ):
        events = iter(stream)
        created = next(events)
        assert created.type == "response.created"
        while next(events).type != "response.output_text.delta":
            pass
        cancelled = client.responses.cancel(created.response.id)
        assert cancelled.status == "cancelled"
        last = list(events)[-1]
        assert last.type == "response.incomplete"
        assert last.response.status == "cancelled"
        assert 0 < len(last.response.output_text.split()) < 200
        assert client.responses.retrieve(created.response.id).status == "cancelled"


def test_cancel_leaves_an_ended_answer_as_it_is(client: OpenAI) -> None:
    created = client.responses.create(model="gpt-5", input="done")
    assert client.responses.cancel(created.id).to_dict() == created.to_dict()

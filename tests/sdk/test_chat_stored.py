"""Stored chat completions with the official Python SDK in strict mode."""

from collections.abc import Callable
from typing import Any

import pytest
from openai import BadRequestError, InternalServerError, NotFoundError, OpenAI
from openai.types.chat import ChatCompletion

from tests.servers import Server

MODEL = "gpt-4.1"


def store(client: OpenAI, text: str, **fields: Any) -> ChatCompletion:
    return client.chat.completions.create(
        model=fields.pop("model", MODEL), store=True, messages=[{"role": "user", "content": text}], **fields
    )


def test_a_completion_is_kept_when_asked_only(client: OpenAI) -> None:
    kept = store(client, "Keep me.", metadata={"k": "v"}, user="ann", seed=7, temperature=0.2)
    found = client.chat.completions.retrieve(kept.id).to_dict()
    assert {name: found[name] for name in kept.to_dict()} == kept.to_dict()
    beyond = {name: value for name, value in found.items() if name not in kept.to_dict()}
    assert beyond == {
        "request_id": kept._request_id,
        "metadata": {"k": "v"},
        "temperature": 0.2,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": 7,
        "tools": None,
        "tool_choice": None,
        "response_format": None,
        "input_user": "ann",
    }
    messages: Any = [{"role": "user", "content": "Forget me."}]
    for fields in ({}, {"store": False}, {"store": None}):
        passing = client.chat.completions.create(model=MODEL, messages=messages, **fields)
        with pytest.raises(NotFoundError, match=passing.id):
            client.chat.completions.retrieve(passing.id)


def test_a_stream_is_kept_whole(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "one two three"}]
    with client.chat.completions.create(model=MODEL, store=True, stream=True, n=2, messages=messages) as stream:
        chunks = list(stream)
    kept = client.chat.completions.retrieve(chunks[0].id)
    assert [choice.message.content for choice in kept.choices] == ["one two three"] * 2
    assert kept.usage is not None
    assert kept.usage.completion_tokens == 6


def test_a_failed_completion_is_not_kept(client: OpenAI) -> None:
    marker = {"case": "failed"}
    with pytest.raises(InternalServerError):
        store(client, "!crash after 1 one two", metadata=marker)
    assert list(client.chat.completions.list(metadata=marker)) == []


def test_lists_are_chosen_and_paged(client: OpenAI) -> None:
    mine = {"case": "list"}
    made = [store(client, f"number {n}", metadata={**mine, "odd": str(n % 2)}).id for n in range(5)]
    other = store(client, "other model", model="gpt-4o", metadata=mine).id
    listed = client.chat.completions.list(metadata=mine)
    assert [one.id for one in listed] == [*made, other]
    for limit in (1, 2, 6):
        page = client.chat.completions.list(metadata=mine, limit=limit, order="desc")
        assert len(page.data) == limit
        assert page.has_more == (limit < 6)
        assert [one.id for one in page] == [other, *made[::-1]]
    assert [one.id for one in client.chat.completions.list(metadata={**mine, "odd": "1"})] == [made[1], made[3]]
    assert [one.id for one in client.chat.completions.list(metadata=mine, model="gpt-4o")] == [other]
    assert [one.id for one in client.chat.completions.list(metadata=mine, after=made[3])] == [made[4], other]
    assert list(client.chat.completions.list(metadata={"case": "none such"})) == []


def test_metadata_can_be_changed_and_nothing_else(client: OpenAI) -> None:
    kept = store(client, "Change me.", metadata={"case": "before", "more": ""})
    changed = client.chat.completions.update(kept.id, metadata={"case": "after"})
    assert changed.to_dict()["metadata"] == {"case": "after"}
    assert client.chat.completions.retrieve(kept.id) == changed
    assert list(client.chat.completions.list(metadata={"case": "before"})) == []
    assert [one.id for one in client.chat.completions.list(metadata={"case": "after"})] == [kept.id]
    assert client.chat.completions.update(kept.id, metadata=None).to_dict()["metadata"] == {}
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.update(kept.id, metadata={}, extra_body={"model": "gpt-5"})
    assert (caught.value.param, caught.value.code) == ("model", "unknown_parameter")


def test_deleting_twice(client: OpenAI) -> None:
    kept = store(client, "Delete me.", metadata={"case": "deleted"})
    deleted = client.chat.completions.delete(kept.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (kept.id, True, "chat.completion.deleted")
    calls: list[Callable[[], object]] = [
        lambda: client.chat.completions.delete(kept.id),
        lambda: client.chat.completions.retrieve(kept.id),
        lambda: client.chat.completions.update(kept.id, metadata={}),
        lambda: client.chat.completions.messages.list(kept.id),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match=kept.id):
            call()
    assert list(client.chat.completions.list(metadata={"case": "deleted"})) == []


def test_messages_are_listed_with_their_roles(server: Server) -> None:
    # Not in strict mode: the SDK's type of these messages knows the role `assistant` alone, and ours are told as said.
    messages: Any = [
        {"role": "developer", "content": "Repeat."},
        {"role": "user", "content": [{"type": "text", "text": "Hello "}, {"type": "text", "text": "there."}]},
        {"role": "assistant", "content": "Hello there."},
        {"role": "user", "content": "Bye."},
    ]
    with OpenAI(base_url=server.base_url, api_key=server.key, max_retries=0) as client:
        kept = client.chat.completions.create(model=MODEL, store=True, messages=messages)
        listed = list(client.chat.completions.messages.list(kept.id, limit=1))
        assert [one.id for one in listed] == [f"{kept.id}-{place}" for place in range(4)]
        assert [one.role for one in listed] == ["developer", "user", "assistant", "user"]
        assert [one.content for one in listed] == ["Repeat.", "Hello there.", "Hello there.", "Bye."]
        parts = [one.to_dict()["content_parts"] for one in listed]
        assert parts == [None, messages[1]["content"], None, None]
        backwards = client.chat.completions.messages.list(kept.id, order="desc", after=listed[2].id)
        assert [one.id for one in backwards] == [listed[1].id, listed[0].id]


def test_the_messages_of_the_assistant_pass_strict_mode(client: OpenAI) -> None:
    messages: Any = [{"role": "assistant", "content": "Hello."}]
    kept = client.chat.completions.create(model=MODEL, store=True, messages=messages)
    (message,) = client.chat.completions.messages.list(kept.id)
    assert (message.id, message.role, message.content, message.content_parts) == (
        f"{kept.id}-0",
        "assistant",
        "Hello.",
        None,
    )


def test_another_project_sees_no_completion(client: OpenAI, stranger: OpenAI) -> None:
    kept = store(client, "Mine.", metadata={"case": "mine"})
    calls: list[Callable[[], object]] = [
        lambda: stranger.chat.completions.retrieve(kept.id),
        lambda: stranger.chat.completions.update(kept.id, metadata={}),
        lambda: stranger.chat.completions.delete(kept.id),
        lambda: stranger.chat.completions.messages.list(kept.id),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match=kept.id):
            call()
    assert list(stranger.chat.completions.list()) == []
    with pytest.raises(BadRequestError):
        stranger.chat.completions.list(after=kept.id)
    assert client.chat.completions.retrieve(kept.id).to_dict()["metadata"] == {"case": "mine"}


BAD: list[tuple[Callable[[OpenAI, str], object], str, str]] = [
    (lambda c, _: c.chat.completions.list(after="chatcmpl-x"), "after", "invalid_value"),
    (lambda c, _: c.chat.completions.list(limit=0), "limit", "integer_below_min_value"),
    (lambda c, _: c.chat.completions.list(limit=101), "limit", "integer_above_max_value"),
    (lambda c, _: c.chat.completions.list(order="up"), "order", "invalid_value"),  # type: ignore[arg-type]
    (lambda c, _: c.chat.completions.list(extra_query={"metadata": "x"}), "metadata", "invalid_type"),
    (lambda c, _: c.chat.completions.list(extra_query={"page": "2"}), "page", "unknown_parameter"),
    (lambda c, i: c.chat.completions.messages.list(i, after="x"), "after", "invalid_value"),
    (lambda c, i: c.chat.completions.messages.list(i, limit=0), "limit", "integer_below_min_value"),
    (lambda c, i: c.chat.completions.update(i, metadata={"k": "v" * 513}), "metadata", "string_above_max_length"),
    (lambda c, _: store(c, "x", metadata={f"k{n}": "" for n in range(17)}), "metadata", "object_above_max_length"),
]


@pytest.mark.parametrize(("call", "param", "code"), BAD)
def test_nonsense_is_refused(client: OpenAI, call: Callable[..., object], param: str, code: str) -> None:
    kept = store(client, "Still here.")
    with pytest.raises(BadRequestError) as caught:
        call(client, kept.id)
    assert (caught.value.param, caught.value.code) == (param, code)

"""Stored chat completions as their operations see them: pages of their messages, metadata, and what is not there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from freehold.core.errors import Invalid, NotFound
from freehold.core.ports import Served
from freehold.core.principal import Principal
from freehold.services.completions import Completions
from freehold.storage.database import open_database
from freehold.storage.repos.completions import CompletionRows
from freehold.surfaces.chat.objects import ChatCompletion, ChatUsage, CompletionDetails, PromptDetails
from freehold.surfaces.chat.request import ChatBody
from tests.databases import database_url

WHO = Principal("p", "key", request="req_1")
SERVED = Served(name="m", context=100, max_output=10, created=1)
USAGE = ChatUsage(1, 1, 2, PromptDetails(), CompletionDetails())


def with_completions(folder: Path, work: Callable[[Completions], Awaitable[None]]) -> None:
    """Run `work` on the completions of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(Completions(CompletionRows(database)))

    asyncio.run(main())


async def keep(completions: Completions, name: str, *said: str, **fields: object) -> None:
    """Keep a completion that answers what the user said."""
    messages = [{"role": "user", "content": text} for text in said]
    body = msgspec.convert({"model": "gpt-5", "messages": messages, **fields}, ChatBody)
    completion = ChatCompletion(id=name, created=1, model="gpt-5", choices=(), usage=USAGE, system_fingerprint="fp")
    await completions.keep(WHO, body, SERVED, completion)


def test_a_completion_is_found_changed_and_deleted(tmp_path: Path) -> None:
    async def work(completions: Completions) -> None:
        await keep(completions, "a", "Hello.", metadata={"k": "v"})
        found = await completions.retrieve(WHO, "a")
        assert (found.id, found.model, found.metadata, found.request_id) == ("a", "gpt-5", {"k": "v"}, "req_1")
        assert found.usage == msgspec.to_builtins(USAGE)
        changed = await completions.update(WHO, "a", {"k": "w"})
        assert changed == msgspec.structs.replace(found, metadata={"k": "w"})
        assert await completions.retrieve(WHO, "a") == changed
        assert (await completions.delete(WHO, "a")).id == "a"
        with pytest.raises(NotFound):
            await completions.retrieve(WHO, "a")

    with_completions(tmp_path, work)


def test_lists_name_their_ends(tmp_path: Path) -> None:
    async def work(completions: Completions) -> None:
        for name in "abc":
            await keep(completions, name, "Hello.")
        page = await completions.list(WHO, None, {}, None, 2, "asc")
        assert (page.first_id, page.last_id, page.has_more) == ("a", "b", True)
        rest = await completions.list(WHO, None, {}, page.last_id, 2, "asc")
        assert (rest.first_id, rest.last_id, rest.has_more) == ("c", "c", False)
        none = await completions.list(WHO, "other", {}, None, 2, "asc")
        assert (none.data, none.first_id, none.last_id, none.has_more) == ((), None, None, False)

    with_completions(tmp_path, work)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_messages_follow_each_other(tmp_path: Path, limit: int, order: str) -> None:
    said = ["one", "two", "three", "four", "five"]

    async def work(completions: Completions) -> None:
        await keep(completions, "a", *said)
        listed: list[str | None] = []
        after, has_more = None, True
        while has_more:
            page = await completions.messages(WHO, "a", after, limit, order)  # type: ignore[arg-type]
            listed += [message.content for message in page.data]
            after, has_more = page.last_id, page.has_more
            assert has_more == (len(listed) < len(said))
        assert listed == (said if order == "asc" else said[::-1])

    with_completions(tmp_path, work)


def test_what_is_not_there_is_a_fault(tmp_path: Path) -> None:
    async def work(completions: Completions) -> None:
        await keep(completions, "a", "Hello.")
        with pytest.raises(Invalid, match="No message with id 'a-1'") as caught:
            await completions.messages(WHO, "a", "a-1", 20, "asc")
        assert caught.value.param == "after"
        stranger = Principal("q", "key")
        calls: list[Awaitable[object]] = [
            completions.retrieve(stranger, "a"),
            completions.update(stranger, "a", {}),
            completions.delete(stranger, "a"),
            completions.messages(stranger, "a", None, 20, "asc"),
        ]
        for call in calls:
            with pytest.raises(NotFound, match="Chat completion with id 'a' not found"):
                await call

    with_completions(tmp_path, work)

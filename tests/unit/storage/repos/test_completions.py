"""Stored chat completions: lists chosen by model and metadata, changes, and projects that do not see each other."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from freehold.core.errors import Invalid
from freehold.storage.database import open_database
from freehold.storage.repos.completions import CompletionRow, CompletionRows, Kept
from tests.databases import database_url


def with_rows(folder: Path, work: Callable[[CompletionRows], Awaitable[None]]) -> None:
    """Run `work` on the completions of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(CompletionRows(database))

    asyncio.run(main())


def completion(name: str, project: str = "p", model: str = "m") -> CompletionRow:
    return CompletionRow(id=name, project=project, model=model, messages=b"[]", body=b'"%s"' % name.encode())


def names(found: list[Kept]) -> str:
    return " ".join(kept.body.decode().strip('"') for kept in found)


def test_a_completion_is_kept_and_its_metadata_replaced(tmp_path: Path) -> None:
    async def work(rows: CompletionRows) -> None:
        await rows.add(completion("a"), {"k": "v", "x": ""})
        assert await rows.get("p", "a") == Kept(b'"a"', {"k": "v", "x": ""})
        assert await rows.messages("p", "a") == b"[]"
        assert await rows.update("p", "a", {"k": "w"}) == Kept(b'"a"', {"k": "w"})
        assert await rows.update("p", "a", {}) == Kept(b'"a"', {})
        assert await rows.get("p", "a") == Kept(b'"a"', {})
        assert await rows.update("p", "unknown", {"k": "w"}) is None

    with_rows(tmp_path, work)


def test_deleting_takes_the_metadata_along(tmp_path: Path) -> None:
    async def work(rows: CompletionRows) -> None:
        await rows.add(completion("a"), {"k": "v"})
        assert await rows.delete("p", "a")
        assert not await rows.delete("p", "a")
        assert await rows.get("p", "a") is None
        assert await rows.messages("p", "a") is None
        await rows.add(completion("a"), {})
        assert await rows.get("p", "a") == Kept(b'"a"', {})

    with_rows(tmp_path, work)


def test_lists_are_chosen_by_model_and_by_all_of_the_metadata(tmp_path: Path) -> None:
    async def work(rows: CompletionRows) -> None:
        await rows.add(completion("a"), {"k": "1", "l": "1"})
        await rows.add(completion("b", model="n"), {"k": "1"})
        await rows.add(completion("c"), {"odd \"key'": "%_"})
        await rows.add(completion("d", project="q"), {"k": "1"})

        async def listed(model: str | None, metadata: dict[str, str]) -> str:
            found, has_more = await rows.page("p", model, metadata, None, 20, "asc")
            assert not has_more
            return names(found)

        assert await listed(None, {}) == "a b c"
        assert await listed("n", {}) == "b"
        assert await listed(None, {"k": "1"}) == "a b"
        assert await listed("m", {"k": "1"}) == "a"
        assert await listed(None, {"k": "1", "l": "1"}) == "a"
        assert await listed(None, {"k": "2"}) == ""
        assert await listed(None, {"odd \"key'": "%_"}) == "c"
        assert await listed(None, {"odd \"key'": "xx"}) == ""

    with_rows(tmp_path, work)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other_in_the_order_of_storing(tmp_path: Path, limit: int, order: str) -> None:
    given = ["e", "b", "d", "a", "c"]

    async def work(rows: CompletionRows) -> None:
        for name in given:
            await rows.add(completion(name), {})
        listed: list[str] = []
        has_more = True
        while has_more:
            after = listed[-1] if listed else None
            found, has_more = await rows.page("p", None, {}, after, limit, order)  # type: ignore[arg-type]
            listed += names(found).split()
            assert has_more == (len(listed) < len(given))
        assert listed == (given if order == "asc" else given[::-1])

    with_rows(tmp_path, work)


def test_another_project_sees_and_changes_nothing(tmp_path: Path) -> None:
    async def work(rows: CompletionRows) -> None:
        await rows.add(completion("a"), {"k": "v"})
        assert await rows.get("q", "a") is None
        assert await rows.messages("q", "a") is None
        assert await rows.update("q", "a", {}) is None
        assert not await rows.delete("q", "a")
        assert await rows.page("q", None, {}, None, 20, "asc") == ([], False)
        with pytest.raises(Invalid, match="No chat completion found with id 'a'"):
            await rows.page("q", None, {}, "a", 20, "asc")
        assert await rows.get("p", "a") == Kept(b'"a"', {"k": "v"})

    with_rows(tmp_path, work)

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from freehold.core.errors import StorageFailed
from freehold.storage.database import Database, open_database
from freehold.storage.tables import keys


def row(name: str) -> dict[str, object]:
    return {
        "id": name,
        "project": "p",
        "name": name,
        "hash": name.encode(),
        "hint": "",
        "owner": False,
        "created": 1,
        "revoked": None,
    }


def names(folder: Path, *batches: list[str]) -> tuple[set[str], list[BaseException | None]]:
    """Insert each batch as a caller of its own, all at once; return what is there, and what each caller was told."""

    async def main() -> tuple[set[str], list[BaseException | None]]:
        async with open_database("sqlite:///x.db", folder) as database:
            told = await asyncio.gather(
                *(database.insert((insert(keys), [row(name) for name in batch])) for batch in batches),
                return_exceptions=True,
            )
            return await stored(database), told

    return asyncio.run(main())


async def stored(database: Database) -> set[str]:
    return await database.read(lambda connection: set(connection.execute(select(keys.c.id)).scalars()))


def test_rows_of_many_callers_are_all_there(tmp_path: Path) -> None:
    there, told = names(tmp_path, *([f"{i}", f"{i}b"] for i in range(300)))
    assert len(there) == 600 and set(told) == {None}


def test_a_caller_whose_rows_do_not_fit_spoils_nobody_elses(tmp_path: Path) -> None:
    there, told = names(tmp_path, ["a"], ["b", "a"], ["c"], ["d", "d"], ["e"])
    assert there == {"a", "c", "e"}
    assert [isinstance(one, StorageFailed) for one in told] == [False, True, False, True, False]


def test_the_rows_of_one_caller_are_all_there_or_none(tmp_path: Path) -> None:
    there, told = names(tmp_path, ["a", "b", "a"])
    assert there == set() and isinstance(told[0], StorageFailed)


def test_nothing_is_inserted_once_it_closes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database("sqlite:///x.db", tmp_path) as database:
            pass
        with pytest.raises(StorageFailed, match="shutting down"):
            await database.insert((insert(keys), [row("a")]))

    asyncio.run(main())

"""The rows of keys are found by hash, listed by age, and revoked once."""

import asyncio
from pathlib import Path

from msgspec.structs import replace

from freehold.storage.database import open_database
from freehold.storage.repos.keys import KeyRow, KeyRows
from tests.databases import database_url


def key(name: str, created: int) -> KeyRow:
    return KeyRow(
        id=f"key_{name}",
        project="p",
        name=name,
        hash=name.encode() * 4,
        hint="wxyz",
        owner=name == "boss",
        created=created,
    )


def test_keys_are_found_listed_and_revoked(tmp_path: Path) -> None:
    young, old, boss = key("young", 30), key("old", 10), key("boss", 20)

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            rows = KeyRows(database)
            for row in (young, old, boss):
                await rows.add(row)
            assert await rows.list() == [old, boss, young]
            assert await rows.find(boss.hash) == boss
            assert await rows.find(b"nobody's") is None

            assert await rows.revoke(old.id, 40)
            assert await rows.revoke(old.id, 50)
            assert not await rows.revoke("key_nowhere", 60)
            assert await rows.find(old.hash) == replace(old, revoked=40)
            assert await rows.find(young.hash) == young

    asyncio.run(main())

"""Many values in one parameter, on the database that the tests run on."""

import asyncio
from pathlib import Path

from sqlalchemy import String, bindparam, insert, select

from freehold.storage.among import Among, listed
from freehold.storage.database import open_database
from freehold.storage.tables import responses
from tests.databases import database_url

ODD = ('"', "'", "\\", "é\n", "%s", ":ids", "")


def test_those_are_found_that_are_listed(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            row = {"project": "p", "previous": None, "created": 1, "status": "completed", "model": "m", "body": b""}
            rows = [row | {"id": one} for one in (*ODD, "a", "b")]
            await database.write(lambda connection: connection.execute(insert(responses), rows))
            chosen = select(responses.c.id).where(Among(responses.c.id, bindparam("ids", type_=String)))
            for sought in (ODD, ("a", "none"), ()):
                found = await database.read(
                    lambda connection, sought=sought: (
                        connection.execute(chosen, {"ids": listed(sought)}).scalars().all()
                    )
                )
                assert set(found) == set(sought) - {"none"}

    asyncio.run(main())

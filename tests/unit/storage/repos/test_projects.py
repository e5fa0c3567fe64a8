"""The end of a project: nothing of it is left in any table, and nothing of another is gone."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from freehold.core.errors import NotFound
from freehold.storage.repos.conversations import ConversationRow, ConversationRows
from freehold.storage.repos.items import ItemRow
from freehold.storage.repos.projects import OWNED, ProjectRows
from freehold.storage.repos.responses import ResponseRow, ResponseRows
from freehold.storage.tables import blobs, metadata
from freehold.surfaces.vector_store_files import AddFileBody
from freehold.surfaces.vector_stores import CreateBody
from tests.library import OURS, THEIRS, Library, in_library

NOT_OWNED = {"alembic_version", "blobs"}


def counted(connection: Connection) -> dict[str, int]:
    """How many rows each table has; of blobs, those that are kept."""
    kept = select(func.count()).select_from(blobs).where(blobs.c.state == "kept")
    every = {name: select(func.count()).select_from(table) for name, table in metadata.tables.items()}
    return {name: connection.execute(one).scalar_one() for name, one in (every | {"blobs": kept}).items()}


async def filled(here: Library, who: str) -> str:
    """Give a project something of most kinds, and return its store."""
    owner = OURS if who == OURS.project else THEIRS
    items = [ItemRow(f"msg_{who}", b"{}")]
    response = ResponseRow(
        id=f"resp_{who}", project=who, previous=None, created=7, status="completed", model="m", body=b"{}"
    )
    conversation = ConversationRow(id=f"conv_{who}", project=who, created=7, metadata=b"{}")
    await ConversationRows(here.database).add(conversation, [ItemRow("a", b"{}")])
    await ResponseRows(here.database).add(response, items, items)
    store = (await here.stores.create(owner, CreateBody(name=who))).id
    file_id = await here.upload(f"{who}.txt", b"Speckled hens lay brown eggs.", owner)
    await here.inside.add(owner, store, AddFileBody(file_id=file_id, attributes={"a": 1}))
    await here.work()
    late = await here.upload(f"{who}-late.txt", b"Not taken in yet.", owner)
    await here.inside.add(owner, store, AddFileBody(file_id=late))
    return store


def test_nothing_of_a_project_is_left_and_nothing_of_another_is_gone(tmp_path: Path) -> None:
    async def work(here: Library) -> None:
        rows = ProjectRows(here.database)
        theirs = await filled(here, THEIRS.project)
        await here.work()
        alone = await here.database.read(counted)
        ours = await filled(here, OURS.project)
        assert await here.found(ours, "eggs") == ["p.txt"]
        assert set(await rows.list()) == {"p", "q"}
        gone = await rows.delete("p", here.now[0])
        assert gone == {"responses": 1, "conversations": 1, "files": 2, "jobs": 1, "vector_stores": 1}
        assert await here.database.read(counted) == alone
        with pytest.raises(NotFound):
            await here.found(ours, "eggs")
        hits = await here.search.find(THEIRS, [theirs], "eggs", None, None, 10, False)
        assert {hit.filename for hit in hits} == {"q.txt", "q-late.txt"}
        assert await rows.delete("p", here.now[0]) == {}

    in_library(tmp_path, work)


def test_every_table_belongs_to_a_project_or_hangs_on_one_that_does() -> None:
    owned = {table.name for table in OWNED} | {"parsed_files"} | NOT_OWNED
    for table in metadata.sorted_tables:
        cascades = {key.column.table.name for key in table.foreign_keys if key.ondelete == "CASCADE"}
        assert table.name in owned or cascades & owned, table.name
        owned.add(table.name)

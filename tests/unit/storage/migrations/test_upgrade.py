"""The migrations end at the tables the code knows, and leave a newer program's database alone."""

import asyncio
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from freehold.storage.database import open_database
from freehold.storage.migrations.upgrade import HEAD, VERSIONS, revision
from freehold.storage.repos.conversations import ConversationRow as Conversation
from freehold.storage.repos.conversations import ConversationRows as Conversations
from freehold.storage.tables import metadata
from tests.databases import SQLITE, database_url

CASCADE = {"ondelete": "CASCADE"}


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, metadata)

    def constraints(connection: Connection) -> dict[str, tuple[object, list[object]]]:
        inspector = inspect(connection)
        return {
            table.name: (
                inspector.get_pk_constraint(table.name)["name"],
                [(key["name"], key["options"]) for key in inspector.get_foreign_keys(table.name)],
            )
            for table in metadata.sorted_tables
        }

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            assert await database.read(differences) == []
            found = await database.read(constraints)
            assert {name: primary for name, (primary, _) in found.items()} == {
                table.name: f"pk_{table.name}" for table in metadata.sorted_tables
            }
            assert {name: keys for name, (_, keys) in found.items() if keys} == {
                "items": [("fk_items_response", CASCADE)],
                "conversation_items": [("fk_conversation_items_conversation", CASCADE)],
                "completion_metadata": [("fk_completion_metadata_completion", CASCADE)],
                "upload_parts": [("fk_upload_parts_upload", CASCADE)],
                "frames": [("fk_frames_response", CASCADE)],
                "batch_lines": [("fk_batch_lines_batch", CASCADE)],
                "vector_store_files": [("fk_vector_store_files_store", CASCADE)],
                "vector_store_attributes": [("fk_vector_store_attributes_entry", CASCADE)],
                "vector_store_batches": [("fk_vector_store_batches_store", CASCADE)],
                "chunks": [("fk_chunks_entry", CASCADE)],
            }

    asyncio.run(main())


def test_a_database_of_the_first_program_keeps_what_it_holds(tmp_path: Path) -> None:
    def add_old(connection: Connection) -> None:
        for table in reversed(metadata.sorted_tables):
            if table.name not in ("keys", "responses", "items"):
                table.drop(connection)
        connection.execute(text("DROP INDEX ix_items_id"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        connection.execute(text("INSERT INTO responses VALUES ('r', 'p', NULL, 1, 'completed', 'm', 'body')"))
        connection.execute(text("INSERT INTO items VALUES ('r', 0, FALSE, 'i', 'body')"))

    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            await database.write(add_old)
        async with open_database(database_url(tmp_path), tmp_path) as database:
            assert (
                await database.read(lambda connection: connection.execute(text("SELECT id FROM items")).scalar()) == "i"
            )
            names = await database.read(lambda connection: set(inspect(connection).get_table_names()))
            assert names == {*metadata.tables, "alembic_version"}

    asyncio.run(main())


def test_revisions_are_in_order() -> None:
    assert list(VERSIONS) == [f"{number:04}" for number in range(1, len(VERSIONS) + 1)]


def test_a_new_database_has_the_newest_revision(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            assert await database.read(revision) == HEAD

    asyncio.run(main())


def test_a_folder_with_odd_characters_is_no_problem(tmp_path: Path) -> None:
    odd = tmp_path / "50% off; ünï 'quoted' ?x=1#y"

    async def main() -> None:
        async with open_database(SQLITE, odd) as database:
            assert await database.read(lambda connection: inspect(connection).has_table("items"))

    asyncio.run(main())
    assert (odd / "freehold.db").exists()


def test_times_after_2038_are_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_database(database_url(tmp_path), tmp_path) as database:
            await Conversations(database).add(Conversation(id="c", project="p", created=2**40, metadata=b"{}"), [])
            found = await Conversations(database).get("p", "c")
            assert found is not None and found.created == 2**40

    asyncio.run(main())

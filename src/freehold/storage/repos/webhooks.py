"""The rows of webhook endpoints. Their secrets come here sealed."""

from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from freehold.core.errors import Invalid
from freehold.storage.database import Database
from freehold.storage.repos import jobs
from freehold.storage.tables import webhook_endpoints


class EndpointRow(Struct, frozen=True, kw_only=True):
    """An endpoint; `secrets` is sealed, `body` the JSON of its object."""

    id: str
    project: str
    secrets: bytes
    body: bytes


_own = webhook_endpoints.c
_columns = [_own[name] for name in EndpointRow.__struct_fields__]
_one = (_own.id == bindparam("id"), _own.project == bindparam("project"))
_ADD = insert(webhook_endpoints)
_GET = select(*_columns).where(*_one)
_NUMBER = select(_own.number).where(*_one)
_LOCK = _GET.with_for_update()
_ALL = select(*_columns).where(_own.project == bindparam("project")).order_by(_own.number)
_CHANGE = (
    update(webhook_endpoints)
    .where(_own.id == bindparam("its_id"))
    .values(secrets=bindparam("new_secrets"), body=bindparam("new_body"))
)
_DELETE = delete(webhook_endpoints).where(*_one)


def of_project(connection: Connection, project: str) -> list[EndpointRow]:
    """Return every endpoint of a project, oldest first, as part of a write."""
    return [EndpointRow(**row) for row in connection.execute(_ALL, {"project": project}).mappings()]


class WebhookRows:
    """The stored endpoints; those of another project do not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: EndpointRow) -> None:
        """Store an endpoint, durable when this returns."""
        await self._database.insert((_ADD, [{name: getattr(row, name) for name in EndpointRow.__struct_fields__}]))

    async def get(self, project: str, endpoint_id: str) -> EndpointRow | None:
        """Return an endpoint."""
        sought = {"id": endpoint_id, "project": project}

        def work(connection: Connection) -> EndpointRow | None:
            found = connection.execute(_GET, sought).mappings().first()
            return None if found is None else EndpointRow(**found)

        return await self._database.read(work)

    async def change(
        self, project: str, endpoint_id: str, change: Callable[[EndpointRow], EndpointRow]
    ) -> EndpointRow | None:
        """Replace an endpoint's secrets and body by those that `change` makes of it; None when there is none."""
        sought = {"id": endpoint_id, "project": project}

        def work(connection: Connection) -> EndpointRow | None:
            found = connection.execute(_LOCK, sought).mappings().first()
            if found is None:
                return None
            new = change(EndpointRow(**found))
            connection.execute(_CHANGE, {"its_id": new.id, "new_secrets": new.secrets, "new_body": new.body})
            return new

        return await self._database.write(work)

    async def delete(self, project: str, endpoint_id: str) -> bool:
        """Delete an endpoint with the deliveries that wait for it; False when there is none."""
        sought = {"id": endpoint_id, "project": project}

        def work(connection: Connection) -> bool:
            jobs.drop(connection, project, endpoint_id)
            return connection.execute(_DELETE, sought).rowcount > 0

        return await self._database.write(work)

    async def finish(self, job: jobs.JobRow) -> None:
        """End the delivery that is a job. Raises LeaseLost."""
        await self._database.write(lambda connection: jobs.finish(connection, job))

    async def page(self, project: str, after: str | None, limit: int) -> tuple[list[EndpointRow], bool]:
        """Return a page of the endpoints, the newest first, and if there is more.

        Raises Invalid when `after` is no endpoint of the project.
        """
        chosen = select(*_columns).where(_own.project == project).order_by(_own.number.desc()).limit(limit + 1)

        def work(connection: Connection) -> tuple[list[EndpointRow], bool]:
            statement = chosen
            if after is not None:
                number = connection.execute(_NUMBER, {"id": after, "project": project}).scalar()
                if number is None:
                    raise Invalid(f"No webhook endpoint found with id '{after}'.", "invalid_value", "after")
                statement = statement.where(_own.number < number)
            rows = [EndpointRow(**row) for row in connection.execute(statement).mappings()]
            return rows[:limit], len(rows) > limit

        return await self._database.read(work)

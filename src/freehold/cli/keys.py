"""`freehold keys`: create, list, revoke."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import click

from freehold.cli.context import Here
from freehold.config import load
from freehold.services.keys import Keys, pepper
from freehold.storage.database import open_database
from freehold.storage.repos.keys import KeyRow, KeyRows

T = TypeVar("T")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys. A running server notices within five seconds."""


@keys.command()
@click.option("--name", default="", help="What the key is for.")
@click.option("--project", default="default", show_default=True, help="The project that owns what the key makes.")
@click.option("--owner", is_flag=True, help="Let the key change what the whole server offers.")
@click.pass_obj
def create(here: Here, name: str, project: str, owner: bool) -> None:
    """Make a key and print it. It is shown once; only its hash is stored."""
    row, secret = _with_keys(here, lambda keys: keys.create(name, project, owner))
    click.echo(secret)
    click.echo(f"{row.id}: project {project}. Keep the key now, it cannot be shown again.", err=True)


@keys.command("list")
@click.pass_obj
def list_keys(here: Here) -> None:
    """List the keys; of each secret only the end is known."""
    rows: list[KeyRow] = _with_keys(here, lambda keys: keys.list())
    click.echo(f"{'ID':<52} {'SECRET':<10} {'PROJECT':<12} {'ROLE':<7} {'CREATED':<11} {'STATE':<8} NAME")
    for row in rows:
        created = datetime.fromtimestamp(row.created, UTC).date().isoformat()
        role, state = "owner" if row.owner else "member", "revoked" if row.revoked else "active"
        hint = f"…{row.hint}"
        click.echo(f"{row.id:<52} {hint:<10} {row.project:<12} {role:<7} {created:<11} {state:<8} {row.name}")


@keys.command()
@click.argument("key_id")
@click.pass_obj
def revoke(here: Here, key_id: str) -> None:
    """Revoke a key by its id."""
    _with_keys(here, lambda keys: keys.revoke(key_id))
    click.echo(f"revoked {key_id}")


def _with_keys(here: Here, use: Callable[[Keys], Awaitable[T]]) -> T:
    async def main() -> T:
        data = here.folders.data
        settings = load(here.environ, None, data)
        secret = pepper(data / settings.server.pepper)
        async with open_database(settings.storage.database, data, settings.storage.migrate) as database:
            return await use(Keys(KeyRows(database), secret))

    return asyncio.run(main())

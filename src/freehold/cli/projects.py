"""`freehold projects`: list, delete."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from freehold.cli.context import Here
from freehold.config import load
from freehold.engines.llama.states import forget
from freehold.engines.registry import KEPT
from freehold.services.keys import FRESH_SECONDS
from freehold.storage.database import open_database
from freehold.storage.repos.keys import KeyRows
from freehold.storage.repos.projects import Counts, ProjectRows

T = TypeVar("T")
_NOTICED_SECONDS = FRESH_SECONDS + 1


@click.group(short_help="See what each project owns; delete one.")
def projects() -> None:
    """See what each project owns, and delete one with everything in it. `freehold keys create` makes them."""


@projects.command("list")
@click.pass_obj
def list_projects(here: Here) -> None:
    """List the projects and how much each of them owns."""
    for project, counts in _with_rows(here, lambda rows, _: rows.list()).items():
        click.echo(f"{project}: {_told(counts)}")


@projects.command()
@click.argument("project")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(here: Here, project: str, yes: bool) -> None:
    """Delete a project: its keys, responses, conversations, files, batches, vector stores, webhooks.

    Its keys are revoked first, and running servers get the time to notice. The bytes of its files are removed by the
    next worker that looks. There is no way back but a backup.
    """
    owned = _with_rows(here, lambda rows, _: rows.list()).get(project)
    if owned is None:
        raise click.ClickException(f"there is no project {project!r}; `freehold projects list` names them")
    if not yes:
        click.confirm(f"Delete {_told(owned)} of {project!r} for ever?", abort=True)

    data = here.folders.data
    folders = {data / KEPT, *(data / (spec.kept or KEPT) for spec in load(here.environ, None, data).engines)}

    async def gone(rows: ProjectRows, keys: KeyRows) -> Counts:
        its = [key for key in await keys.list() if key.project == project and key.revoked is None]
        for key in its:
            await keys.revoke(key.id, int(time.time()))
        if its:
            click.echo(f"revoked {len(its)} keys; waiting {_NOTICED_SECONDS:.0f} s for servers to notice", err=True)
            await asyncio.sleep(_NOTICED_SECONDS)
        for folder in folders:  # not before nobody can ask any more, and while the project can still be named
            forget(folder, project)
        return await rows.delete(project, time.time())

    click.echo(f"deleted {_told(_with_rows(here, gone))}")


def _told(counts: Counts) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items())) or "nothing"


def _with_rows(here: Here, use: Callable[[ProjectRows, KeyRows], Awaitable[T]]) -> T:
    async def main() -> T:
        data = here.folders.data
        settings = load(here.environ, None, data)
        async with open_database(settings.storage.database, data, settings.storage.migrate) as database:
            return await use(ProjectRows(database), KeyRows(database))

    return asyncio.run(main())

"""`freehold backup`."""

from pathlib import Path

import click

from freehold.cli.context import Here
from freehold.config import Settings, load
from freehold.storage.backup import Places, back_up, places


@click.command(short_help="Write the server's state into one file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def backup(here: Here, file: Path) -> None:
    """Write the database, the contents of files and the pepper into a new tar FILE, all as of one moment.

    The server may run meanwhile. Not in it: freehold.toml, stored prompts, models, and a bucket's objects. For SQLite;
    PostgreSQL has pg_dump.
    """
    settings = load(here.environ, None, here.folders.data)
    made = back_up(where_of(settings, here), file)
    contents = f"those of {settings.storage.blobs} not included" if made.blobs is None else str(made.blobs)
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB, schema {made.schema}, contents of files: {contents}")
    click.echo("Keep it as you would keep the server: the pepper is in it, which opens what is sealed.", err=True)


def where_of(settings: Settings, here: Here) -> Places:
    """Return where the things are that backups hold. Raises ValueError for a database that is not SQLite."""
    return places(settings.storage.database, settings.storage.blobs, settings.server.pepper, here.folders.data)

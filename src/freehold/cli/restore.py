"""`freehold restore`."""

from pathlib import Path

import click

from freehold.cli.backup import where_of
from freehold.cli.context import Here
from freehold.config import load
from freehold.storage.restore import restore as put_back


@click.command(short_help="Put a backup back.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--force", is_flag=True, help="Replace the database, the contents of files and the pepper that are there."
)
@click.pass_obj
def restore(here: Here, file: Path, force: bool) -> None:
    """Put the things of a backup FILE into the data folder, once it has proved to be whole.

    No server may run on that folder. What is there is replaced only with --force.
    """
    here.folders.data.mkdir(parents=True, exist_ok=True)
    done = put_back(file, where_of(load(here.environ, None, here.folders.data), here), force)
    contents = "in a bucket, not here" if done.blobs is None else str(done.blobs)
    click.echo(f"{here.folders.data}: restored, schema {done.schema}, contents of files: {contents}")

"""`freehold migrate`."""

import click

from freehold.cli.context import Here
from freehold.config import load
from freehold.storage.opening import dialect_of, upgraded


@click.command()
@click.pass_obj
def migrate(here: Here) -> None:
    """Bring the database's schema up to date.

    `freehold serve` does so by itself, unless `[storage] migrate = false`. Servers may run meanwhile, and several may
    start it at once. There is no way back: make a backup first.
    """
    settings = load(here.environ, None, here.folders.data)
    done = upgraded(dialect_of(settings.storage.database, here.folders.data))
    if done.before == done.after:
        click.echo(f"{done.where} is up to date: schema {done.after}")
    elif done.before is None:
        click.echo(f"{done.where} was empty; it has schema {done.after} now")
    else:
        click.echo(f"{done.where} was at schema {done.before}; it is at {done.after} now")

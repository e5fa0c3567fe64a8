"""The `freehold` command."""

import os
import sys
from pathlib import Path

import click

from freehold import __version__
from freehold.cli import backup, chat, doctor, ingest, keys, migrate, models, projects, restore, serve, worker
from freehold.cli.context import Here
from freehold.config import SettingsError, folders
from freehold.core.errors import Fault
from freehold.engines.weights.errors import WeightsError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="freehold")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="The data folder (default: the user's own)."
)
@click.pass_context
def cli(context: click.Context, data: Path | None) -> None:
    """The whole OpenAI API, on hardware you own.

    \b
    freehold serve                      start the server on http://127.0.0.1:8000/v1
    freehold chat "Why is the sky blue?"   ask from the terminal, no server needed
    freehold doctor                     say what is missing, if anything is
    """
    context.obj = Here(os.environ, folders(os.environ, data))


for command in (
    serve.serve,
    worker.worker,
    chat.chat,
    ingest.ingest,
    models.models,
    keys.keys,
    projects.projects,
    migrate.migrate,
    backup.backup,
    restore.restore,
    doctor.doctor,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; an error that can be foreseen is one line, and exit status 1 (Ctrl-C: 130)."""
    try:
        sys.exit(cli(standalone_mode=False))
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (Fault, WeightsError, SettingsError, ValueError, OSError) as error:
        click.echo(f"freehold: {_sentence(error)}", err=True)
        sys.exit(1)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


if __name__ == "__main__":
    main()

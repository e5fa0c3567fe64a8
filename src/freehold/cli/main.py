"""The `freehold` command."""

import os
import sys
from importlib import import_module
from pathlib import Path

import click

from freehold import __version__
from freehold.cli.context import Here
from freehold.config import SettingsError, folders
from freehold.core.errors import Fault
from freehold.engines.weights.errors import WeightsError

COMMANDS = (
    "serve",
    "worker",
    "chat",
    "ingest",
    "bench",
    "models",
    "keys",
    "projects",
    "migrate",
    "backup",
    "restore",
    "doctor",
)
"""Each is the command of its name in the module of its name."""


class Commands(click.Group):
    """The commands, each imported when it is wanted: most need a database, which takes half a second to import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"freehold.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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

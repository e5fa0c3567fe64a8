"""`freehold worker`."""

from pathlib import Path

import click
import uvloop

from freehold.cli.choice import choose, run_choice
from freehold.cli.context import Here
from freehold.cli.serve import log_plainly
from freehold.config import load


@click.command(short_help="Do the work that no client waits for.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The TOML file with the settings.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The data folder.")
@click.option("--model", help="The model behind every chat name, as for `freehold serve`.")
@click.option("--engine", help="A configured engine's name, or a kind: llama, openvino, script.")
@click.option("--script-rate", type=click.FloatRange(0), help="Words a second of the script engine (0: no limit).")
@click.pass_obj
def worker(
    here: Here,
    config: Path | None,
    data: Path | None,
    model: str | None,
    engine: str | None,
    script_rate: float | None,
) -> None:
    """Do the work that no client waits for, beside the servers on the same database.

    It takes the settings of `freehold serve`, and listens nowhere. Ctrl-C, or SIGTERM, puts back what it has.
    """
    # Half a second of imports that the other commands need not wait for.
    from freehold.serving import work  # noqa: PLC0415

    log_plainly()
    here = here.at(data)
    settings = load(here.environ, config, here.folders.data)
    choice = choose(here, settings, engine, model, script_rate)
    folder = here.folders.data
    folder.mkdir(parents=True, exist_ok=True)
    run_choice(choice, lambda settings, tell: uvloop.run(work(settings, folder, choice.find, tell)))

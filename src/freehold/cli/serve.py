"""`freehold serve`."""

import logging
from pathlib import Path

import click
import uvloop

from freehold.cli.choice import choose, run_choice
from freehold.cli.context import Here
from freehold.config import load


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The TOML file with the settings.")
@click.option("--host", help="The address to listen on (default 127.0.0.1: this machine only).")
@click.option("--port", type=click.IntRange(0, 65535), help="The port (default 8000; 0 takes a free one).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The data folder.")
@click.option("--model", help="The model behind every chat name: a catalogue name, a .gguf file, owner/repo:file.gguf.")
@click.option("--key", "keys", multiple=True, help="An API key to accept while this server runs; may be repeated.")
@click.option("--engine", help="A configured engine's name, or a kind: llama, openvino, script.")
@click.option("--script-rate", type=click.FloatRange(0), help="Words a second of the script engine (0: no limit).")
def serve(
    config: Path | None,
    host: str | None,
    port: int | None,
    data: Path | None,
    model: str | None,
    keys: tuple[str, ...],
    engine: str | None,
    script_rate: float | None,
) -> None:
    """Serve the OpenAI API.

    Without any option: the starter model, fetched when it is missing, on http://127.0.0.1:8000/v1. On the first start
    an API key is made and shown. Ctrl-C, or SIGTERM, lets running answers finish. Where no engine is configured, it is
    llama, or what `freehold bench` has found to be the faster one for the model.

    \b
    freehold serve --model ~/models/llama-3.2-3b.gguf --port 9000
    freehold serve --engine script            no model: it repeats what it is told
    """
    # Half a second of imports that the other commands need not wait for.
    from freehold.serving import serve as serve_house  # noqa: PLC0415

    log_plainly()
    here = click.get_current_context().find_object(Here)
    if here is None:
        raise RuntimeError("the command was started without its context")
    here = here.at(data)
    given = {"host": host, "port": port}
    flags = {"server": {name: value for name, value in given.items() if value is not None}}
    settings = load(here.environ, config, here.folders.data, flags)
    choice = choose(here, settings, engine, model, script_rate)
    data = here.folders.data
    data.mkdir(parents=True, exist_ok=True)
    run_choice(choice, lambda settings, tell: uvloop.run(serve_house(settings, data, choice.find, keys, tell)))


def log_plainly() -> None:
    """Send the log to standard error, without what the libraries say of every request."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx2", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

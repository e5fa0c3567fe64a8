"""Which engines a command runs, and the files of their models."""

import os
import shutil
from pathlib import Path

import click
from msgspec.structs import replace

from freehold.cli.context import Here
from freehold.cli.models import pulled
from freehold.config import Settings
from freehold.engines.registry import EngineSpec, Find
from freehold.engines.weights.folder import Folder
from freehold.engines.weights.starters import default_name

GGUF = ("llama", "openvino")
"""The kinds of engines that read model files."""


def chosen(settings: Settings, engine: str | None, model: str | None, rate: float | None) -> Settings:
    """Apply `--engine`, `--model` and `--script-rate` to the settings; with no engine at all, the embedded one is it.

    `engine` is a configured engine's name or a kind. With `model`, one engine serves it alone, behind every alias.
    """
    specs = settings.engines
    if engine is not None:
        named = tuple(spec for spec in specs if spec.name == engine)
        specs = named or (EngineSpec(name=engine, kind=engine),)
    if model is not None:
        first = specs[0] if specs else EngineSpec(name="local")
        specs = (replace(first, models=(model,)),)
        settings = replace(settings, aliases={})
    specs = specs or (EngineSpec(name="local"),)
    if rate is not None:
        specs = tuple(replace(spec, rate=rate) if spec.kind == "script" else spec for spec in specs)
    return replace(settings, engines=specs)


def with_files(settings: Settings, here: Here) -> tuple[Settings, Find]:
    """Fetch the models that the engines need; return the settings with their serving names, and what finds their files.

    A model that is given as a file is served under the file's name. An embedded engine without a model gets the
    starter. What finds files fetches the others, such as those of embedders. Raises WeightsError.
    """
    folder = Folder(here.folders.models)
    files: dict[str, Path] = {}

    def served(given: str) -> str:
        wanted = folder.want(given)
        plain = wanted.starter is None and wanted.hub is None
        name = wanted.path.stem if plain else given
        files[name] = wanted.path if wanted.here else pulled(here, given)
        return name

    def ready(spec: EngineSpec) -> EngineSpec:
        if spec.kind not in GGUF:
            return spec
        models = tuple(served(name) for name in spec.models or (_starter(here),))
        return replace(spec, models=models, draft=spec.draft and served(spec.draft))

    def find(name: str) -> Path:
        return files[name] if name in files else pulled(here, name)

    return replace(settings, engines=tuple(ready(spec) for spec in settings.engines)), find


def _starter(here: Here) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    folder = here.folders.models
    folder.mkdir(parents=True, exist_ok=True)
    name = default_name(memory, shutil.disk_usage(folder).free, lambda name: Folder(folder).want(name).here)
    if not Folder(folder).want(name).here:
        click.echo(f"Fetching the starter model {name} into {folder}, once.", err=True)
    return name

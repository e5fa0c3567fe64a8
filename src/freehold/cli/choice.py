"""Which engine a command takes, and why: what the person said, what is configured, or what `freehold bench` found."""

from collections.abc import Callable
from importlib.util import find_spec

import click
from msgspec import Struct
from msgspec.structs import replace

from freehold.cli.context import Here
from freehold.cli.engines import chosen, with_files
from freehold.config import Settings
from freehold.core.errors import EngineFailed
from freehold.engines.llama.projector import find_projector
from freehold.engines.registry import EngineSpec, Find
from freehold.engines.trial.machine import processor
from freehold.engines.trial.preferences import Preference, Preferences, key_of

USUAL, OTHER = "llama", "openvino"
PACKAGE = "openvino_genai"
INSTALL = "pip install 'freehold[openvino]'"
REFUSED = (
    "JSON mode and schemas, required function calls, custom grammars, logprobs, logit_bias, suffix "
    "and prompts kept for 24 hours"
)
"""What engines of kind `openvino` refuse."""


class Choice(Struct, frozen=True, kw_only=True):
    """What a command runs. `why` says so in a line, which `counts` where something was remembered of another engine.

    `instead` is taken where a remembered engine does not start.
    """

    settings: Settings
    find: Find
    why: str
    counts: bool = False
    instead: Settings | None = None


def choose(here: Here, configured: Settings, engine: str | None, model: str | None, rate: float | None) -> Choice:
    """Apply the options to the settings and fetch what is missing; else the engine is what `freehold bench` found.

    Raises WeightsError.
    """
    settings, find = with_files(chosen(configured, engine, model, rate), here)
    if engine is not None:
        return Choice(settings=settings, find=find, why=f"{_told(settings)}: as --engine says")
    if configured.engines:
        return Choice(settings=settings, find=find, why=f"{_told(settings)}: as configured")
    (spec,) = settings.engines
    kind, why, counts = _remembered(here, spec, find)
    if kind == USUAL:
        return Choice(settings=settings, find=find, why=f"{_told(settings)}: {why}", counts=counts)
    other = replace(settings, engines=(replace(spec, kind=kind),))
    return Choice(settings=other, find=find, why=f"{_told(other)}: {why}", counts=counts, instead=settings)


def run_choice(choice: Choice, run: Callable[[Settings, Callable[[str], None]], None]) -> None:
    """Tell why the engine is what it is, and run; with the usual engine where a remembered one does not start.

    `run` is given the settings, and what to tell a person with; once it has told something, its failures are raised.
    """
    told = list[str]()

    def tell(line: str) -> None:
        told.append(line)
        click.echo(line)

    click.echo(choice.why)
    try:
        run(choice.settings, tell)
    except EngineFailed as failure:
        if choice.instead is None or told:
            raise
        click.echo(fallen_back(choice.instead, failure))
        run(choice.instead, tell)


def fallen_back(instead: Settings, failure: EngineFailed) -> str:
    """The line that says that a remembered engine did not start."""
    return f"{_told(instead)}: the one that `freehold bench` preferred does not start. {failure}"


def _told(settings: Settings) -> str:
    several = "s" if len(settings.engines) > 1 else ""
    return f"engine{several} {', '.join(map(_named, settings.engines))}"


def _named(spec: EngineSpec) -> str:
    kind = spec.kind if spec.kind == spec.name else f"{spec.name} ({spec.kind})"
    return f"{kind} with {', '.join(spec.models)}" if spec.models else kind


def _remembered(here: Here, spec: EngineSpec, find: Find) -> tuple[str, str, bool]:
    """Return the kind of engine for the one model of `spec`, why, and whether another one was remembered for it."""
    path = find(spec.models[0])
    try:
        found = Preferences(here.folders.data).find(key_of(path))
    except ValueError as error:
        return USUAL, f"the default, because {error}", True
    if found is None:
        return USUAL, "the default; `freehold bench` measures which engine is the faster one here", False
    measured = f"`freehold bench` of {found.day}"
    if found.kind == USUAL:
        return USUAL, f"{OTHER} was {found.gain:.2f} times as fast by {measured}; it must be clearly faster", False
    lacking = _lacking(found, find_projector(spec, path) is not None)
    if lacking:
        return USUAL, f"the default, although {measured} preferred {found.kind}: {lacking}", True
    better = f"{found.gain:.2f} times as fast as {USUAL} by {measured}"
    return found.kind, f"{better}. It refuses {REFUSED}; `--engine {USUAL}` takes them.", True


def _lacking(found: Preference, sees: bool) -> str:
    """Why a remembered engine is not taken; empty where it is."""
    if found.kind != OTHER:
        return f"this Freehold has no engine of kind {found.kind!r}"
    if find_spec(PACKAGE) is None:
        return f"it is not installed any more ({INSTALL})"
    if found.machine != (here := processor()):
        return f"that was measured on {found.machine}, and this is {here}"
    return "the model sees by a projector, which it does not read" if sees else ""

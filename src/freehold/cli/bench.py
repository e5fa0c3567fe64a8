"""`freehold bench`: which engine is the faster one for a model on this machine."""

import asyncio
import os
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import click
from msgspec import json
from msgspec.structs import replace

from freehold.cli.choice import INSTALL, OTHER, PACKAGE, USUAL
from freehold.cli.context import Here
from freehold.cli.engines import GGUF, with_files
from freehold.cli.findings import Findings, lines
from freehold.cli.progress import Bar
from freehold.config import load
from freehold.core.errors import EngineFailed
from freehold.engines.llama.projector import find_projector
from freehold.engines.registry import EngineSpec, Find
from freehold.engines.trial.bandwidth import bandwidth
from freehold.engines.trial.machine import cores, processor
from freehold.engines.trial.measure import Measured, Plan, gain, measure, plan_for
from freehold.engines.trial.preferences import Preference, Preferences, key_of
from freehold.engines.weights.errors import UnknownModel
from freehold.engines.weights.folder import Folder

CLEARLY = 1.10
"""How many times as fast the other engine must be to be remembered."""
NEITHER = ("some keywords of strict schemas", "Lark grammars", "suffix", "prompts kept for 24 hours")
"""What engines of the other kind refuse with every model."""


@click.command(short_help="Measure which engine is the faster one for a model here.")
@click.argument("model", required=False)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The TOML file with the settings.")
@click.option("--quick", is_flag=True, help="One short round in place of three: a first impression.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--forget", is_flag=True, help="Measure nothing; forget what was found, of MODEL or of all models.")
@click.pass_obj
def bench(here: Here, model: str | None, config: Path | None, quick: bool, as_json: bool, forget: bool) -> None:
    """Measure the engines that can run MODEL on this machine, and remember the better one.

    MODEL is a catalogue name, a .gguf file or owner/repo:file.gguf; without one, it is the model that `freehold serve`
    would serve. Where no engine is configured, `serve`, `worker` and `chat` then take the remembered engine for that
    model; `--engine` overrules it, `--forget` forgets it. Nothing else should run meanwhile.

    \b
    freehold bench --quick
    freehold bench ~/models/llama-3.2-3b.gguf
    freehold bench --forget
    """
    if forget:
        _forget(here, model)
        return
    settings = load(here.environ, config, here.folders.data)
    first = next((spec for spec in settings.engines if spec.kind in GGUF), EngineSpec(name="local"))
    wanted = replace(first, kind=USUAL, models=(model,) if model else first.models[:1])
    served, find = with_files(replace(settings, engines=(wanted,)), here)
    findings = _measured(served.engines[0], find, quick)
    told = _remember(here, findings, find_projector(served.engines[0], findings.path) is not None)
    if as_json:
        click.echo(json.format(json.encode(findings.told(told.kind if told else None)), indent=2).decode())
        return
    click.echo("\n".join((*lines(findings), "", *_advice(findings, told))))


def _measured(spec: EngineSpec, find: Find, quick: bool) -> Findings:
    """Measure the engines with the settings of `spec`. Raises EngineFailed where the usual one cannot run the model."""
    path, load = find(spec.models[0]), os.getloadavg()[0]
    size, speed = path.stat().st_size, bandwidth()
    plan = plan_for(size, speed, quick)
    spec = replace(spec, slots=max(plan.streams))
    found, without = [_one(spec, USUAL, find, plan)], ""
    if find_spec(PACKAGE) is None:
        without = f"{OTHER} was not measured: it is not installed ({INSTALL})."
    else:
        try:
            found.append(_one(_plain(spec), OTHER, find, plan))
        except EngineFailed as failure:
            without = f"{OTHER} was not measured. {failure}"
    return Findings(
        model=spec.models[0],
        path=path,
        size=size,
        machine=processor(),
        bandwidth=speed,
        busy=load / cores(),
        engines=tuple(found),
        without=without,
    )


def _plain(spec: EngineSpec) -> EngineSpec:
    """The settings that engines of every kind have."""
    return EngineSpec(
        name=spec.name,
        models=spec.models,
        slots=spec.slots,
        context=spec.context,
        pool=spec.pool,
        threads=spec.threads,
    )


def _one(spec: EngineSpec, kind: str, find: Find, plan: Plan) -> Measured:
    bar, done = Bar(f"measuring {kind}", things="steps"), 0

    def told() -> None:
        nonlocal done
        done += 1
        bar(done, plan.steps)

    bar(0, plan.steps)
    try:
        return asyncio.run(measure(replace(spec, name=kind, kind=kind), find, plan, told))
    finally:
        bar.close()


def _remember(here: Here, findings: Findings, sees: bool) -> Preference | None:
    """Remember the better engine; nothing, where there was no choice."""
    memory, key = Preferences(here.folders.data), key_of(findings.path)
    if len(findings.engines) < 2:
        memory.forget(lambda other, _: other == key)
        return None
    faster = gain(*findings.engines)
    kind = OTHER if faster >= CLEARLY and not sees else USUAL
    preference = Preference(
        model=findings.model,
        kind=kind,
        gain=round(faster, 3),
        machine=findings.machine,
        day=datetime.now(UTC).strftime("%Y-%m-%d"),
        refuses=_refused(*findings.engines) if kind == OTHER else "",
    )
    memory.keep(key, preference)
    return preference


def _refused(usual: Measured, other: Measured) -> str:
    """What the other engine refuses and the usual one does not, in words."""
    *some, last = (*(one for one in other.refuses if one not in usual.refuses), *NEITHER)
    return f"{', '.join(some)} and {last}"


def _advice(findings: Findings, told: Preference | None) -> tuple[str, ...]:
    if told is None:
        return (findings.without, f"`freehold serve` takes {USUAL} for {findings.model}.")
    compared = f"{OTHER} is {told.gain:.2f} times as fast as {USUAL}, by the geometric mean of the four speeds."
    if told.kind == USUAL:
        why = "It is not clearly faster." if told.gain < CLEARLY else "But it does not read this model's projector."
        return (f"{compared} {why}", f"Remembered: `freehold serve` takes {USUAL} for {findings.model}.")
    return (
        compared,
        f"Remembered: `freehold serve` and `freehold chat` take {OTHER} for {findings.model}, where no engine is "
        "configured.",
        f"It refuses {told.refuses}. Where you need one of these: `--engine {USUAL}`, or `freehold bench --forget`.",
    )


def _forget(here: Here, model: str | None) -> None:
    memory = Preferences(here.folders.data)
    key = None if model is None else _key(here, model)
    gone = memory.forget(lambda other, one: model is None or other == key or one.model == model)
    click.echo(f"forgotten: {', '.join(sorted(gone))}" if gone else "nothing was remembered")


def _key(here: Here, model: str) -> str | None:
    """What a model is remembered by; None where its file is not here any more."""
    try:
        wanted = Folder(here.folders.models).want(model)
    except UnknownModel:
        return None
    return key_of(wanted.path) if wanted.here else None

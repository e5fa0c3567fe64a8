"""`freehold doctor`: what is missing, in plain words."""

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import httpx2
from msgspec import Struct

from freehold.cli.context import Here
from freehold.config import Settings, SettingsError, load
from freehold.core.errors import StorageFailed
from freehold.engines.llama.cards import cards
from freehold.engines.weights.folder import Folder
from freehold.engines.weights.hub import digest
from freehold.engines.weights.starters import LARGE, MEMORY_OF_LARGE, SMALL, starters
from freehold.storage.state import state_of

ENGINE = "xllamacpp"
SECOND_ENGINE = "openvino-genai"
IMPORTED_AS = {"pycryptodomex": "Cryptodome"}
LEAST_MEMORY = 2 * 1024**3
LEAST_DISK = 2 * 1024**3
SOURCE_SECONDS = 3


class Finding(Struct, frozen=True):
    """What one check found. `needed` findings that are not `ok` make the doctor fail; `advice` says what to do."""

    what: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = True


@click.command(short_help="Say in plain words what this machine lacks.")
@click.option("--full", is_flag=True, help="Also check the model files byte by byte.")
@click.pass_obj
def doctor(here: Here, full: bool) -> None:
    """Check this machine and this installation, and say in plain words what is missing.

    Exit status 1 when something that is needed is missing.
    """
    failed = False
    for finding in _examine(here, full):
        mark = "ok     " if finding.ok else "MISSING" if finding.needed else "note   "
        click.echo(f"{mark} {finding.what}: {finding.found}")
        if not finding.ok:
            click.echo(f"        → {finding.advice}")
            failed |= finding.needed
    click.echo("\nSomething that is needed is missing." if failed else "\nAll that is needed is here.")
    sys.exit(1 if failed else 0)


def _examine(here: Here, full: bool) -> Iterator[Finding]:
    yield _python()
    yield _packages()
    yield (engine := _engine())
    if engine.ok:
        yield _cards()
    yield _processor()
    yield _memory()
    for name, folder in (("data folder", here.folders.data), ("model folder", here.folders.models)):
        yield _folder(name, folder)
    yield _disk(here.folders.models)
    settings, finding = _settings(here)
    yield finding
    yield _port(settings)
    yield _database(here, settings)
    yield from _models(here, full)
    yield _sources(here)


def _python() -> Finding:
    version = platform.python_version()
    return Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")


def _packages() -> Finding:
    """Try every package that we require; the engine, which can lack system libraries too, has its own finding."""
    required = [line for line in importlib.metadata.requires("freehold") or () if "extra ==" not in line]
    names = {re.split(r"[^\w-]", line)[0] for line in required} - {ENGINE}
    missing = []
    for name in sorted(names):
        try:
            importlib.import_module(IMPORTED_AS.get(name, name))
        except ImportError as error:
            missing.append(f"{name} ({error})")
    advice = "Install Freehold again: `pip install --force-reinstall freehold`."
    return Finding("packages", not missing, ", ".join(missing) or f"all {len(names)} can be imported", advice)


def _engine() -> Finding:
    try:
        importlib.import_module(ENGINE)
    except ImportError as error:
        advice = f"Run `pip install {ENGINE}`."
        if "libgomp" in str(error):
            advice = "Install the OpenMP runtime: `apt-get install libgomp1`, or your system's package of that name."
        return Finding("embedded engine", False, str(error), advice)
    told = f"{ENGINE} {importlib.metadata.version(ENGINE)}"
    with suppress(importlib.metadata.PackageNotFoundError):
        told += f", {SECOND_ENGINE} {importlib.metadata.version(SECOND_ENGINE)}"
    return Finding("embedded engine", True, told)


def _cards() -> Finding:
    """Name the graphics cards that the engine computes with; another build of it may see more."""
    found = cards(importlib.import_module(ENGINE).get_device_info())
    return Finding("graphics card", True, ", ".join(found) or "none; the embedded engine computes with the processor")


def _processor() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{platform.machine()}, {cores} cores"
    info = Path("/proc/cpuinfo")
    lacks = platform.machine() == "x86_64" and info.exists() and "avx2" not in info.read_text()
    advice = "The embedded engine needs AVX2; use a newer processor, or an engine on another machine."
    return Finding("processor", not lacks, found + (" without AVX2" if lacks else ""), advice)


def _memory() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = f"{memory / 1024**3:.1f} GiB"
    if memory < LEAST_MEMORY:
        return Finding("memory", False, found, f"2 GiB are the least; {SMALL} needs 1.5.")
    advice = f"The smaller starter model {SMALL} is used; {LARGE} wants 6 GiB."
    return Finding("memory", memory >= MEMORY_OF_LARGE, found, advice, needed=False)


def _folder(name: str, folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".freehold-probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding(name, False, f"{folder} ({error.strerror})", "Make it writable, or name another one.")
    return Finding(name, True, f"{folder} is writable")


def _disk(folder: Path) -> Finding:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    advice = "Make room, or set FREEHOLD_MODELS to a folder on another disk."
    return Finding("disk", free >= LEAST_DISK, f"{free / 1024**3:.1f} GiB free for models", advice, needed=False)


def _settings(here: Here) -> tuple[Settings, Finding]:
    try:
        return load(here.environ, None, here.folders.data), Finding("settings", True, "read")
    except SettingsError as error:
        return Settings(), Finding("settings", False, str(error), "Correct it; `docs/reference/settings.md` lists all.")


def _port(settings: Settings) -> Finding:
    host, port = settings.server.host, settings.server.port
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((host if host != "0.0.0.0" else "127.0.0.1", port)) == 0  # noqa: S104
    found = f"{port} is taken" if taken else f"{port} is free"
    advice = "Another program, perhaps Freehold itself, listens there; use `freehold serve --port`."
    return Finding("port", not taken, found, advice, needed=False)


def _database(here: Here, settings: Settings) -> Finding:
    try:
        state = state_of(settings.storage.database, here.folders.data)
    except (StorageFailed, ValueError) as error:
        return Finding("database", False, str(error), "See the message; the data folder is named above.")
    if state is None:
        return Finding("database", True, "not made yet; `freehold serve` makes it")
    found = f"{state.where}: {state.program}, {state.bytes / 1e6:.1f} MB, answers in {state.seconds * 1e3:.1f} ms"
    if state.newer:
        advice = "A newer Freehold made it: install that one."
    else:
        advice = "`freehold serve`, or `freehold migrate`, brings it up to date."
    found += f", schema {state.schema}" if state.schema else ", no tables yet"
    return Finding("database", state.current, found, advice, needed=state.newer)


def _models(here: Here, full: bool) -> Iterator[Finding]:
    folder = Folder(here.folders.models)
    present = dict(folder.here())
    if not present:
        yield Finding(
            "models", False, "none here yet", f"`freehold serve` fetches one; or `freehold models pull {SMALL}`.", False
        )
    for name, file in present.items():
        starter = folder.want(name).starter
        size = file.stat().st_size
        whole = starter is None or (size == starter.size and (not full or digest(file) == starter.sha256))
        advice = f"Delete and fetch it again: `freehold models rm {name}`, `freehold models pull {name}`."
        yield Finding(f"model {name}", whole, f"{size / 1e6:.0f} MB" + ("" if whole else ", damaged"), advice)


def _sources(here: Here) -> Finding:
    """Ask the hub, then pip's index: a model comes from whichever answers."""
    try:
        httpx2.head(here.hub, timeout=SOURCE_SECONDS)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        lacking = f"{here.hub} does not answer ({type(error).__name__})"
    else:
        return Finding("model sources", True, f"{here.hub} answers")
    package = starters()[SMALL].archives[0].package
    ask = [sys.executable, "-m", "pip", "index", "versions", package]
    ask += ["--retries", "0", "--timeout", str(SOURCE_SECONDS)]
    try:
        answer = subprocess.run(ask, capture_output=True, timeout=10 * SOURCE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        listed = False
    else:
        listed = answer.returncode == 0
    if listed:
        return Finding("model sources", True, f"pip's index has the starters; {lacking}")
    advice = "Check the network and `pip config list`, or put a .gguf file into the model folder by hand."
    return Finding("model sources", False, f"{lacking}, nor does pip's index have the starters", advice, needed=False)

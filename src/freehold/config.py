"""Settings: the only reader of configuration files and of the environment.

Sources, the later ones winning: the defaults below, one TOML file, `FREEHOLD__SECTION__KEY` variables, flags.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from freehold.core.secret import Secret
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.registry import EngineSpec
from freehold.storage.blobs.access import S3Access

PREFIX = "FREEHOLD__"
LISTS = ("models", "allow", "urls", "abilities")
"""The settings of which a variable names several, with commas between them."""
FILE = "freehold.toml"
AWS: Mapping[str, tuple[str, ...]] = {
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "access_key_id": ("AWS_ACCESS_KEY_ID",),
    "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
    "session_token": ("AWS_SESSION_TOKEN",),
}
"""The variables that stand in for settings of `[s3]` that are not set; of each, the first one counts."""


Spec = TypeVar("Spec", EngineSpec, EmbedderSpec)


class SettingsError(Exception):
    """A setting is unknown or wrong; the message names its path."""


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    """`[server]`: where it listens and what it takes; `max_body` in bytes, `drain_seconds` for answers on shutdown.

    `pepper` is the file with the server's own secret; a relative path is inside the data folder.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    max_body: Annotated[int, Meta(ge=1024)] = 64 * 1024 * 1024
    drain_seconds: Annotated[float, Meta(ge=0)] = 30.0
    pepper: Annotated[str, Meta(min_length=1)] = "pepper"


class Storage(Struct, frozen=True, forbid_unknown_fields=True):
    """`[storage]`: where objects and the contents of files are kept; a relative path is inside the data folder.

    `migrate` has a program bring an older schema of the database up to date when it starts.
    """

    database: str = "sqlite:///freehold.db"
    blobs: str = "file:///blobs"
    migrate: bool = True


class Refusals(Struct, frozen=True, forbid_unknown_fields=True):
    """`[refusals]`: what the user says last is declined with `message` where it matches one of the `patterns`.

    The patterns are regular expressions, searched without regard to case.
    """

    patterns: tuple[str, ...] = ()
    message: str = "I'm sorry, but I can't assist with that."


class Outbound(Struct, frozen=True, forbid_unknown_fields=True):
    """`[outbound]`: the addresses (`host:port`) beside the public internet that URLs in requests may name."""

    allow: tuple[Annotated[str, Meta(pattern=r"^[^\s/@]+:[0-9]{1,5}$")], ...] = ()


class Work(Struct, frozen=True, forbid_unknown_fields=True):
    """`[worker]`: whether `freehold serve` runs a worker inside, for what goes on when no client waits."""

    enabled: bool = True


class Searching(Struct, frozen=True, forbid_unknown_fields=True):
    """`[search]`: the megabytes of memory for the indexes of vector stores; whether the model ranks passages again."""

    cache_mb: Annotated[int, Meta(ge=1)] = 1024
    rerank: bool = False


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be configured. `aliases` maps names that clients use to models."""

    server: Server = Server()
    storage: Storage = Storage()
    s3: S3Access = S3Access()
    refusals: Refusals = Refusals()
    outbound: Outbound = Outbound()
    worker: Work = Work()
    search: Searching = Searching()
    engines: tuple[EngineSpec, ...] = ()
    embedders: tuple[EmbedderSpec, ...] = ()
    aliases: dict[str, str] = {}


class Folders(Struct, frozen=True):
    """`data` holds the database and the pepper, `models` the weights."""

    data: Path
    models: Path


def folders(environ: Mapping[str, str], data: Path | None = None) -> Folders:
    """Return the folders: those of the user, unless `data`, FREEHOLD_DATA or FREEHOLD_MODELS say otherwise."""
    home = Path(environ.get("HOME") or Path.home())
    share = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    chosen = data or Path(environ.get("FREEHOLD_DATA") or share / "freehold")
    return Folders(chosen.absolute(), Path(environ.get("FREEHOLD_MODELS") or cache / "freehold/models").absolute())


def load(
    environ: Mapping[str, str], file: Path | None, data: Path, flags: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read the settings: `file`, or `freehold.toml` in the data folder if it is there, then `environ`, then `flags`.

    `flags` is section → key → value. The variables of `AWS` count where nothing else does. Raises SettingsError.
    """
    tree = _read(file or data / FILE, wanted=file is not None)
    for name in sorted((name for name in environ if name.startswith(PREFIX)), key=_numbers_as_numbers):
        _set(tree, name, environ[name])
    for section, values in (flags or {}).items():
        there = tree.setdefault(section, {})
        if isinstance(there, dict):  # what is not a section is refused below, with its path
            there.update(values)
    bucket = tree.setdefault("s3", {})
    if isinstance(bucket, dict):
        for key, names in AWS.items():
            bucket.setdefault(key, next((environ[name] for name in names if environ.get(name)), None))
    try:
        settings = msgspec.convert(tree, Settings, strict=False, dec_hook=_secret)
    except msgspec.ValidationError as error:
        raise SettingsError(_explained(str(error))) from None
    return _with_keys(settings, environ, data)


def _secret(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(f"no setting is a {kind}")


def _with_keys(settings: Settings, environ: Mapping[str, str], data: Path) -> Settings:
    """Put the keys of engines and embedders in their places. Raises SettingsError, which shows none."""
    engines = tuple(_with_key(spec, f"engines[{place}]", environ, data) for place, spec in enumerate(settings.engines))
    embedders = tuple(
        _with_key(spec, f"embedders[{place}]", environ, data) for place, spec in enumerate(settings.embedders)
    )
    return replace(settings, engines=engines, embedders=embedders)


def _with_key(spec: Spec, place: str, environ: Mapping[str, str], data: Path) -> Spec:
    if spec.key_env is not None:
        if not (found := environ.get(spec.key_env)):
            raise SettingsError(f"Wrong setting {place}.key_env: the variable {spec.key_env} is not set.")
    elif spec.key_file is not None:
        try:
            found = (data / spec.key_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"Wrong setting {place}.key_file: {spec.key_file} cannot be read.") from None
    else:
        return spec
    if not found.isascii() or not found.isprintable() or " " in found:
        raise SettingsError(f"Wrong setting {place}: what key_env or key_file holds is no key.")
    return replace(spec, key=Secret(found))


def _read(path: Path, wanted: bool) -> dict[str, Any]:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if wanted:
            raise SettingsError(f"The configuration file {path} does not exist.") from None
        return {}
    except OSError as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The configuration file {path} is not valid TOML: {error}.") from None
    for section in ("engines", "embedders"):
        for place, entry in enumerate(entries if isinstance(entries := tree.get(section), list) else ()):
            if isinstance(entry, dict) and "key" in entry:
                why = "a key does not belong in this file; use key_env or key_file"
                raise SettingsError(f"Wrong setting {section}[{place}].key: {why}.")
    return tree


def _numbers_as_numbers(name: str) -> list[tuple[int, str]]:
    """Sort the tenth engine after the second: entries of a list are made in their order."""
    return [(int(step) if step.isdecimal() else -1, step) for step in name.split("__")]


def _set(tree: dict[str, Any], name: str, value: str) -> None:
    """Put the value of a variable such as FREEHOLD__ENGINES__0__SLOTS at its place."""
    steps = [step.lower() for step in name.removeprefix(PREFIX).split("__")]
    if steps[0] == "aliases" and len(steps) == 2:
        steps[1] = steps[1].replace("_", "-")
    place: Any = tree
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        last = following == ""
        if isinstance(place, list):
            index = int(step) if step.isdecimal() else -1
            if not 0 <= index <= len(place):
                raise SettingsError(f"Unknown setting {name}: {step!r} is not the number of an entry.")
            if index == len(place):
                place.append({})
            place = place[index]
        elif last:
            place[step] = value.split(",") if step in LISTS else value
        else:
            place = place.setdefault(step, [] if following.isdecimal() else {})
        if not isinstance(place, dict | list):
            raise SettingsError(f"Unknown setting {name}.")


def _explained(error: str) -> str:
    found = re.match(r"^(.*?)(?: - at `\$\.?(.*)`)?$", error, re.DOTALL)
    what, path = (found[1], found[2] or "") if found else (error, "")
    if unknown := re.match(r"Object contains unknown field `(.+)`", what):
        place = f"{path}.{unknown[1]}" if path else unknown[1]
        known = ", ".join(_fields(path))
        return f"Unknown setting {place} (known here: {known})."
    if missing := re.match(r"Object missing required field `(.+)`", what):
        return f"Missing setting {path}.{missing[1]}."
    return f"Wrong setting {path}: {what[0].lower() + what[1:]}."


def _fields(path: str) -> tuple[str, ...]:
    kinds: dict[str, type[Struct]] = {
        "": Settings,
        "server": Server,
        "storage": Storage,
        "s3": S3Access,
        "refusals": Refusals,
        "outbound": Outbound,
        "worker": Work,
        "search": Searching,
    }
    other = EmbedderSpec if path.startswith("embedders") else EngineSpec
    return kinds.get(path, other).__struct_fields__

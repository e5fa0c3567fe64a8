"""The engine kinds, and how a configured engine is opened."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from freehold.core.ports import Engine, Vision
from freehold.core.secret import Secret

GROUP = "freehold.engines"
BUILT_IN: Mapping[str, str] = {
    "llama": "freehold.engines.llama.engine:open_llama",
    "openvino": "freehold.engines.openvino.engine:open_openvino",
    "remote": "freehold.engines.remote.engine:open_remote",
    "script": "freehold.engines.script:open_script",
}

KEPT = "kept"
"""The folder, within that of the data, for what engines keep of prompts for 24 hours."""

Find = Callable[[str], Path]
"""Returns the weights file of a model name; it may block for long, to download them."""

DialectName = Literal["vllm", "sglang", "llama-server", "ollama", "freehold", "openai", "plain"]
AbilityName = Literal["schema", "logprobs", "reasoning"]
SpeculationName = Literal["none", "prompt"]


SLOTS = 8
"""How many requests our own engines run at once where nothing is configured."""


class EngineSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine as configured.

    `slots` is how many requests run at once (default: SLOTS, elsewhere what the servers say), `queue` how many wait.
    `context` is the most tokens of one request, prompt and answer together (default: what the model was trained for, at
    most 32768). `pool` is the tokens of memory that the running requests share (default: room for `slots` full answers,
    at most 32768, at least `context`). `threads` compute one token of an answer (default: one less than the cores).
    `rate` is for scripts: words a second, 0 for as fast as it can. `vision` says how the models see (default: by
    themselves where they have a projector, else by OCR where that is installed). `projector` is the file of the model's
    projector (default: the one `mmproj*.gguf` in the folder of a model that is alone there). What was read of prompts
    is kept in `cache_mb` megabytes of memory, and in `kept_mb` megabytes of the folder `kept` where it is to last for
    24 hours. With `shared_prefixes`, an engine of kind `openvino`, and a llama-server behind one of kind `remote`,
    reuses what it has read of prompts for all projects alike. With the `speculation` "prompt", one of kind `llama`
    guesses ahead where an answer repeats its prompt or itself; a `draft` is the name of a smaller model that guesses
    ahead for it.

    The rest is for engines elsewhere: their `url`, or the `urls` of several that serve the same models; their `key`,
    which is what the variable `key_env` or the file `key_file` holds. `dialect` and `abilities` say what they are and
    can (default: they are asked). `connect_seconds`, `first_seconds` and `silent_seconds` are how long they may take to
    take a connection, to begin an answer, and between two pieces of it.
    """

    name: Annotated[str, Meta(min_length=1)]
    kind: str = "llama"
    models: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    slots: Annotated[int, Meta(ge=1, le=4096)] | None = None
    queue: Annotated[int, Meta(ge=0)] = 256
    context: Annotated[int, Meta(ge=64)] | None = None
    pool: Annotated[int, Meta(ge=64)] | None = None
    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None
    rate: Annotated[float, Meta(ge=0)] = 0.0
    vision: Vision | None = None
    projector: str | None = None
    cache_mb: Annotated[int, Meta(ge=1)] = 512
    kept: str | None = None
    kept_mb: Annotated[int, Meta(ge=1)] = 4096
    shared_prefixes: bool = False
    speculation: SpeculationName = "none"
    draft: Annotated[str, Meta(min_length=1)] | None = None
    url: str | None = None
    urls: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    key_env: str | None = None
    key_file: str | None = None
    key: Secret | None = None
    dialect: DialectName | None = None
    abilities: tuple[AbilityName, ...] | None = None
    connect_seconds: Annotated[float, Meta(gt=0)] = 10.0
    first_seconds: Annotated[float, Meta(gt=0)] = 300.0
    silent_seconds: Annotated[float, Meta(gt=0)] = 120.0


_ELSEWHERE = ("url", "urls", "key_env", "key_file", "key", "dialect", "abilities")
_PATIENCE = ("connect_seconds", "first_seconds", "silent_seconds")
_FOR: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*_ELSEWHERE, *_PATIENCE), ("remote",)),
    **dict.fromkeys(("projector", "cache_mb", "kept", "kept_mb", "speculation", "draft"), ("llama",)),
    **dict.fromkeys(("threads", "pool"), ("llama", "openvino")),
    "context": ("llama", "openvino", "remote"),
    "shared_prefixes": ("openvino", "remote"),
    "rate": ("script",),
}
"""The settings that are for some of the built-in kinds only."""

_DEFAULTS = EngineSpec(name="default")

Factory = Callable[[EngineSpec, Find], AbstractAsyncContextManager[Engine]]


def takes(kind: str, setting: str) -> bool:
    """Whether engines of a kind do something with a setting; of kinds that are not ours, nobody knows."""
    return kind not in BUILT_IN or kind in _FOR.get(setting, (kind,))


def open_engine(spec: EngineSpec, find: Find) -> AbstractAsyncContextManager[Engine]:
    """Return a context manager that starts the engine of `spec` on entry and stops it on exit.

    Its module is imported here, not before. Raises ValueError, naming the known kinds, for a kind that is none of them,
    and for a setting that its kind would ignore.
    """
    # What we ship wins: a plugin adds kinds, it cannot quietly take the place of one.
    kinds = {point.name: point.value for point in entry_points(group=GROUP)} | dict(BUILT_IN)
    target = kinds.get(spec.kind)
    if target is None:
        raise ValueError(f"engine {spec.name!r}: unknown kind {spec.kind!r} (known: {', '.join(sorted(kinds))})")
    for name, others in _FOR.items():
        if not takes(spec.kind, name) and getattr(spec, name) != getattr(_DEFAULTS, name):
            only = " and ".join(repr(kind) for kind in others)
            raise ValueError(f"engine {spec.name!r}: {name!r} is for engines of kind {only}, not {spec.kind!r}")
    module, _, attribute = target.partition(":")
    factory: Factory = getattr(import_module(module), attribute)
    return factory(spec, find)

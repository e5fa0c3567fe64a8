"""The embedder kinds, and how a configured embedder is opened."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated

from msgspec import Meta, Struct

from freehold.core.ports import Embedder
from freehold.core.secret import Secret
from freehold.engines.registry import Find

GROUP = "freehold.embedders"
BUILT_IN: Mapping[str, str] = {
    "llama": "freehold.engines.embedding.llama:open_llama",
    "remote": "freehold.engines.remote.embedder:open_remote",
    "onnx": "freehold.engines.embedding.onnx:open_onnx",
    "script": "freehold.engines.embedding.script:open_script",
}
STARTER = "nomic-embed-text-v1.5"
MULTILINGUAL = "multilingual-e5-small"
"""The embedding models of those who configure none; the first is behind the names of the real API."""


class EmbedderSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One embedder as configured.

    `model` is a starter's name, a model file (GGUF for `llama`, the folder of an ONNX model for `onnx`) or
    owner/repo:file.gguf. `context` is the most tokens of one input (default: what the model was trained for). `threads`
    compute (default: as many as there are cores). `queue` is how many requests wait.

    The rest is for embedders elsewhere: their `url`, their `key`, which is what the variable `key_env` or the file
    `key_file` holds, and how many numbers their vectors have (`dimensions`; default: they are asked).
    """

    name: Annotated[str, Meta(min_length=1)]
    kind: str = "llama"
    model: Annotated[str, Meta(min_length=1)] = STARTER
    context: Annotated[int, Meta(ge=16)] | None = None
    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None
    queue: Annotated[int, Meta(ge=0)] = 256
    url: str | None = None
    key_env: str | None = None
    key_file: str | None = None
    key: Secret | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65536)] | None = None


Factory = Callable[[EmbedderSpec, Find], AbstractAsyncContextManager[Embedder]]


def open_embedder(spec: EmbedderSpec, find: Find) -> AbstractAsyncContextManager[Embedder]:
    """Return a context manager that makes the embedder of `spec` on entry and stops it on exit.

    Its module is imported here, not before. Raises ValueError, naming the known kinds, for a kind that is none of them.
    """
    # What we ship wins: a plugin adds kinds, it cannot quietly take the place of one.
    kinds = {point.name: point.value for point in entry_points(group=GROUP)} | dict(BUILT_IN)
    target = kinds.get(spec.kind)
    if target is None:
        raise ValueError(f"embedder {spec.name!r}: unknown kind {spec.kind!r} (known: {', '.join(sorted(kinds))})")
    module, _, attribute = target.partition(":")
    factory: Factory = getattr(import_module(module), attribute)
    return factory(spec, find)

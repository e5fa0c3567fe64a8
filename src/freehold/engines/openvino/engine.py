"""The second embedded engine: GGUF models in OpenVINO, each in a supervised process of its own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from msgspec.structs import replace

from freehold.core.ports import Engine
from freehold.engines.llama.engine import open_embedded
from freehold.engines.openvino.grammar import OpenVinoGrammars
from freehold.engines.registry import EngineSpec, Find

_BACKEND = "freehold.engines.openvino.model:OpenVinoModel"


@asynccontextmanager
async def open_openvino(spec: EngineSpec, find: Find) -> AsyncGenerator[Engine, None]:
    """Yield an engine with every model of `spec` loaded by OpenVINO.

    Raises ValueError where the extra `openvino` is not installed, and for images by projectors, which it cannot do; and
    what `open_embedded` raises.
    """
    if find_spec("openvino_genai") is None:
        raise ValueError(f"engine {spec.name!r}: kind 'openvino' needs the extra: pip install 'freehold[openvino]'")
    if spec.vision == "native":
        raise ValueError(f"engine {spec.name!r}: an engine of kind 'openvino' sees no images by itself")
    async with open_embedded(replace(spec, kept=None), find, _BACKEND, OpenVinoGrammars) as engine:
        yield engine

"""The embedder of ONNX models: sentence transformers, in onnxruntime."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct, json

from freehold.core.ports import Embedder, Encoder
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.embedding.hosted import open_hosted
from freehold.engines.registry import Find

MODEL, TOKENIZER, CONFIG = "model.onnx", "tokenizer.json", "config.json"
_BACKEND = "freehold.engines.embedding.onnx_model:OnnxModel"
_E5 = "e5"


class Config(Struct, frozen=True):
    """What a model's `config.json` says of it."""

    hidden_size: int
    max_position_embeddings: int


@asynccontextmanager
async def open_onnx(spec: EmbedderSpec, find: Find) -> AsyncGenerator[Embedder, None]:
    """Yield the embedder of the folder `spec.model`, which holds model.onnx (or onnx/model.onnx) and tokenizer.json.

    Raises ValueError for a folder that does not, and where the extra `onnx` is not installed.
    """
    for package in ("onnxruntime", "tokenizers"):
        if find_spec(package) is None:
            raise ValueError(f"embedder {spec.name!r}: kind 'onnx' needs the extra: pip install 'freehold[onnx]'")
    encoder, folder = await asyncio.to_thread(_encoder, spec)
    async with open_hosted(spec, encoder, _BACKEND, lambda: folder) as embedder:
        yield embedder


def model_file(folder: Path) -> Path:
    """The file of the model in its folder."""
    plain = folder / MODEL
    return plain if plain.is_file() else folder / "onnx" / MODEL


def _encoder(spec: EmbedderSpec) -> tuple[Encoder, Path]:
    folder = Path(spec.model).expanduser()
    for wanted in (model_file(folder), folder / TOKENIZER, folder / CONFIG):
        if not wanted.is_file():
            raise ValueError(f"embedder {spec.name!r}: {wanted} is not there")
    config = json.decode((folder / CONFIG).read_bytes(), type=Config)
    trained = _E5 in folder.name.lower()
    encoder = Encoder(
        name=folder.name,
        dimensions=config.hidden_size,
        context=config.max_position_embeddings - (2 if trained else 0),
        created=int(model_file(folder).stat().st_mtime),
        backend="onnxruntime",
        query="query: " if trained else "",
        document="passage: " if trained else "",
    )
    return encoder, folder

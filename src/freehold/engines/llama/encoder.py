"""An embedding model in llama.cpp's server core, hosted by a worker process."""

import os
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import xllamacpp
from msgspec import Struct, json

from freehold.core.prompt import Raw
from freehold.engines.llama.header import read_header
from freehold.engines.worker.host import Backend
from freehold.engines.worker.messages import Embedded, Open, Ready, Refused

_NATIVE: Any = xllamacpp  # a compiled module, in which type checkers see nothing
_MOST_CONTEXT = 8_192
_ERRORS = 1
_TOO_LARGE = re.compile(r"input \((\d+) tokens\) is too large to process")


class _Row(Struct, frozen=True):
    index: int
    embedding: str


class _Usage(Struct, frozen=True):
    prompt_tokens: int


class _Error(Struct, frozen=True):
    message: str


class _Answer(Struct, frozen=True):
    data: tuple[_Row, ...] = ()
    usage: _Usage = _Usage(0)
    error: _Error | None = None


class LlamaEncoder(Backend):
    """A GGUF embedding model; raises ValueError or RuntimeError when it cannot be loaded."""

    def __init__(self, opening: Open) -> None:
        path = Path(opening.path).absolute()
        header = read_header(path)
        trained = int(header.get(f"{header.get('general.architecture')}.context_length", _MOST_CONTEXT))
        self._context = min(opening.context or _MOST_CONTEXT, trained)
        os.chdir(opening.folder)
        self._server: Any = _NATIVE.Server(_parameters(opening, path, self._context))
        self._answers = json.Decoder(_Answer)
        self.ready = Ready(
            context=self._context,
            pool=self._context,
            created=int(path.stat().st_mtime),
            backend=f"llama.cpp (xllamacpp {_NATIVE.__version__})",
            fingerprint="",
            temperature=0.0,
            top_p=0.0,
            vocabulary=int(header.get("tokenizer.ggml.tokens", 0)),
        )

    def embed(self, texts: tuple[Raw, ...]) -> Embedded:
        """Return the vectors of texts. Raises Refused for tokens that it does not have, RuntimeError when it fails."""
        for text in texts:
            if not isinstance(text, str) and max(text) >= self.ready.vocabulary:
                raise Refused(f"Invalid token: {max(text)}. The model has {self.ready.vocabulary} tokens.")
        answer = self._ask(texts)
        if answer.error is None:
            rows = tuple(b64decode(row.embedding) for row in sorted(answer.data, key=lambda row: row.index))
            return Embedded(0, rows, answer.usage.prompt_tokens)
        if not _TOO_LARGE.search(answer.error.message):
            raise RuntimeError(f"llama.cpp gave no vectors: {answer.error.message}")
        for number, text in enumerate(texts):
            alone = self._ask((text,)).error
            found = None if alone is None else _TOO_LARGE.search(alone.message)
            if found:
                return Embedded(0, (), int(found[1]), number)
        raise RuntimeError(f"llama.cpp gave no vectors: {answer.error.message}")

    def _ask(self, texts: tuple[Raw, ...]) -> _Answer:
        body = json.encode({"input": texts, "encoding_format": "base64"}).decode()
        return self._answers.decode(self._server.handle_embeddings(body))


def _parameters(opening: Open, path: Path, context: int) -> Any:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    p = _NATIVE.CommonParams()
    p.model.path = str(path)
    p.embedding = True
    p.n_parallel = opening.slots
    p.n_ctx = context * opening.slots
    p.n_batch = p.n_ubatch = context  # a text is read in one step: each of its tokens looks at all the others
    p.kv_unified = True
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = opening.threads or cores
    p.ui = False
    p.offline = True
    p.warmup = False
    p.verbosity = _ERRORS
    return p

"""llama.cpp itself, through xllamacpp: imported in the worker process only, where a crash takes nobody along."""

import hashlib
import http.client
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xllamacpp
from msgspec import Struct, json

from freehold.core.prompt import Turn
from freehold.engines.llama.header import read_header
from freehold.engines.llama.sampling import defaults, sampling
from freehold.engines.worker.messages import Done, Generate, Open, Ready, Refused

_NATIVE: Any = xllamacpp  # a compiled module, in which type checkers see nothing
_SOCKET = "llama.sock"
_MOST_CONTEXT = 32_768
_MOST_OUTPUT = 4_096
_TYPICAL_PROMPT = 512
_CACHE_MIB = 512
_BATCH = 256
_WARNINGS = 2
_ATTEMPTS = 4
_OVERFLOW = "Context size has been exceeded"
_COUNT_SECONDS = 60.0


class _Choice(Struct, frozen=True):
    text: str = ""
    finish_reason: str | None = None


class _Details(Struct, frozen=True):
    cached_tokens: int = 0


class _Usage(Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Details = _Details()


class _Error(Struct, frozen=True):
    message: str = "llama.cpp gave no reason"
    code: int = 500


class _Chunk(Struct, frozen=True):
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    error: _Error | None = None


class _Rendered(Struct, frozen=True):
    prompt: str


class _Counted(Struct, frozen=True):
    tokens: tuple[int, ...]


class _Refusal(Struct, frozen=True):
    error: _Error


class _Overflow(RuntimeError):
    """The memory that the running answers share was full for a moment."""


class LlamaModel:
    """A GGUF model in llama.cpp's server core, called without HTTP; only templates and tokens go through its listener.

    Raises ValueError or RuntimeError when the model cannot be loaded; llama.cpp writes why to stderr.
    """

    def __init__(self, opening: Open) -> None:
        path = Path(opening.path).absolute()
        self._header = read_header(path)
        context, pool = _sizes(opening, self._header)
        self._key = secrets.token_hex(16)
        # The path of a unix socket may have no more than some 100 bytes, which a temporary folder's path can exceed.
        os.chdir(opening.folder)
        self._server: Any = _NATIVE.Server(_parameters(opening, path, pool, self._key))
        self._chunks = json.Decoder(_Chunk)
        temperature, top_p = defaults(self._header)
        self.ready = Ready(
            context=context,
            pool=pool,
            created=int(path.stat().st_mtime),
            backend=f"llama.cpp (xllamacpp {_NATIVE.__version__})",
            fingerprint=_fingerprint(path),
            temperature=temperature,
            top_p=top_p,
        )

    def tokenize(self, turns: tuple[Turn, ...]) -> tuple[int, ...]:
        """Return the tokens of the turns as the model's chat template writes them.

        Raises Refused when the template does not take these turns, RuntimeError when llama.cpp does not answer.
        """
        messages = [{"role": turn.speaker, "content": turn.text} for turn in turns]
        rendered = self._ask("/apply-template", {"messages": messages}, _Rendered)
        return self._count(rendered.prompt, special=True)

    def generate(self, request: Generate, say: Callable[[str], bool]) -> Done:
        """Answer the request's tokens, giving each piece of text to `say` until it returns True.

        Raises Refused for a prompt that llama.cpp does not take, RuntimeError when it fails.
        """
        said: list[str] = []
        written: tuple[int, ...] = ()

        def hear(text: str) -> bool:
            said.append(text)
            return say(text)

        attempts = 1
        while True:
            try:
                end = self._complete(request, written, hear)
            except _Overflow:
                # llama.cpp drops every running answer when a slot that it is about to reuse still holds its old prompt
                # and the new ones find no room beside it. It has cleared them all by then: go on where we were.
                # A grammar knows only answers from their beginning, so one that is half written cannot go on.
                if attempts == _ATTEMPTS or (request.grammar and said):
                    raise
                attempts += 1
                written = self._count("".join(said), special=False)
                if len(written) >= request.limit:
                    return Done(request.id, "length", len(request.tokens), 0, request.limit)
            else:
                cached = min(end.cached, len(request.tokens))
                return Done(request.id, end.reason, len(request.tokens), cached, len(written) + end.output)

    def _complete(self, request: Generate, written: tuple[int, ...], say: Callable[[str], bool]) -> Done:
        run = _Run(request.id, say, self._chunks)
        body = sampling(request, self._header) | {
            "prompt": request.tokens + written,
            "max_tokens": request.limit - len(written),
            "stream": True,
            "cache_prompt": True,
            "return_progress": True,
        }
        self._server.handle_completions(json.encode(body).decode(), run.take)
        return run.end()

    def _count(self, text: str, special: bool) -> tuple[int, ...]:
        body = {"content": text, "add_special": special, "parse_special": special}
        return self._ask("/tokenize", body, _Counted).tokens

    def _ask(self, path: str, body: dict[str, Any], answer: type[Any]) -> Any:
        line = _Line(_SOCKET)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            line.request("POST", path, json.encode(body), headers)
            reply = line.getresponse()
            data = reply.read()
        finally:
            line.close()
        if reply.status == http.HTTPStatus.OK:
            return json.decode(data, type=answer)
        reason = json.decode(data, type=_Refusal).error.message
        if path == "/apply-template":
            raise Refused(f"The model's chat template does not take these messages: {reason}")
        raise RuntimeError(f"llama.cpp answered {reply.status} to {path}: {reason}")


class _Run:
    """What one call of llama.cpp has said so far. Nothing may be raised into native code: it is kept for `end`."""

    def __init__(self, number: int, say: Callable[[str], bool], chunks: json.Decoder[_Chunk]) -> None:
        self._number = number
        self._say = say
        self._chunks = chunks
        self._done: Done | None = None
        self._broken: Exception | None = None

    def take(self, data: str) -> bool:
        """Take a chunk; return True to have llama.cpp stop."""
        try:
            return self._read(self._chunks.decode(data))
        except Exception as error:  # noqa: BLE001 - raised again by end()
            self._broken = error
            return True

    def end(self) -> Done:
        """Return how it ended: when llama.cpp did not say, it was cancelled. Raises what went wrong on the way."""
        if self._broken is not None:
            raise self._broken
        return self._done or Done(self._number, "cancelled")

    def _read(self, chunk: _Chunk) -> bool:
        if chunk.error is not None:
            if chunk.error.message.startswith(_OVERFLOW):
                raise _Overflow(chunk.error.message)
            kind = Refused if 400 <= chunk.error.code < 500 else RuntimeError
            raise kind(chunk.error.message)
        stop = False
        for choice in chunk.choices:
            stop = self._say(choice.text)
            if choice.finish_reason is not None and chunk.usage is not None:
                usage = chunk.usage
                cached = usage.prompt_tokens_details.cached_tokens
                reason = "length" if choice.finish_reason == "length" else "stop"
                self._done = Done(self._number, reason, usage.prompt_tokens, cached, usage.completion_tokens)
        return stop


class _Line(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_COUNT_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of to the host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _sizes(opening: Open, header: Any) -> tuple[int, int]:
    """Return the tokens of the context and of the pool."""
    trained = int(header.get(f"{header.get('general.architecture')}.context_length", _MOST_CONTEXT))
    context = min(opening.context or _MOST_CONTEXT, trained)
    full_answers = opening.slots * (min(_MOST_OUTPUT, context // 2) + _TYPICAL_PROMPT)
    return context, max(context, opening.pool or min(full_answers, _MOST_CONTEXT))


def _parameters(opening: Open, path: Path, pool: int, key: str) -> Any:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    p = _NATIVE.CommonParams()
    p.model.path = str(path)
    p.n_ctx = pool
    p.n_parallel = opening.slots
    p.kv_unified = True
    p.cpuparams.n_threads = opening.threads or max(1, cores - 1)
    p.cpuparams_batch.n_threads = max(cores, opening.threads or 1)
    p.n_batch = _BATCH  # a cancelled prompt is noticed between batches
    p.cache_ram_mib = _CACHE_MIB
    p.use_jinja = True
    p.prefill_assistant = False  # an assistant's turn at the end is history, not the beginning of the answer
    p.hostnames = [_SOCKET]
    p.api_keys = [key]
    p.n_threads_http = 2
    p.ui = False
    p.offline = True
    p.warmup = False
    p.verbosity = _WARNINGS
    return p


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(1 << 20)
    parts = (path.name, str(path.stat().st_size), _NATIVE.__version__)
    return "fp_" + hashlib.sha256("\n".join(parts).encode() + head).hexdigest()[:10]

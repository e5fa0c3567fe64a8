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
from msgspec.structs import replace

from freehold.core.items import Logprob
from freehold.core.prompt import Raw, Turn
from freehold.engines.llama.header import read_header
from freehold.engines.llama.sampling import defaults, sampling
from freehold.engines.llama.sight import NativeChunk, messages, native, pictures
from freehold.engines.worker.host import Backend
from freehold.engines.worker.messages import Done, Generate, Open, Piece, Ready, Refused

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
_SILENT_SECONDS = 600.0
_DATA = b"data: "
_INFILL = (  # what comes before the beginning, between the beginning and the end, and before the middle
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen Coder, CodeGemma
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder, Granite, SmolLM
    ("<\uff5cfim\u2581begin\uff5c>", "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>"),  # DeepSeek Coder
)


class _Logprobs(Struct, frozen=True):
    content: tuple[Logprob, ...] = ()


class _Choice(Struct, frozen=True):
    text: str = ""
    logprobs: _Logprobs | None = None
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


class _Whole(Struct, frozen=True):
    input_tokens: int


class _Counted(Struct, frozen=True):
    tokens: tuple[int, ...]


class _Told(Struct, frozen=True):
    content: str


class _Refusal(Struct, frozen=True):
    error: _Error


class _Overflow(RuntimeError):
    """The memory that the running answers share was full for a moment."""


class LlamaModel(Backend):
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
        self._native = json.Decoder(NativeChunk)
        temperature, top_p = defaults(self._header)
        self.ready = Ready(
            context=context,
            pool=pool,
            created=int(path.stat().st_mtime),
            backend=f"llama.cpp (xllamacpp {_NATIVE.__version__})",
            fingerprint=_fingerprint(path),
            temperature=temperature,
            top_p=top_p,
            vocabulary=int(self._header.get("tokenizer.ggml.tokens", 0)),
            template=str(self._header.get("tokenizer.chat_template", "")),
            tokenizer=str(self._header.get("tokenizer.ggml.model", "")),
            sees=opening.projector is not None,
        )

    def tokenize(self, turns: tuple[Turn, ...], begun: str) -> tuple[int, ...]:
        """Return the tokens of the turns as the model's chat template writes them, and of `begun` after them.

        Raises Refused when the template does not take these turns, RuntimeError when llama.cpp does not answer.
        """
        rendered = self._render(turns)
        tokens = self._count(_continued(rendered, begun), special=True)
        if not any(turn.images for turn in turns):
            return tokens
        shown = {"messages": messages(turns, pictures=True)}
        whole = self._ask("/v1/chat/completions/input_tokens", shown, _Whole).input_tokens
        # An image has no tokens that could be told, only a number of them.
        return (0,) * (whole + len(tokens) - len(self._count(rendered, special=True)))

    def tokenize_raw(self, raw: Raw, suffix: str | None) -> tuple[tuple[int, ...], str]:
        """Return the tokens of a text that is continued as it is, up to the suffix, and the text.

        Raises Refused for a suffix where the vocabulary cannot fill in the middle, and for no text where nothing can
        stand for the beginning of a document; RuntimeError when llama.cpp does not answer.
        """
        begin = self._count("", special=True)
        if isinstance(raw, str):
            text, tokens = raw, self._count(raw, special=False)
        else:
            text, tokens, begin = self._ask("/detokenize", {"tokens": raw}, _Told).content, raw, ()
        if suffix is None:
            return begin + tokens or self._document(), text
        for marks in _INFILL:
            found = self._count("".join(marks), special=True, begin=False)
            if len(found) == len(marks):
                before, between, after = found
                rest = self._count(suffix, special=False)
                return (*begin, before, *tokens, between, *rest, after), text
        raise Refused("Unsupported parameter: 'suffix' is not supported with this model.")

    def _document(self) -> tuple[int, ...]:
        """What stands for the beginning of a document: the token that begins all texts, or the one that ends them."""
        for name in ("bos", "eos"):
            token = self._header.get(f"tokenizer.ggml.{name}_token_id")
            if token is not None:
                return (int(token),)
        raise Refused("The prompt must not be empty: this model has no token for the beginning of a document.")

    def generate(self, request: Generate, say: Callable[[Piece], bool]) -> Done:
        """Think where that is asked for, then answer the request's tokens; each piece goes to `say` until it says True.

        Raises Refused for a prompt that llama.cpp does not take, RuntimeError when it fails.
        """
        thinking, earlier = request.thinking, request.earlier
        if not request.limit:
            thought, answer = (len(self._count(one, special=False)) for one in (earlier.thought, earlier.written))
            return Done(request.id, "stop", len(request.tokens), 0, thought + answer, thought)
        if thinking is None:
            return self._write(request, say, earlier.written)
        thoughts = [earlier.thought]

        def think(piece: Piece) -> bool:
            thoughts.append(piece.text)
            return say(replace(piece, thought=True))

        if (earlier.thought or earlier.written) and not earlier.thinking:
            thought = Done(request.id, "stop", 0, 0, len(self._count(earlier.thought, special=False)))
        else:
            budget = min(thinking.limit, request.limit)
            first = replace(request, limit=budget, stop=(thinking.ending,), grammar="", logprobs=None, logit_bias=())
            thought = self._write(first, think, earlier.thought)
        if thought.reason == "cancelled" or thought.output >= request.limit:
            return replace(thought, reasoning=thought.output)
        over = "".join(thoughts) + (thinking.hurried if thought.reason == "length" else "")
        closing = self._count(thinking.closing, special=True, begin=False)
        rest = replace(
            request,
            tokens=request.tokens + self._count(over, special=False) + closing,
            limit=request.limit - thought.output,
            begun=request.begun + over + thinking.closing,
        )
        answer = self._write(rest, say, earlier.written)
        return replace(
            answer,
            input=len(request.tokens),
            cached=thought.cached,
            output=thought.output + answer.output,
            reasoning=thought.output,
        )

    def _write(self, request: Generate, say: Callable[[Piece], bool], before: str = "") -> Done:
        """Answer the request's tokens, going on behind `before`, as often as llama.cpp drops the answer."""
        said = [before]
        written = self._count(before, special=False) if before else ()

        def hear(piece: Piece) -> bool:
            said.append(piece.text)
            return say(piece)

        attempts = 1
        while True:
            if len(written) >= request.limit:
                return Done(request.id, "length", len(request.tokens), 0, request.limit)
            try:
                end = self._complete(request, "".join(said), written, hear)
            except _Overflow:
                # llama.cpp drops every running answer when a slot that it is about to reuse still holds its old prompt
                # and the new ones find no room beside it. It has cleared them all by then: go on where we were.
                # A grammar knows only answers from their beginning, so one that is half written cannot go on.
                if attempts == _ATTEMPTS or (request.grammar and any(said)):
                    raise
                attempts += 1
                written = self._count("".join(said), special=False)
            else:
                cached = min(end.cached, len(request.tokens))
                return Done(request.id, end.reason, len(request.tokens), cached, len(written) + end.output)

    def _complete(self, request: Generate, said: str, written: tuple[int, ...], say: Callable[[Piece], bool]) -> Done:
        """Go on where `said`, whose tokens are `written`, ends."""
        sees = self.ready.sees
        run = _Run(request, say, self._seen if sees else self._chunks.decode)
        body = sampling(request, self._header) | {
            "prompt": self._sight(request, said) if request.turns else request.tokens + written,
            "max_tokens": request.limit - len(written),
            "stream": True,
            "cache_prompt": True,
            "return_progress": True,
        }
        if sees:
            self._stream(native(body), run.take)
        else:
            self._server.handle_completions(json.encode(body).decode(), run.take)
        return run.end()

    def _sight(self, request: Generate, said: str) -> dict[str, Any]:
        """A prompt with images. The marks of their places are made up anew by each process: nobody can guess them."""
        prompt = _continued(self._render(request.turns), request.begun) + said
        return {"prompt_string": prompt, "multimodal_data": pictures(request.turns)}

    def _stream(self, body: dict[str, Any], take: Callable[[bytes], bool]) -> None:
        """Ask for a completion over the listener; closing the line stops it. The native call takes no images."""
        line = _Line(_SOCKET, _SILENT_SECONDS)
        try:
            reply = self._send(line, "/completion", body)
            if reply.status != http.HTTPStatus.OK:
                take(reply.read())
                return
            for row in reply:
                if row.startswith(_DATA) and take(row.removeprefix(_DATA)):
                    return
        finally:
            line.close()

    def _seen(self, data: bytes | str) -> _Chunk:
        chunk = self._native.decode(data)
        if chunk.error is not None:
            return _Chunk(error=_Error(chunk.error.message, chunk.error.code))
        ending = ("length" if chunk.stop_type == "limit" else "stop") if chunk.stop else None
        choice = _Choice(chunk.content, _Logprobs(chunk.completion_probabilities), ending)
        details = _Details(chunk.timings.cache_n)
        return _Chunk((choice,), _Usage(chunk.tokens_evaluated, chunk.tokens_predicted, details))

    def _render(self, turns: tuple[Turn, ...]) -> str:
        return self._ask("/apply-template", {"messages": messages(turns, pictures=False)}, _Rendered).prompt

    def _count(self, text: str, special: bool, begin: bool = True) -> tuple[int, ...]:
        """Return the tokens of a text; `special` ones are read in it, and the one that begins all is put before it."""
        body = {"content": text, "add_special": special and begin, "parse_special": special}
        return self._ask("/tokenize", body, _Counted).tokens

    def _ask(self, path: str, body: dict[str, Any], answer: type[Any]) -> Any:
        line = _Line(_SOCKET, _COUNT_SECONDS)
        try:
            reply = self._send(line, path, body)
            data = reply.read()
        finally:
            line.close()
        if reply.status == http.HTTPStatus.OK:
            return json.decode(data, type=answer)
        reason = json.decode(data, type=_Refusal).error.message
        if path == "/apply-template":
            raise Refused(f"The model's chat template does not take these messages: {reason}")
        raise RuntimeError(f"llama.cpp answered {reply.status} to {path}: {reason}")

    def _send(self, line: "_Line", path: str, body: dict[str, Any]) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        line.request("POST", path, json.encode(body), headers)
        return line.getresponse()


class _Run:
    """What one call of llama.cpp has said so far. Nothing may be raised into native code: it is kept for `end`."""

    def __init__(self, request: Generate, say: Callable[[Piece], bool], decode: Callable[[Any], _Chunk]) -> None:
        self._number = request.id
        self._alternatives = request.logprobs or 0
        self._say = say
        self._decode = decode
        self._done: Done | None = None
        self._broken: Exception | None = None

    def take(self, data: str | bytes) -> bool:
        """Take a chunk; return True to have llama.cpp stop."""
        try:
            return self._read(self._decode(data))
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
            logprobs = () if choice.logprobs is None else tuple(map(self._logprob, choice.logprobs.content))
            stop = self._say(Piece(self._number, choice.text, logprobs=logprobs))
            if choice.finish_reason is not None and chunk.usage is not None:
                usage = chunk.usage
                cached = usage.prompt_tokens_details.cached_tokens
                reason = "length" if choice.finish_reason == "length" else "stop"
                self._done = Done(self._number, reason, usage.prompt_tokens, cached, usage.completion_tokens)
        return stop

    def _logprob(self, token: Logprob) -> Logprob:
        """As it was asked for: llama.cpp lists at least one alternative."""
        return replace(token, top_logprobs=token.top_logprobs[: self._alternatives])


class _Line(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of to the host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _continued(prompt: str, begun: str) -> str:
    """The prompt with what the answer begins with, which some templates have begun themselves."""
    if begun.startswith("<think>") and prompt.rstrip().endswith("<think>"):
        prompt = prompt.rstrip().removesuffix("<think>")
    return prompt + begun


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
    if opening.projector is not None:
        p.mmproj.path = opening.projector
        p.n_threads_http += opening.slots  # each answer holds one
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

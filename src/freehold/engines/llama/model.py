"""llama.cpp itself, through xllamacpp: imported in the worker process only, where a crash takes nobody along."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xllamacpp
from msgspec import Struct, json
from msgspec.structs import replace

from freehold.core.items import Logprob
from freehold.core.prompt import Raw, Turn
from freehold.engines.llama.cards import cards
from freehold.engines.llama.drafts import Drafts
from freehold.engines.llama.header import fingerprint, read_header, sizes
from freehold.engines.llama.listener import Error, Listener, NotDone
from freehold.engines.llama.sampling import defaults, sampling
from freehold.engines.llama.scratch import Scratch
from freehold.engines.llama.sight import NativeChunk, Timings, messages, native, pictures
from freehold.engines.llama.slots import Slot, Slots
from freehold.engines.llama.states import States, sweep
from freehold.engines.worker.host import Backend
from freehold.engines.worker.messages import Done, Generate, Open, Piece, Ready, Refused
from freehold.engines.worker.thinking import answer, continued, counted

_NATIVE: Any = xllamacpp  # a compiled module, in which type checkers see nothing
_SOCKET = "llama.sock"
_MEGABYTE = 1024 * 1024
_DAY = 24 * 3600.0
_BATCH = 256
_ALIKE, _AHEAD = 6, 8  # behind so many tokens that were there before, so many are guessed
_SURE = 0.75  # a draft model guesses no further than it gives its guess this probability
_WARNINGS = 2
_ATTEMPTS = 4
_OVERFLOW = "Context size has been exceeded"
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


class _Chunk(Struct, frozen=True):
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    error: Error | None = None
    timings: Timings = Timings()


class _Place(Struct, frozen=True):
    speculative: bool


class _Rendered(Struct, frozen=True):
    prompt: str


class _Whole(Struct, frozen=True):
    input_tokens: int


class _Counted(Struct, frozen=True):
    tokens: tuple[int, ...]


class _Told(Struct, frozen=True):
    content: str


class _Overflow(RuntimeError):
    """The memory that the running answers share was full for a moment."""


class LlamaModel(Backend):
    """A GGUF model in llama.cpp's server core, called without HTTP; only templates and tokens go through its listener.

    Raises ValueError or RuntimeError when the model cannot be loaded; llama.cpp writes why to stderr.
    """

    def __init__(self, opening: Open) -> None:
        path = Path(opening.path).absolute()
        self._header = read_header(path)
        context, pool = sizes(self._header, opening.slots, opening.context, opening.pool)
        key, size = secrets.token_hex(16), opening.cache_mb * _MEGABYTE
        self._scratch = Scratch(size, Path(opening.folder))
        self._listener = Listener(_SOCKET, key)
        # The path of a unix socket may have no more than some 100 bytes, which a temporary folder's path can exceed.
        os.chdir(opening.folder)
        self._server: Any = _NATIVE.Server(_parameters(opening, path, pool, key, self._scratch.folder))
        if opening.guesses and not self._guesses():
            raise ValueError(f"llama.cpp does not guess ahead for it with {opening.draft or 'what was there before'}")
        self._chunks = json.Decoder(_Chunk)
        self._taken: dict[int, Slot] = {}
        self._native = json.Decoder(NativeChunk)
        temperature, top_p = defaults(self._header)
        self.ready = Ready(
            context=context,
            pool=pool,
            created=int(path.stat().st_mtime),
            backend=_backend(),
            fingerprint=fingerprint(path, _NATIVE.__version__),
            temperature=temperature,
            top_p=top_p,
            vocabulary=int(self._header.get("tokenizer.ggml.tokens", 0)),
            template=str(self._header.get("tokenizer.chat_template", "")),
            tokenizer=str(self._header.get("tokenizer.ggml.model", "")),
            sees=opening.projector is not None,
            logprobs=not opening.guesses,  # llama.cpp tells none of what it writes while it guesses
        )
        memory = None if self.ready.sees else States(self._scratch.folder, size, float("inf"))
        lasting = None
        if opening.kept and memory is not None:
            sweep(Path(opening.kept), _DAY)
            folder = Path(opening.kept).absolute() / self.ready.fingerprint
            lasting = States(folder, opening.kept_mb * _MEGABYTE, _DAY)
        self._slots = Slots(self._listener, opening.slots, memory, lasting)
        self._predicts = opening.speculates

    def tokenize(self, turns: tuple[Turn, ...], begun: str) -> tuple[int, ...]:
        """Return the tokens of the turns as the model's chat template writes them, and of `begun` after them.

        Raises Refused when the template does not take these turns, RuntimeError when llama.cpp does not answer.
        """
        rendered = self._render(turns)
        tokens = self.count(continued(rendered, begun), special=True)
        if not any(turn.images for turn in turns):
            return tokens
        shown = {"messages": messages(turns, pictures=True)}
        whole = self._ask("/v1/chat/completions/input_tokens", shown, _Whole).input_tokens
        # An image has no tokens that could be told, only a number of them.
        return (0,) * (whole + len(tokens) - len(self.count(rendered, special=True)))

    def tokenize_raw(self, raw: Raw, suffix: str | None) -> tuple[tuple[int, ...], str]:
        """Return the tokens of a text that is continued as it is, up to the suffix, and the text.

        Raises Refused for a suffix where the vocabulary cannot fill in the middle, and for no text where nothing can
        stand for the beginning of a document; RuntimeError when llama.cpp does not answer.
        """
        begin = self.count("", special=True)
        if isinstance(raw, str):
            text, tokens = raw, self.count(raw, special=False)
        else:
            text, tokens, begin = self._ask("/detokenize", {"tokens": raw}, _Told).content, raw, ()
        if suffix is None:
            return begin + tokens or self._document(), text
        for marks in _INFILL:
            found = self.count("".join(marks), special=True, begin=False)
            if len(found) == len(marks):
                before, between, after = found
                rest = self.count(suffix, special=False)
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
        if not request.limit:
            return counted(self, request)
        progress = Piece(request.id, "")
        with self._slots.take(request.tokens, request.caching, lambda: say(progress)) as slot:
            if slot is None:
                return Done(request.id, "cancelled")
            self._taken[request.id] = slot
            try:
                return self._generate(request, slot, say)
            finally:
                del self._taken[request.id]

    def _generate(self, request: Generate, slot: Slot, say: Callable[[Piece], bool]) -> Done:
        """Answer in a slot; a long prompt is read first, so that others who share it can go on from there."""
        read: Done | None = None
        if slot.reading:
            read = self._complete(
                replace(request, grammar="", logprobs=None), "", (), lambda _: say(Piece(request.id, "")), limit=0
            )
            if read.reason == "cancelled":
                return read
            self._slots.keep(slot)
        done = answer(self, request, say)
        slot.written = done.output
        cached = done.cached if read is None else read.cached
        return replace(done, cached=cached, written=done.input - cached if self._slots.keeps(slot) else 0)

    def close(self) -> None:
        """Have what was read last kept."""
        self._slots.close()
        self._scratch.close()

    def write(self, request: Generate, say: Callable[[Piece], bool], before: str = "") -> Done:
        """Answer the request's tokens, going on behind `before`, as often as llama.cpp drops the answer."""
        said, drafts = [before], Drafts(request.predicted if self._predicts else "")
        written = self.count(before, special=False) if before else ()

        def hear(piece: Piece) -> bool:
            said.append(piece.text)
            return say(piece)

        attempts = 1
        while True:
            if len(written) >= request.limit:
                return Done(request.id, "length", len(request.tokens), 0, request.limit)
            try:
                end = self._complete(request, "".join(said), written, hear, drafts=drafts)
            except _Overflow:
                # llama.cpp drops every running answer when a slot that it is about to reuse still holds its old prompt
                # and the new ones find no room beside it. It has cleared them all by then: go on where we were.
                # A grammar knows only answers from their beginning, so one that is half written cannot go on.
                if attempts == _ATTEMPTS or (request.grammar and any(said)):
                    raise
                attempts += 1
                written = self.count("".join(said), special=False)
            else:
                cached = min(end.cached, len(request.tokens))
                output = len(written) + end.output
                told = (drafts.accepted, drafts.rejected)
                return Done(request.id, end.reason, len(request.tokens), cached, output, 0, *told)

    def _complete(
        self,
        request: Generate,
        said: str,
        written: tuple[int, ...],
        say: Callable[[Piece], bool],
        limit: int | None = None,
        drafts: Drafts | None = None,
    ) -> Done:
        """Go on where `said`, whose tokens are `written`, ends. With a `limit` of 0 it is only read."""
        sees, slot = self.ready.sees, self._taken[request.id]
        run = _Run(request, say, self._seen if sees else self._chunks.decode, drafts)
        body = sampling(request, self._header) | {
            "prompt": self._sight(request, said) if request.turns else request.tokens + written,
            "max_tokens": request.limit - len(written) if limit is None else limit,
            "stream": True,
            "id_slot": slot.number,
            "cache_prompt": slot.reuse,
            "return_progress": True,
            "timings_per_token": bool(request.predicted),
        }
        slot.reuse = True
        if sees:
            # The native call takes no images.
            self._listener.stream("/completion", native(body), run.take)
        else:
            self._server.handle_completions(json.encode(body).decode(), run.take)
        if drafts is not None:
            drafts.end()
        return run.end()

    def _sight(self, request: Generate, said: str) -> dict[str, Any]:
        """A prompt with images. The marks of their places are made up anew by each process: nobody can guess them."""
        prompt = continued(self._render(request.turns), request.begun) + said
        return {"prompt_string": prompt, "multimodal_data": pictures(request.turns)}

    def _seen(self, data: bytes | str) -> _Chunk:
        chunk = self._native.decode(data)
        if chunk.error is not None:
            return _Chunk(error=Error(chunk.error.message, chunk.error.code))
        ending = ("length" if chunk.stop_type == "limit" else "stop") if chunk.stop else None
        choice = _Choice(chunk.content, _Logprobs(chunk.completion_probabilities), ending)
        details = _Details(chunk.timings.cache_n)
        usage = _Usage(chunk.tokens_evaluated, chunk.tokens_predicted, details)
        return _Chunk((choice,), usage, timings=chunk.timings)

    def _render(self, turns: tuple[Turn, ...]) -> str:
        return self._ask("/apply-template", {"messages": messages(turns, pictures=False)}, _Rendered).prompt

    def count(self, text: str, special: bool, begin: bool = True) -> tuple[int, ...]:
        """Return the tokens of a text; `special` ones are read in it, and the one that begins all is put before it."""
        body = {"content": text, "add_special": special and begin, "parse_special": special}
        return self._ask("/tokenize", body, _Counted).tokens

    def _guesses(self) -> bool:
        """Whether it guesses ahead: where it cannot with a draft model, it logs why and goes on without."""
        return all(slot.speculative for slot in self._listener.ask("/slots", None, tuple[_Place, ...]))

    def _ask(self, path: str, body: dict[str, Any], answer: type[Any]) -> Any:
        try:
            return self._listener.ask(path, body, answer)
        except NotDone as reason:
            if path == "/apply-template":
                raise Refused(f"The model's chat template does not take these messages: {reason}") from reason
            raise RuntimeError(f"llama.cpp did not do {path}: {reason}") from reason


class _Run:
    """What one call of llama.cpp has said so far. Nothing may be raised into native code: it is kept for `end`."""

    def __init__(
        self,
        request: Generate,
        say: Callable[[Piece], bool],
        decode: Callable[[Any], _Chunk],
        drafts: Drafts | None,
    ) -> None:
        self._number = request.id
        self._alternatives = request.logprobs or 0
        self._say = say
        self._decode = decode
        self._drafts = drafts
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
            if self._drafts is not None:
                self._drafts.take(choice.text, chunk.timings)
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


def _backend() -> str:
    """What computes, and with which graphics cards."""
    found = ", ".join(cards(_NATIVE.get_device_info()))
    return f"llama.cpp (xllamacpp {_NATIVE.__version__})" + (f" on {found}" if found else "")


def _parameters(opening: Open, path: Path, pool: int, key: str, states: Path) -> Any:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    p = _NATIVE.CommonParams()
    p.model.path = str(path)
    p.n_ctx = pool
    p.n_parallel = opening.slots
    p.kv_unified = True
    p.cpuparams.n_threads = opening.threads or max(1, cores - 1)
    p.cpuparams_batch.n_threads = max(cores, opening.threads or 1)
    p.n_batch = _BATCH  # a cancelled prompt is noticed between batches
    if opening.guesses:
        _guess(p, opening)
    p.cache_ram_mib = 0  # it knows no owners: one project would find what another has read
    p.cache_idle_slots = False
    p.slot_save_path = f"{states}{os.sep}"
    p.use_jinja = True
    p.prefill_assistant = False  # an assistant's turn at the end is history, not the beginning of the answer
    p.hostnames = [_SOCKET]
    p.api_keys = [key]
    p.n_threads_http = 2 + opening.slots  # each may keep or fetch a state
    if opening.projector is not None:
        p.mmproj.path = opening.projector
        p.n_threads_http += opening.slots  # each answer holds one
    p.ui = False
    p.offline = True
    p.warmup = False
    p.verbosity = _WARNINGS
    return p


def _guess(p: Any, opening: Open) -> None:
    """Have tokens guessed ahead, from what was there before and by the draft model."""
    kinds, types = _NATIVE.common_speculative_type, list[Any]()
    if opening.speculates:
        types.append(kinds.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE)
        p.speculative.ngram_simple.size_n, p.speculative.ngram_simple.size_m = _ALIKE, _AHEAD
    if opening.draft is not None:
        types.append(kinds.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE)
        draft = p.speculative.draft
        draft.mparams.path = opening.draft
        draft.n_max, draft.p_min = _AHEAD, _SURE
        draft.cpuparams.n_threads = draft.cpuparams_batch.n_threads = p.cpuparams.n_threads
    p.speculative.types = types
    p.n_batch = max(_BATCH, opening.slots * (1 + _AHEAD))  # what one step computes is to be one batch
    p.cpuparams_batch.n_threads = p.cpuparams.n_threads  # a guess is a batch, and a busy core slows it as much

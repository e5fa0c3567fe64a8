"""OpenVINO itself, through openvino-genai: imported in the worker process only, where a crash takes nobody along."""

import ctypes
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import openvino_genai
from msgspec.structs import replace

from freehold.core.prompt import Raw, Turn
from freehold.engines.llama.header import fingerprint, read_header, read_numbers, read_storage, sizes
from freehold.engines.llama.sampling import defaults
from freehold.engines.openvino.batch import Batch
from freehold.engines.openvino.sampling import sampling
from freehold.engines.openvino.text import Written, marks
from freehold.engines.worker.host import Backend
from freehold.engines.worker.messages import Done, Generate, Open, Piece, Ready, Refused
from freehold.engines.worker.thinking import answer, continued, counted

_GENAI: Any = openvino_genai
_BLOCK = 32  # tokens of one piece of its memory, on a CPU
_POLL = 0.05
_STORAGE = {"F32", "F16", "Q8_0", "Q6_K", "Q4_K", "Q4_0", "Q4_1"}
"""How weights may be stored for it to read them."""
_BYTES = "gpt2"
_ENDINGS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>", "</s>")


class OpenVinoModel(Backend):
    """A GGUF model in OpenVINO's continuous batching. Raises ValueError or RuntimeError when it cannot be loaded."""

    def __init__(self, opening: Open) -> None:
        path = Path(opening.path).absolute()
        self._header = read_header(path)
        context, pool = sizes(self._header, opening.slots, opening.context, opening.pool)
        kind = str(self._header.get("tokenizer.ggml.model", ""))
        if kind != _BYTES:
            raise ValueError(f"OpenVINO cannot read its vocabulary ({kind!r}): use an engine of kind 'llama' for it")
        self._opening = opening
        self._blocks = -(-pool // _BLOCK) + opening.slots  # each answer leaves some of its last one empty
        self._batch = Batch(self._open, opening.shared_prefixes)
        self._tokenizer: Any = self._batch.tokenizer
        self._spelled: dict[int, bytes] = {token: data for data, token in self._tokenizer.get_vocab().items()}
        self._marks = marks(read_numbers(path, "tokenizer.ggml.token_type"), self._spelled)
        self._endings = {token for mark, token in self._marks.items() if mark in _ENDINGS}
        named = (key for key in self._header if key.endswith((".eos_token_id", ".eot_token_id")))
        self._endings |= {int(self._header[key]) for key in named}
        self._silent = self._endings | set(self._marks.values())
        self._first = self._find_first()
        temperature, top_p = defaults(self._header)
        version = str(_GENAI.__version__)
        self.ready = Ready(
            context=context,
            pool=pool,
            created=int(path.stat().st_mtime),
            backend=f"OpenVINO (openvino-genai {version.partition('-')[0]})",
            fingerprint=fingerprint(path, f"openvino {version}"),
            temperature=temperature,
            top_p=top_p,
            vocabulary=int(self._header.get("tokenizer.ggml.tokens", 0)),
            template=str(self._header.get("tokenizer.chat_template", "")),
            tokenizer=kind,
            logprobs=False,
            biases=False,
            lasting=False,
        )

    def tokenize(self, turns: tuple[Turn, ...], begun: str) -> tuple[int, ...]:
        """Return the tokens of the turns as the model's chat template writes them, and of `begun` after them.

        Raises Refused when the template does not take these turns.
        """
        messages = [{"role": turn.speaker, "content": turn.text} for turn in turns]
        try:
            prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        except RuntimeError as reason:
            raise Refused(f"The model's chat template does not take these messages: {reason}") from reason
        return self.count(continued(prompt, begun), special=True)

    def tokenize_raw(self, raw: Raw, suffix: str | None) -> tuple[tuple[int, ...], str]:
        """Return the tokens of a text that is continued as it is, and the text.

        Raises Refused for a suffix, and for no text where nothing can stand for the beginning of a document.
        """
        if suffix is not None:
            raise Refused("Unsupported parameter: 'suffix' is not supported with this model.")
        if isinstance(raw, str):
            text, tokens = raw, self._first + self.count(raw, special=False)
        else:
            text, tokens = b"".join(self._spelled.get(one, b"") for one in raw).decode(errors="replace"), raw
        return tokens or self._document(), text

    def generate(self, request: Generate, say: Callable[[Piece], bool]) -> Done:
        """Think where that is asked for, then answer; each piece goes to `say` until it says True.

        Raises RuntimeError when OpenVINO fails.
        """
        # It does not tell what it goes on from, nor what it keeps.
        return replace(answer(self, request, say), written=0) if request.limit else counted(self, request)

    def write(self, request: Generate, say: Callable[[Piece], bool], before: str = "") -> Done:
        """Answer the request's tokens, going on behind `before`."""
        written = self.count(before, special=False) if before else ()
        if len(written) >= request.limit:
            return Done(request.id, "length", len(request.tokens), 0, request.limit)
        run = self._batch.start(
            request.tokens + written, self._config(request, len(written)), request.caching.owner, request.grammar
        )
        text, count, reason = Written(request.stop), len(written), ""
        try:
            while not reason:
                new, reason = self._batch.take(run, _POLL)
                count += len(new)
                said = "".join(text.feed(self._spell(token)) for token in new) + (text.end() if reason else "")
                if say(Piece(request.id, said)):
                    return Done(request.id, "cancelled")
                if text.stopped:
                    reason = "stop"
        finally:
            self._batch.cancel(run)
        return Done(request.id, reason, len(request.tokens), 0, count)

    def count(self, text: str, special: bool, begin: bool = True) -> tuple[int, ...]:
        """Return the tokens of a text; `special` ones are read in it, and the one that begins all is put before it."""
        if special:
            return (*(self._first if begin else ()), *self._encode(text))
        return tuple(token for part in self._harmless(text) for token in self._encode(part))

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).input_ids.data[0].tolist() if text else []

    def _harmless(self, text: str) -> list[str]:
        """Cut a text in two in each mark, because OpenVINO reads marks in all texts."""
        cuts = {0, len(text)}
        for mark in self._marks:
            place = text.find(mark)
            while place >= 0:
                cuts.add(place + 1)
                place = text.find(mark, place + 1)
        return [text[a:b] for a, b in pairwise(sorted(cuts))]

    def _config(self, request: Generate, written: int) -> Any:
        ready = self.ready
        held = {"structured_output_config": _GENAI.StructuredOutputConfig(grammar=request.grammar)}
        return _GENAI.GenerationConfig(
            max_new_tokens=request.limit - written,
            stop_token_ids=self._endings,
            apply_chat_template=False,
            **sampling(request, ready.temperature, ready.top_p),
            **(held if request.grammar else {}),
        )

    def _spell(self, token: int) -> bytes:
        """The bytes of a token; a mark, such as the end of a turn, is not part of the text."""
        return b"" if token in self._silent else self._spelled.get(token, b"")

    def _document(self) -> tuple[int, ...]:
        """What stands for the beginning of a document: the token that begins all texts, or the one that ends them."""
        for name in ("bos", "eos"):
            token = self._header.get(f"tokenizer.ggml.{name}_token_id")
            if token is not None:
                return (int(token),)
        raise Refused("The prompt must not be empty: this model has no token for the beginning of a document.")

    def _find_first(self) -> tuple[int, ...]:
        """The token that begins all texts, where the file says that one does."""
        return self._document() if self._header.get("tokenizer.ggml.add_bos_token") else ()

    def _open(self, caching: bool) -> Any:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        scheduler = _GENAI.SchedulerConfig()
        scheduler.cache_size = 0
        scheduler.num_kv_blocks = self._blocks
        scheduler.max_num_seqs = self._opening.slots
        scheduler.enable_prefix_caching = caching
        properties = {"INFERENCE_NUM_THREADS": self._opening.threads or cores}
        try:
            pipeline = _GENAI.ContinuousBatchingPipeline(self._opening.path, scheduler, "CPU", properties)
        except (RuntimeError, IndexError) as error:
            raise ValueError(
                f"OpenVINO cannot read {self._unread(error)}: use an engine of kind 'llama' for it"
            ) from error
        _give_back()
        return pipeline

    def _unread(self, error: Exception) -> str:
        """What of the file it is that OpenVINO cannot read, as far as that is known."""
        why = str(error).strip().splitlines()[-1].rstrip(".")
        if strange := read_storage(Path(self._opening.path)) - _STORAGE:
            return f"weights that are stored as {', '.join(sorted(strange))} ({why})"
        return f"this file of architecture {self._header.get('general.architecture')!r} ({why})"


def _give_back() -> None:
    """Have the C library return what reading a model has left free: of one of 1 GB, that is 0.7 GB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others return what is free by themselves
    if trim is not None:
        trim(0)

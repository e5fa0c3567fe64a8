"""The script engine: no model, always the same answer; for tests, demonstrations and load."""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import cycle, islice

from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Delta, Stop, StopReason, Text, Thought, Usage
from freehold.core.errors import EngineFailed, Invalid, Unsupported
from freehold.core.items import Logprob, TopLogprob
from freehold.core.ports import Engine, Load, Served
from freehold.core.prompt import Begun, Call, Prompt, Sampling
from freehold.engines.gate import Gate, claim_of
from freehold.engines.registry import SLOTS, EngineSpec, Find

CONTEXT = 32_768
_CREATED = 1_735_689_600
_BREATH = 1024
_WORD = re.compile(r"\s*\S+\s*")
_CALL = re.compile(r"!call (\S+)\s+")
_REFUSE = re.compile(r"!refuse\b\s*")
_CRASH = re.compile(r"!crash after (\d+)\b\s*")

Word = Text | Thought | Declined | CallArgs


@asynccontextmanager
async def open_script(spec: EngineSpec, find: Find) -> AsyncGenerator[Engine, None]:
    """Yield a ScriptEngine for the names in `spec.models`, or for the one name `script`; `find` is not asked."""
    gate = Gate(spec.slots or SLOTS, spec.queue)
    yield ScriptEngine(spec.models or ("script",), gate, spec.rate, spec.vision == "native")


class ScriptEngine:
    """Answers with the text of the last user turn, or the raw text, a word and the white space around it at a time.

    A token is a word: usage, `max_tokens` and the context count words. A last user text that begins with the directive
    `!crash after N` is answered with N words (of the text after the directive, over and over; `word` if there is none),
    then EngineFailed is raised. One that begins with `!call NAME` calls that function, where it is offered; the text
    that follows is its arguments. One that begins with `!refuse` is declined, in the words that follow. Where it may
    think, it first thinks the words of that turn, as far as its budget goes.
    """

    def __init__(self, names: tuple[str, ...], gate: Gate, rate: float = 0.0, sees: bool = False) -> None:
        """`rate` is in words a second for each answer; 0 means as fast as it can. With `sees`, it is given images."""
        self._gate = gate
        self._rate = rate
        self._models = tuple(
            Served(
                name=name,
                context=CONTEXT,
                max_output=CONTEXT,
                created=_CREATED,
                backend="script",
                fingerprint="fp_" + hashlib.sha256(name.encode()).hexdigest()[:10],
                vision="native" if sees else "none",
                logprobs=True,
                thinking="prompted",
            )
            for name in names
        )

    @property
    def models(self) -> tuple[Served, ...]:
        """The names that were configured."""
        return self._models

    @property
    def load(self) -> Load:
        """How full the engine is."""
        return self._gate.load

    async def admit(self, prompt: Prompt) -> Prompt:
        """Return the prompt with a token for each word of its turns or raw text, where tokens are written as numbers.

        Raises Invalid when they exceed the context, Unsupported for biases and suffixes.
        """
        self._gate.check(claim_of(prompt))
        if prompt.sampling.logit_bias:
            raise Unsupported("Unsupported parameter: 'logit_bias' is not supported with this model.", "logit_bias")
        if prompt.suffix is not None:
            raise Unsupported("Unsupported parameter: 'suffix' is not supported with this model.", "suffix")
        raw = " ".join(map(str, prompt.raw)) if isinstance(prompt.raw, tuple) else prompt.raw
        count = sum(len(turn.text.split()) for turn in prompt.turns) + len((raw or "").split())
        if count >= CONTEXT:
            raise Invalid(
                f"This model's maximum context length is {CONTEXT} tokens. However, your messages resulted in {count} "
                "tokens. Please reduce the length of the messages.",
                "context_length_exceeded",
                "input",
            )
        return replace(prompt, tokens=tuple(range(count)), raw=raw)

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield a delta a word, then Stop; raises EngineBusy before the first one, EngineFailed where told to crash."""
        if not prompt.tokens:
            prompt = await self.admit(prompt)
        async with self._gate.enter(claim=claim_of(prompt)) as place:
            place.begin()
            said, usage, reason = _plan(prompt)
            said = _rest(said, prompt.begun)
            start, step = time.monotonic(), 1 if self._rate else _BREATH
            call = None if any(isinstance(one, Call) for one in prompt.begun.said) else _called(prompt)
            for first in range(0, len(said), step):
                # At full speed others get a turn only here; at a rate this is the time until the word is due.
                due = start + (first + 1) / self._rate if self._rate else 0.0
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                for delta in said[first : first + step]:
                    if call is not None and isinstance(delta, CallArgs):
                        yield CallStart(call)
                        call = None
                    yield delta
            if _CRASH.match(_asked(prompt)) and reason is None:
                raise EngineFailed(f"The script engine crashed after {usage.output} words, as it was told to.")
            if call is not None:
                yield CallStart(call)
            yield Stop(reason or "stop", usage)


def _asked(prompt: Prompt) -> str:
    if isinstance(prompt.raw, str):
        return prompt.raw
    return next((turn.text for turn in reversed(prompt.turns) if turn.speaker == "user"), "")


def _plan(prompt: Prompt) -> tuple[list[Word], Usage, StopReason | None]:
    """Return what to say, its usage, and the limit that cuts it: None when all of it is said."""
    asked, wanted = _asked(prompt), prompt.sampling
    room = CONTEXT - len(prompt.tokens)
    limit = room if wanted.max_tokens is None else min(wanted.max_tokens, room)
    thought = _WORD.findall(asked)[: min(prompt.thinking, limit)]
    words, reason = _cut(_answer(asked), wanted, limit - len(thought))
    usage = Usage(input=len(prompt.tokens), output=len(thought) + len(words), reasoning=len(thought))
    return [*map(Thought, thought), *map(_saying(prompt, asked), words)], usage, reason


def _rest(said: list[Word], begun: Begun) -> list[Word]:
    """What follows the words that were said before."""
    texts = (one.arguments if isinstance(one, Call) else one for one in begun.said)
    spoken = len(begun.thought) + sum(map(len, texts))
    for place, delta in enumerate(said):
        if spoken <= 0:
            return said[place:]
        spoken -= len(delta.text)
    return []


def _saying(prompt: Prompt, asked: str) -> Callable[[str], Word]:
    """How a word is said: as text, as a refusal or as an argument."""
    if _called(prompt) is not None:
        return CallArgs
    if _REFUSE.match(asked):
        return Declined
    alternatives = prompt.sampling.logprobs
    return Text if alternatives is None else lambda word: Text(word, (_certain(word, alternatives),))


def _certain(word: str, alternatives: int) -> Logprob:
    """A word that had to come: its probability is 1, and nothing else could have stood there."""
    spelled = tuple(word.encode())
    return Logprob(word, spelled, 0.0, (TopLogprob(word, spelled, 0.0),)[:alternatives])


def _answer(asked: str) -> list[str]:
    told = _CRASH.match(asked)
    if told is None:
        directive = _CALL.match(asked) or _REFUSE.match(asked)
        return _WORD.findall(asked[directive.end() :] if directive is not None else asked)
    spaced: Iterator[str] = cycle(word + " " for word in asked[told.end() :].split() or ["word"])
    return list(islice(spaced, min(int(told[1]), CONTEXT)))


def _called(prompt: Prompt) -> str | None:
    """Return the function that the last turn tells it to call, if it is offered."""
    last = prompt.turns[-1] if prompt.turns else None
    told = None if last is None or last.speaker != "user" else _CALL.match(last.text)
    if told is None or prompt.choice.mode == "none":
        return None
    return next((one.name for one in prompt.functions if one.name == told[1]), None)


def _cut(words: list[str], sampling: Sampling, limit: int) -> tuple[list[str], StopReason | None]:
    """Return what the limits leave of the words, and the limit that was met: None when all of them are said."""
    reason: StopReason | None = "length" if len(words) > limit else None
    words = words[:limit]
    text = "".join(words)
    ends = [end for stop in sampling.stop if stop and (end := text.find(stop)) >= 0]
    if not ends:
        return words, reason
    return _WORD.findall(text[: min(ends)]), "stop"

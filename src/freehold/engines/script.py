"""The script engine: no model, always the same answer; for tests, demonstrations and load."""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from itertools import cycle, islice

from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Delta, Stop, StopReason, Text, Usage
from freehold.core.errors import EngineFailed, Invalid
from freehold.core.ports import Engine, Load, Served
from freehold.core.prompt import Prompt, Sampling
from freehold.engines.gate import Gate
from freehold.engines.registry import EngineSpec, Find

CONTEXT = 32_768
_CREATED = 1_735_689_600
_BREATH = 1024
_WORD = re.compile(r"\s*\S+\s*")
_CALL = re.compile(r"!call (\S+)\s+")
_CRASH = re.compile(r"!crash after (\d+)\b\s*")


@asynccontextmanager
async def open_script(spec: EngineSpec, find: Find) -> AsyncGenerator[Engine, None]:
    """Yield a ScriptEngine for the names in `spec.models`, or for the one name `script`; `find` is not asked."""
    yield ScriptEngine(spec.models or ("script",), Gate(spec.slots, spec.queue), spec.rate)


class ScriptEngine:
    """Answers with the text of the last user turn, a word and the white space around it at a time.

    A token is a word: usage, `max_tokens` and the context count words. A last user text that begins with the directive
    `!crash after N` is answered with N words (of the text after the directive, over and over; `word` if there is none),
    then EngineFailed is raised. One that begins with `!call NAME` calls that function, where it is offered; the text
    that follows is its arguments.
    """

    def __init__(self, names: tuple[str, ...], gate: Gate, rate: float = 0.0) -> None:
        """`rate` is in words a second for each answer; 0 means as fast as it can."""
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
        """Return the prompt with a token for each word of its turns; raises Invalid when they exceed the context."""
        self._gate.check()
        count = sum(len(turn.text.split()) for turn in prompt.turns)
        if count >= CONTEXT:
            raise Invalid(
                f"This model's maximum context length is {CONTEXT} tokens. However, your messages resulted in {count} "
                "tokens. Please reduce the length of the messages.",
                "context_length_exceeded",
                "input",
            )
        return replace(prompt, tokens=tuple(range(count)))

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Yield a delta a word, then Stop; raises EngineBusy before the first one, EngineFailed where told to crash."""
        if not prompt.tokens:
            prompt = await self.admit(prompt)
        async with self._gate.enter():
            words, crash = _answer(prompt)
            words, reason = _cut(words, prompt.sampling, CONTEXT - len(prompt.tokens))
            start, step = time.monotonic(), 1 if self._rate else _BREATH
            call = _called(prompt)
            if call is not None:
                yield CallStart(call)
            say = Text if call is None else CallArgs
            for first in range(0, len(words), step):
                # At full speed others get a turn only here; at a rate this is the time until the word is due.
                due = start + (first + 1) / self._rate if self._rate else 0.0
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                for delta in map(say, words[first : first + step]):
                    yield delta
            if crash and reason is None:
                raise EngineFailed(f"The script engine crashed after {len(words)} words, as it was told to.")
            yield Stop(reason or "stop", Usage(input=len(prompt.tokens), output=len(words)))


def _answer(prompt: Prompt) -> tuple[list[str], bool]:
    """Return the words to say, and whether to crash when they are said."""
    text = next((turn.text for turn in reversed(prompt.turns) if turn.speaker == "user"), "")
    told = _CRASH.match(text)
    if told is None:
        call = _CALL.match(text)
        return _WORD.findall(text[call.end() :] if call is not None else text), False
    spaced: Iterator[str] = cycle(word + " " for word in text[told.end() :].split() or ["word"])
    return list(islice(spaced, min(int(told[1]), CONTEXT))), True


def _called(prompt: Prompt) -> str | None:
    """Return the function that the last turn tells it to call, if it is offered."""
    last = prompt.turns[-1]
    told = _CALL.match(last.text) if last.speaker == "user" and prompt.choice.mode != "none" else None
    if told is None:
        return None
    return next((one.name for one in prompt.functions if one.name == told[1]), None)


def _cut(words: list[str], sampling: Sampling, room: int) -> tuple[list[str], StopReason | None]:
    """Return what the limits leave of the words, and the limit that was met: None when all of them are said."""
    limit = room if sampling.max_tokens is None else min(sampling.max_tokens, room)
    reason: StopReason | None = "length" if len(words) > limit else None
    words = words[:limit]
    text = "".join(words)
    ends = [end for stop in sampling.stop if stop and (end := text.find(stop)) >= 0]
    if not ends:
        return words, reason
    return _WORD.findall(text[: min(ends)]), "stop"

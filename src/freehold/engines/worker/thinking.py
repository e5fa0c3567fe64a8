"""How a model thinks before it answers: as long as it may and must, with the marks written for it."""

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from freehold.engines.worker.messages import Done, Generate, Piece, Thinking

_MOST_DOUBTS = 16

Say = Callable[[Piece], bool]


class Writer(Protocol):
    """What a backend does for an answer."""

    def write(self, request: Generate, say: Say, before: str = "") -> Done:
        """Answer the request's tokens, going on behind `before`."""
        ...

    def count(self, text: str, special: bool, begin: bool = True) -> tuple[int, ...]:
        """Return the tokens of a text; `special` ones are read in it, and the one that begins all is put before it."""
        ...


def continued(prompt: str, begun: str) -> str:
    """The prompt with what the answer begins with, which some templates have begun themselves."""
    if begun.startswith("<think>") and prompt.rstrip().endswith("<think>"):
        prompt = prompt.rstrip().removesuffix("<think>")
    return prompt + begun


def counted(writer: Writer, request: Generate) -> Done:
    """The end of a request that is only counted."""
    earlier = request.earlier
    thought, answer = (len(writer.count(one, special=False)) for one in (earlier.thought, earlier.written))
    return Done(request.id, "stop", len(request.tokens), 0, thought + answer, thought, written=0)


def answer(writer: Writer, request: Generate, say: Say) -> Done:
    """Think where that is asked for, then answer."""
    thinking, earlier = request.thinking, request.earlier
    if thinking is None:
        return writer.write(request, say, earlier.written)
    said = [earlier.thought]
    if (earlier.thought or earlier.written) and not earlier.thinking:
        thought = Done(request.id, "stop", 0, 0, len(writer.count(earlier.thought, special=False)))
    else:
        thought = _think(writer, request, thinking, say, said)
    if thought.reason == "cancelled" or thought.output >= request.limit:
        return replace(thought, reasoning=thought.output)
    over = "".join(said) + (thinking.hurried if thought.reason == "length" else "")
    closing = writer.count(thinking.closing, special=True, begin=False)
    rest = replace(
        request,
        tokens=request.tokens + writer.count(over, special=False) + closing,
        limit=request.limit - thought.output,
        begun=request.begun + over + thinking.closing,
    )
    end = writer.write(rest, say, earlier.written)
    return replace(
        end,
        input=len(request.tokens),
        cached=thought.cached,
        output=thought.output + end.output,
        reasoning=thought.output,
    )


def _think(writer: Writer, request: Generate, thinking: Thinking, say: Say, said: list[str]) -> Done:
    """Go on behind what was `said` of a thought, adding to it; one that ends too early goes on behind its doubt."""
    budget = min(thinking.limit, request.limit)
    request = replace(
        request, limit=budget, stop=(thinking.ending,), grammar="", logprobs=None, logit_bias=(), predicted=""
    )

    def think(piece: Piece) -> bool:
        said.append(piece.text)
        return say(replace(piece, thought=True))

    done = first = writer.write(request, think, said[0])
    doubts = said[0].count(thinking.doubt) if thinking.doubt else _MOST_DOUBTS
    while done.reason == "stop" and done.output < min(thinking.least, budget) and doubts < _MOST_DOUBTS:
        doubts += 1
        if think(Piece(request.id, thinking.doubt)):
            return replace(done, reason="cancelled")
        done = replace(writer.write(request, think, "".join(said)), cached=first.cached)
    return done

"""Which turns may be left out of a conversation that does not fit a model's context."""

from collections.abc import Iterator

from msgspec.structs import replace

from freehold.core.prompt import Prompt


def shorter(prompt: Prompt) -> list[Prompt]:
    """Return the prompts that remain when the oldest turns are left out, the longest first; empty when none can be.

    The leading system turn stays. What remains begins with something that the user said, so no result of a call is left
    without its call.
    """
    return list(_shorter(prompt))


def _shorter(prompt: Prompt) -> Iterator[Prompt]:
    turns = prompt.turns
    first = 1 if turns and turns[0].speaker == "system" else 0
    for start in range(first + 1, len(turns)):
        if turns[start].speaker == "user":
            yield replace(prompt, turns=turns[:first] + turns[start:])

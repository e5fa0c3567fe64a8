"""The prefixes of a prompt, as numbers: prompts that begin alike have the first of them in common."""

from freehold.core.prompt import Prompt

_MOST = 256
_CHARACTERS = 2_048


def prefixes(prompt: Prompt) -> tuple[int, ...]:
    """Return a number for each beginning of the prompt, the shortest first: at each turn, and inside long ones.

    The owner is part of each: what projects have in common says nothing.
    """
    so_far = hash((prompt.model, prompt.caching.owner, tuple(one.name for one in prompt.functions)))
    found: list[int] = []
    for speaker, text in _texts(prompt):
        for start in range(0, max(1, len(text)), _CHARACTERS):
            so_far = hash((so_far, speaker, text[start : start + _CHARACTERS]))
            found.append(so_far)
            if len(found) == _MOST:
                return tuple(found)
    return tuple(found)


def _texts(prompt: Prompt) -> list[tuple[str, str]]:
    if prompt.raw is not None:
        return [("", prompt.raw if isinstance(prompt.raw, str) else repr(prompt.raw))]
    return [(turn.speaker, turn.text) for turn in prompt.turns]

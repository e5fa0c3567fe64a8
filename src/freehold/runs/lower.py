"""An ask and its history, lowered to the prompt of one engine turn."""

from collections.abc import Sequence

from freehold.core.items import Item, Refusal
from freehold.core.prompt import Ask, Prompt, Speaker, Turn

_SPEAKERS: dict[str, Speaker] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def lower(ask: Ask, history: Sequence[Item], model: str) -> Prompt:
    """Return the prompt for `history` followed by the ask's own items; `model` is the served model's name.

    Instructions come first and are not part of the history. Instructions and the system messages that lead the
    conversation become one system turn, because chat templates know only one. A conversation in which nobody has said
    anything begins with an empty word from the user: templates need one.
    """
    turns: list[Turn] = []
    leading = [ask.instructions] if ask.instructions else []
    for item in (*history, *ask.items):
        speaker, text = _SPEAKERS[item.role], _text(item)
        if speaker == "system" and not turns:
            leading.append(text)
        else:
            turns.append(Turn(speaker, text))
    if not turns:
        turns.append(Turn("user", ""))
    if leading:
        turns.insert(0, Turn("system", "\n\n".join(leading)))
    return Prompt(model=model, turns=tuple(turns), sampling=ask.sampling)


def _text(item: Item) -> str:
    return "".join(part.refusal if isinstance(part, Refusal) else part.text for part in item.content)

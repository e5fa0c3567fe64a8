"""An ask and its history, lowered to the prompt of one engine turn."""

from collections.abc import Sequence

from freehold.core.items import FunctionCall, FunctionCallOutput, Item, Message, Refusal
from freehold.core.prompt import Ask, Call, Prompt, Speaker, Turn

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
        turn = _turn(item)
        if turn.speaker == "system" and not turns:
            leading.append(turn.text)
        elif turn.calls and turns and turns[-1].speaker == "assistant":
            turns[-1] = Turn("assistant", turns[-1].text, turns[-1].calls + turn.calls)
        else:
            turns.append(turn)
    if not turns:
        turns.append(Turn("user", ""))
    if leading:
        turns.insert(0, Turn("system", "\n\n".join(leading)))
    return Prompt(
        model=model,
        turns=tuple(turns),
        sampling=ask.sampling,
        functions=ask.functions,
        choice=ask.choice,
        parallel=ask.parallel,
        format=ask.format,
    )


def _turn(item: Item) -> Turn:
    match item:
        case FunctionCall():
            return Turn("assistant", "", (Call(item.call_id, item.name, item.arguments),))
        case FunctionCallOutput():
            output = item.output
            text = output if isinstance(output, str) else "".join(part.text for part in output)
            return Turn("tool", text, call_id=item.call_id)
        case Message():
            text = "".join(part.refusal if isinstance(part, Refusal) else part.text for part in item.content)
            return Turn(_SPEAKERS[item.role], text)

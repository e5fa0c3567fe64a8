"""An ask and its history, lowered to the prompt of one engine turn."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from msgspec.structs import replace

from freehold.core.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FileSearchCall,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    Item,
    ItemReference,
    Message,
    OutputText,
    Part,
    Reasoning,
    Refusal,
)
from freehold.core.prompt import IMAGE, Ask, Call, Image, Prompt, Raw, Speaker, Turn, Verbosity
from freehold.runs.excerpts import exchange, searches

_SPEAKERS: dict[str, Speaker] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_VERBOSITY: Mapping[Verbosity, str] = {
    "low": "Be brief: answer in one or two short sentences, without introduction, repetition or examples.",
    "high": "Be thorough: answer in detail, over several paragraphs, with explanations and examples.",
}

Seen = Mapping[InputImage | InputFile, tuple[Image | str, ...]]
"""What a model is given in place of each image and file."""


def lower(
    ask: Ask,
    items: Sequence[Item],
    model: str,
    seen: Seen | None = None,
    thinking: int = 0,
    excerpts: int | None = None,
    cite: bool = True,
) -> Prompt:
    """Return the prompt for the conversation `items`, the ask's own among them; `model` is the served model's name.

    `seen` says what became of the images and files, `thinking` is the budget of thought in tokens. Instructions come
    first and are not part of the history. Instructions and the system messages that lead the conversation become one
    system turn, because chat templates know only one. A conversation in which nobody has said anything begins with an
    empty word from the user: templates need one. Thoughts are read again as long as the user has not spoken since, and
    so is what was found in files, at most the best `excerpts` of each search; with `cite`, the model is asked to name
    those that it uses.
    """
    turns: list[Turn] = []
    leading = [ask.instructions] if ask.instructions else []
    if ask.verbosity is not None and ask.verbosity in _VERBOSITY:
        leading.append(_VERBOSITY[ask.verbosity])
    searched = iter(_searched(items, excerpts, cite and ask.format is None))
    for turn in chain.from_iterable(
        next(searched) if isinstance(item, FileSearchCall) else (_turn(item, seen or {}),) for item in items
    ):
        last = turns[-1] if turns else None
        if turn.speaker == "system" and last is None:
            leading.append(turn.text)
        elif last is not None and last.speaker == "assistant" == turn.speaker and (turn.calls or _only_thought(last)):
            thought = "\n\n".join(one for one in (last.thought, turn.thought) if one)
            turns[-1] = Turn("assistant", last.text + turn.text, last.calls + turn.calls, thought=thought)
        else:
            turns.append(turn)
    if not ask.thoughts.every:
        turns = _without_old_thoughts(turns)
    turns = [turn for turn in turns if not (_only_thought(turn) and not turn.thought)] or [Turn("user", "")]
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
        thinking=thinking,
        batch=ask.batch,
        tier=ask.tier,
        caching=ask.caching,
        predicted=ask.predicted,
        effort=ask.thoughts.effort,
        counted=ask.count or ask.truncate or bool(ask.compact_at),
    )


def lower_raw(ask: Ask, raw: Raw, model: str) -> Prompt:
    """Return the prompt for one of the ask's raw texts; `model` is the served model's name."""
    return Prompt(
        model=model,
        turns=(),
        raw=raw,
        suffix=ask.suffix,
        sampling=ask.sampling,
        batch=ask.batch,
        tier=ask.tier,
        caching=ask.caching,
    )


def _turn(item: Item, seen: Seen) -> Turn:
    match item:
        case Message():
            return _spoken(_SPEAKERS[item.role], item.content, seen)
        case FunctionCall():
            return Turn("assistant", "", (Call(item.call_id, item.name, item.arguments),))
        case CustomToolCall():
            return Turn("assistant", "", (Call(item.call_id, item.name, item.input, free=True),))
        case FunctionCallOutput() | CustomToolCallOutput():
            return _spoken("tool", item.output, seen, item.call_id)
        case Reasoning():
            return Turn("assistant", "", thought="\n\n".join(part.text for part in item.content))
        case Compaction() | ItemReference() | FileSearchCall():
            raise TypeError(f"an item of type {type(item).__name__} is resolved before it is lowered")


def _searched(items: Sequence[Item], most: int | None, cite: bool) -> Iterator[tuple[Turn, ...]]:
    """Yield the turns of each search among the items: none for one that is not read again."""
    read = {id(search) for search in searches(items)}
    before = 0
    for item in items:
        if isinstance(item, FileSearchCall):
            yield exchange(item, before, most, cite) if id(item) in read else ()
            before += len(item.results or ()) if id(item) in read else 0


def _spoken(speaker: Speaker, content: str | tuple[Part, ...], seen: Seen, call_id: str | None = None) -> Turn:
    if isinstance(content, str):
        return Turn(speaker, _plain(content), call_id=call_id)
    if len(content) == 1 and isinstance(content[0], InputText | OutputText):  # nearly all, and histories are long
        return Turn(speaker, _plain(content[0].text), call_id=call_id)
    texts: list[str] = []
    images: list[Image] = []
    for part in content:
        if isinstance(part, InputImage | InputFile):
            for found in seen[part]:
                if isinstance(found, Image):
                    images.append(found)
                    texts.append(IMAGE)
                else:
                    texts.append(_plain(found))
        else:
            texts.append(_plain(part.refusal if isinstance(part, Refusal) else part.text))
    return Turn(speaker, "".join(texts), call_id=call_id, images=tuple(images))


def _plain(text: str) -> str:
    """Text in which nothing stands for an image."""
    return text.replace(IMAGE, "\ufffd") if IMAGE in text else text


def _only_thought(turn: Turn) -> bool:
    """Whether the assistant has only thought, and neither spoken nor called."""
    return turn.speaker == "assistant" and not turn.text and not turn.calls


def _without_old_thoughts(turns: Sequence[Turn]) -> list[Turn]:
    users = [place for place, turn in enumerate(turns) if turn.speaker == "user"]
    last = users[-1] if users else -1
    return [replace(turn, thought="") if turn.thought and place < last else turn for place, turn in enumerate(turns)]

"""Compaction: a conversation that has grown long is replaced by what the user said and a summary of the rest.

What the user said is kept in the user's words as far as there is room; the rest is summarised by the model that
answers, part by part where it does not fit the model's context.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from freehold.core.deltas import Stop, Text, Usage
from freehold.core.errors import Fault
from freehold.core.events import Chosen, Closed, Ended, Event, Opened
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
    Message,
    OutputText,
    Part,
    Refusal,
)
from freehold.core.ports import Engine, Served
from freehold.core.prompt import UNKEPT, Caching, Prompt, Sampling, Turn

_ASKED = (
    "Below is a part of a conversation. Write notes from which somebody else can carry it on: who the user is, what "
    "they want, every name, number, date, place and decision, what was found out, and what is still open. Write short "
    "lines. Do not answer the conversation, and add nothing to it.\n\n<conversation>\n{part}\n</conversation>"
)
_NOTES = "Notes on the conversation so far, which is no longer shown:\n{summary}"
_SAID = "What the user said in it, in their words:\n{said}"
_LONGEST_SAID = 500
_ALL_SAID = 4_000
_SUMMARY_TOKENS = 384
_CHARACTERS_A_TOKEN = 2  # few, so that a part fits the context in any language


class Summary(Struct, frozen=True):
    """What stands for a conversation, and what it cost."""

    items: tuple[Item, ...]
    usage: Usage


async def compact(
    items: Sequence[Item],
    engine: Engine,
    served: Served,
    stopped: Callable[[], bool] = lambda: False,
    caching: Caching = UNKEPT,
) -> Summary:
    """Return what stands for `items`. The items from the user's last message on are kept as they are.

    `stopped` is asked now and then; once it says yes, the rest is left out. `caching` says whose they are. Raises
    what the engine raises.
    """
    last = max((place for place, item in enumerate(items) if _is_user(item)), default=len(items))
    before, tail = items[:last], items[last:]
    if not before:
        return Summary(tuple(items), Usage())
    notes: list[str] = []
    usage = Usage()
    for part in _parts("\n".join(filter(None, map(_line, before))), served.context * _CHARACTERS_A_TOKEN // 2):
        if stopped():
            break
        prompt = Prompt(
            model=served.name,
            turns=(Turn("user", _ASKED.format(part=part)),),
            sampling=Sampling(temperature=0.0, max_tokens=_SUMMARY_TOKENS),
            caching=caching,
        )
        async with aclosing(engine.generate(await engine.admit(prompt))) as deltas:
            text, cost = await _collected(deltas)
        notes.append(text.strip())
        usage += cost
    return Summary((_kept(before, notes), *tail), usage)


def shortened(items: Sequence[Item]) -> tuple[Item, ...]:
    """What stands for a conversation when no model can be asked."""
    last = max((place for place, item in enumerate(items) if _is_user(item)), default=len(items))
    return (_kept(items[:last], ()), *items[last:])


def _kept(before: Sequence[Item], notes: Sequence[str]) -> Message:
    texts = [_NOTES.format(summary="\n".join(notes))] if notes else []
    said = _said(before)
    texts += [_SAID.format(said=said)] if said else []
    return Message(role="developer", content=(InputText("\n\n".join(texts)),))


async def _collected(deltas: AsyncGenerator[object, None]) -> tuple[str, Usage]:
    pieces: list[str] = []
    usage = Usage()
    async for delta in deltas:
        if isinstance(delta, Text):
            pieces.append(delta.text)
        elif isinstance(delta, Stop):
            usage = delta.usage
    return "".join(pieces), usage


def _said(items: Sequence[Item]) -> str:
    """What the user said, each message shortened; where that is too much, from the beginning and from the end."""
    said = [f"- {_shortened(_text(item))}" for item in items if isinstance(item, Message) and item.role == "user"]
    first, last, room = [], [], _ALL_SAID
    while said and room >= len(said[0]):
        room -= len(said[0])
        first.append(said.pop(0))
        if said and room >= len(said[-1]):
            room -= len(said[-1])
            last.insert(0, said.pop())
    return "\n".join((*first, *(["- …"] if said else []), *last))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SAID else text[: _LONGEST_SAID - 1] + "…"


def _line(item: Item) -> str:
    match item:
        case Message():
            return f"{item.role}: {_text(item)}"
        case FunctionCall():
            return f"assistant called {item.name} with {item.arguments}"
        case CustomToolCall():
            return f"assistant called {item.name} with {item.input}"
        case FunctionCallOutput() | CustomToolCallOutput():
            output = item.output
            return f"result: {output if isinstance(output, str) else ' '.join(map(_part, output))}"
        case FileSearchCall():
            return f"assistant searched files for {'; '.join(item.queries)}"
        case _:
            return ""


def _text(message: Message) -> str:
    return "\n".join(map(_part, message.content))


def _part(part: Part) -> str:
    """The text of a part, or the name of what cannot be said in text."""
    match part:
        case InputText() | OutputText():
            return part.text
        case Refusal():
            return part.refusal
        case InputImage():
            return "[an image]"
        case InputFile():
            return f"[the file {part.filename}]" if part.filename else "[a file]"


def _is_user(item: Item) -> bool:
    return isinstance(item, Message) and item.role == "user"


def _parts(text: str, size: int) -> Iterator[str]:
    """Cut a text into parts of at most `size` characters, at the ends of lines where there are any."""
    while text:
        end = len(text) if len(text) <= size else text.rfind("\n", 0, size) + 1 or size
        yield text[:end]
        text = text[end:]


async def answer_compacted(
    item_id: str,
    work: Callable[[], Awaitable[Summary]],
    seal: Callable[[Sequence[Item]], Compaction],
    fallback: Sequence[Item],
    go_on: Callable[[Sequence[Item]], Awaitable[AsyncGenerator[Event, None]]],
) -> AsyncGenerator[Event, None]:
    """Yield the events of a run whose conversation is compacted first: the compaction is its first item.

    `go_on` begins the run over what `work` comes to. Where that fails, the compaction stands for `fallback`, and the
    run ends as failed.
    """
    yield Opened(0, Compaction(id=item_id, encrypted_content=""))
    try:
        summary = await work()
        events = await go_on(summary.items)
    except Fault as fault:
        yield Closed(0, seal(fallback))
        yield Ended(status="failed", error=fault)
        return
    yield Closed(0, seal(summary.items))
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Ended):
                yield replace(event, usage=event.usage + summary.usage)
            elif not isinstance(event, Chosen):
                yield replace(event, index=event.index + 1)

"""A run that another process began: what it has come to, and how it goes on or ends from there."""

from collections.abc import Iterator, Sequence

from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.ids import Mint
from freehold.core.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    Opening,
    OutputText,
    Reasoning,
    Refusal,
)
from freehold.core.prompt import Begun, Call
from freehold.runs.assemble import Assembler


def begun(events: Sequence[Event]) -> Begun:
    """Return what an engine is told of a run that has begun with `events`; of the calls, only those that are closed."""
    thoughts: list[str] = []
    said: list[str | Call] = []
    item: Opening | None = None
    grown: list[str] = []
    for event in events:
        match event:
            case Opened():
                item, grown = event.item, []
            case Grew():
                grown.append(event.delta)
            case Closed():
                item, grown = None, []
                _add(event.item, thoughts, said)
    if isinstance(item, Reasoning):
        thoughts.append("".join(grown))
    elif isinstance(item, Message) and grown:
        said.append("".join(grown))
    return Begun(thought="\n\n".join(thoughts), thinking=isinstance(item, Reasoning), said=tuple(said))


def ending(events: Sequence[Event], ended: Ended, mint: Mint) -> Iterator[Event]:
    """Yield the events that end a run early which has begun with `events`: what is open closes as incomplete."""
    assembler = Assembler(mint)
    assembler.resume(events)
    yield from assembler.abandon()
    yield ended


def _add(item: Opening, thoughts: list[str], said: list[str | Call]) -> None:
    match item:
        case Reasoning():
            thoughts.append("".join(part.text for part in item.content))
        case Message():
            said.append("".join(_text(part) for part in item.content))
        case FunctionCall():
            said.append(Call(item.call_id, item.name, item.arguments))
        case CustomToolCall():
            said.append(Call(item.call_id, item.name, item.input, free=True))


def _text(part: object) -> str:
    return part.text if isinstance(part, OutputText) else part.refusal if isinstance(part, Refusal) else ""

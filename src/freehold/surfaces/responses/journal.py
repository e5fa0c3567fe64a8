"""The journal of a background response: its stream's frames, and what can be read from them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from freehold.core.events import Closed, Event, Grew, Opened
from freehold.surfaces.responses import objects
from freehold.surfaces.responses.objects import frame

_DATA = b"\ndata: "
_DELTAS: tuple[type[Struct], ...] = (
    objects.TextDelta,
    objects.RefusalDelta,
    objects.ThoughtDelta,
    objects.ArgumentsDelta,
    objects.InputDelta,
    objects.SummaryDelta,
)


def _named(kinds: Iterable[type[Struct]]) -> dict[bytes, Callable[[bytes], Any]]:
    return {b"event: " + str(kind.__struct_config__.tag).encode(): msgspec.json.Decoder(kind).decode for kind in kinds}


_deltas = _named(_DELTAS)
_telling = _named((objects.ItemAdded, objects.ItemDone, *_DELTAS[:-1]))


def events(frames: Iterable[bytes]) -> Iterator[Event]:
    """Read the events back of which the frames were made; where it has ended, all but the last.

    The frames are those from the beginning of a stream, and of each event either all or none.
    """
    for one in frames:
        name, _, data = one.partition(_DATA)
        decode = _telling.get(name)
        if decode is not None:
            yield _event(decode(data))


def without_obfuscation(one: bytes) -> bytes:
    """Return a frame without its padding."""
    name, _, data = one.partition(_DATA)
    decode = _deltas.get(name)
    return one if decode is None else frame(replace(decode(data), obfuscation=UNSET))


def _event(told: Any) -> Event:
    match told:
        case objects.ItemAdded():
            return Opened(told.output_index, told.item)
        case objects.ItemDone():
            return Closed(told.output_index, told.item)
        case objects.TextDelta():
            return Grew(told.output_index, told.delta, "text", told.logprobs)
        case objects.RefusalDelta():
            return Grew(told.output_index, told.delta, "refusal")
        case objects.ThoughtDelta():
            return Grew(told.output_index, told.delta, "thought")
        case _:
            return Grew(told.output_index, told.delta, "arguments")

"""The journal of a background response: its stream's frames, and what can be read from them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from freehold.core.events import Annotated, Closed, Event, Grew, Growth, Moved, Opened
from freehold.surfaces.responses import include, objects
from freehold.surfaces.responses.objects import frame
from freehold.surfaces.responses.project import shown

_DATA = b"\ndata: "
_DELTAS: tuple[type[Struct], ...] = (
    objects.TextDelta,
    objects.RefusalDelta,
    objects.ThoughtDelta,
    objects.ArgumentsDelta,
    objects.InputDelta,
    objects.SummaryDelta,
)
_LAST: tuple[type[Struct], ...] = (objects.Completed, objects.Incomplete, objects.Failed)

_GROWTH: dict[type, Growth] = {objects.RefusalDelta: "refusal", objects.ThoughtDelta: "thought"}


def _named(kinds: Iterable[type[Struct]]) -> dict[bytes, Callable[[bytes], Any]]:
    return {b"event: " + str(kind.__struct_config__.tag).encode(): msgspec.json.Decoder(kind).decode for kind in kinds}


_deltas = _named(_DELTAS)
_telling = _named(
    (
        objects.ItemAdded,
        objects.ItemDone,
        objects.AnnotationAdded,
        objects.Searching,
        objects.Searched,
        *_DELTAS[:-1],
    )
)
_finding = _named((objects.ItemDone, *_LAST))


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


def without_results(one: bytes) -> bytes:
    """Return a frame without what searches found."""
    if b'"file_search_call"' not in one:
        return one
    name, _, data = one.partition(_DATA)
    decode = _finding.get(name)
    if decode is None:
        return one
    told = decode(data)
    if isinstance(told, objects.ItemDone):
        return frame(replace(told, item=include.without_results(told.item, ())))
    return frame(replace(told, response=shown(told.response, ())))


def _event(told: Any) -> Event:
    match told:
        case objects.ItemAdded():
            return Opened(told.output_index, told.item)
        case objects.ItemDone():
            return Closed(told.output_index, told.item)
        case objects.AnnotationAdded():
            return Annotated(told.output_index, told.annotation)
        case objects.Searching() | objects.Searched():
            return Moved(told.output_index, "searching" if isinstance(told, objects.Searching) else "completed")
        case objects.TextDelta():
            return Grew(told.output_index, told.delta, "text", told.logprobs)
        case _:
            return Grew(told.output_index, told.delta, _GROWTH.get(type(told), "arguments"))

"""What one connection remembers of the responses that were made on it and are not stored."""

from msgspec import Struct, json
from msgspec.structs import replace

from freehold.core.items import Item
from freehold.core.prompt import Ask
from freehold.surfaces.responses.objects import Response

MOST = 64


class Remembered(Struct, frozen=True):
    """A conversation: the stored response that it begins with, if any, and what was said since; `size` in bytes."""

    previous: str | None
    items: tuple[Item, ...]
    size: int


class Recent:
    """The last responses of a connection, so that they can be continued with `previous_response_id`.

    They are gone with the connection, and nobody else sees them.
    """

    def __init__(self, limit: int, most: int = MOST) -> None:
        """Remember at most `most` responses, with all that was said before them in at most `limit` bytes of JSON."""
        self._limit = limit
        self._most = most
        self._size = 0
        self._known: dict[str, Remembered] = {}

    def resume(self, ask: Ask) -> Ask:
        """Return the ask with what is remembered of the response that it continues.

        One that also names a conversation is left as it is, to be refused.
        """
        found = None if ask.previous is None or ask.conversation is not None else self._known.get(ask.previous)
        return ask if found is None else replace(ask, previous=found.previous, before=found.items)

    def keep(self, ask: Ask, response: Response) -> None:
        """Remember a response that has ended, unless it failed; the oldest are forgotten for it."""
        if response.status not in ("completed", "incomplete"):
            return
        items = (*ask.before, *ask.items, *response.output)
        size = len(json.encode(items))
        self._known[response.id] = Remembered(ask.previous, items, size)
        self._size += size
        while len(self._known) > self._most or self._size > self._limit:
            self._size -= self._known.pop(next(iter(self._known))).size

"""The items of responses that were continued lately, as they were read: a next turn reads most of them again."""

from collections import OrderedDict
from collections.abc import Mapping

from freehold.core.items import Item

MOST_BYTES = 8 * 1024 * 1024
_EACH = 200  # what a response without items counts


class Chains:
    """Remembers what never changes of responses that have ended; those that were unused for longest are forgotten.

    Whether a response is still there, and whose it is, must be asked of the database each time.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """`most_bytes` is the JSON of all items together."""
        self._most = most_bytes
        self._size = 0
        self._items: OrderedDict[str, tuple[tuple[Item, ...], int]] = OrderedDict()
        self._links: dict[str, str | None] = {}

    @property
    def links(self) -> Mapping[str, str | None]:
        """The response before each that is known, None before the first; it is read by other threads too."""
        return self._links

    def get(self, response_id: str) -> tuple[Item, ...] | None:
        """Return the items of a response that is known."""
        found = self._items.get(response_id)
        if found is None:
            return None
        self._items.move_to_end(response_id)
        return found[0]

    def keep(self, response_id: str, previous: str | None, items: tuple[Item, ...], size: int) -> None:
        """Remember a response, the one before it, and its items, which are `size` bytes of JSON."""
        size += _EACH
        if response_id in self._items or size > self._most:
            return
        self._items[response_id], self._links[response_id] = (items, size), previous
        self._size += size
        while self._size > self._most:
            forgotten, (_, freed) = self._items.popitem(last=False)
            del self._links[forgotten]
            self._size -= freed

"""What the next request may find in a slot."""

from pathlib import Path
from typing import Any, cast

from freehold.core.prompt import Caching
from freehold.engines.llama.listener import NotDone
from freehold.engines.llama.slots import Slots
from freehold.engines.llama.states import States

TOKENS = tuple(range(10))


class Busy:
    """A llama.cpp that does not come to erasing while it is `busy`."""

    def __init__(self) -> None:
        self.busy = True

    def ask(self, path: str, *_: object) -> None:
        """Do what is asked, or not."""
        if self.busy and path.endswith("erase"):
            raise NotDone("too busy")


def reuse(slots: Slots, owner: str) -> bool:
    """Whether a request of the owner may go on from what its slot holds."""
    with slots.take(TOKENS, Caching(owner=owner), lambda: False) as slot:
        assert slot is not None
        found = slot.reuse
    slots.close()
    return found


def test_what_could_not_be_erased_is_not_for_other_owners(tmp_path: Path) -> None:
    llama = Busy()
    slots = Slots(cast(Any, llama), 1, States(tmp_path, 1000, float("inf")), None)
    assert reuse(slots, "a")
    assert reuse(slots, "a")
    assert not reuse(slots, "b")
    llama.busy = False
    assert not reuse(slots, "c")
    assert reuse(slots, "d")

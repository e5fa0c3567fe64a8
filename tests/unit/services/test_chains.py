"""What is remembered of responses that were continued."""

from freehold.core.items import InputText, Item, Message
from freehold.services.chains import Chains


def said(text: str) -> tuple[Item, ...]:
    return (Message(role="user", content=(InputText(text),)),)


def test_what_was_unused_for_longest_is_forgotten() -> None:
    chains = Chains(most_bytes=1_000)
    for name in "abc":
        chains.keep(name, None, said(name), 100)
    assert chains.get("a") == said("a")
    chains.keep("d", "c", said("d"), 100)
    assert chains.links == {"a": None, "c": None, "d": "c"}
    assert chains.get("b") is None


def test_one_that_is_too_large_is_not_kept_and_one_that_is_known_is_not_counted_twice() -> None:
    chains = Chains(most_bytes=1_000)
    chains.keep("large", None, said("large"), 2_000)
    for _ in range(9):
        chains.keep("a", None, said("a"), 300)
    chains.keep("b", "a", said("b"), 200)
    assert chains.links == {"a": None, "b": "a"}

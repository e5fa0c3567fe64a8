"""What a model is to read: history and input in order, thoughts and compactions opened."""

import asyncio

import pytest
from msgspec.structs import replace

from freehold.core.errors import Invalid, NotFound
from freehold.core.items import (
    Compaction,
    InputText,
    Item,
    ItemReference,
    Message,
    Reasoning,
    ReasoningText,
    SummaryText,
)
from freehold.core.principal import Principal
from freehold.core.prompt import Ask
from freehold.services.recall import Recall
from freehold.services.sealing import Seals

WHO, STRANGER = Principal("p", "key"), Principal("q", "key")
SEALS = Seals(b"secret")


def user(text: str) -> Message:
    return Message(role="user", content=(InputText(text),))


class Remembered:
    """Stands for what is stored: a history, and items by their ids."""

    def __init__(self, *history: Item) -> None:
        self.past = history
        self.stored: dict[str, Item] = {"msg_1": user("stored")}

    async def history(self, who: Principal, ask: Ask) -> tuple[Item, ...]:
        return self.past if ask.previous else ()

    async def follow(self, who: Principal, items: tuple[Item, ...]) -> tuple[Item, ...]:
        if not any(isinstance(item, ItemReference) for item in items):
            return items
        if who != WHO:
            raise NotFound("Item not found.", None, "input")
        return tuple(self.stored[item.id] if isinstance(item, ItemReference) else item for item in items)


def recall(*history: Item) -> Recall:
    return Recall(Remembered(*history), SEALS)  # type: ignore[arg-type]


def read(recalling: Recall, ask: Ask, who: Principal = WHO) -> tuple[Item, ...]:
    return asyncio.run(recalling.items(who, ask))


THOUGHT = Reasoning(id="rs_1", summary=(SummaryText("s"),), content=(ReasoningText("one"), ReasoningText("two")))


def test_history_comes_first_then_what_is_remembered_then_what_is_asked() -> None:
    ask = Ask(model=None, items=(user("c"),), before=(user("b"),), previous="resp_1")
    assert read(recall(user("a")), ask) == (user("a"), user("b"), user("c"))


def test_references_are_followed() -> None:
    ask = Ask(model=None, items=(ItemReference("msg_1"), user("a")))
    followed = asyncio.run(recall().follow(WHO, ask))
    assert followed == replace(ask, items=(user("stored"), user("a")))
    plain = Ask(model=None, items=(user("a"),))
    assert asyncio.run(recall().follow(WHO, plain)) is plain
    with pytest.raises(NotFound):
        asyncio.run(recall().follow(STRANGER, ask))


def test_a_sealed_thought_comes_back_as_it_was() -> None:
    sealed = recall().seal_thought(WHO, THOUGHT)
    assert replace(sealed, encrypted_content=THOUGHT.encrypted_content) == THOUGHT
    emptied = replace(sealed, content=())
    assert read(recall(), Ask(model=None, items=(emptied, user("a")))) == (sealed, user("a"))
    assert read(recall(emptied), Ask(model=None, items=(), previous="resp_1")) == (sealed,)
    assert read(recall(), Ask(model=None, items=(), before=(emptied,))) == (sealed,)


def test_a_stored_thought_is_read_as_it_is_stored() -> None:
    stored = replace(THOUGHT, encrypted_content="no seal of ours")
    assert read(recall(stored), Ask(model=None, items=(), previous="resp_1")) == (stored,)


def test_a_compaction_stands_for_what_was_said_before_it() -> None:
    compaction = recall().seal_compaction(WHO, "cmp_1", (user("early"), THOUGHT))
    assert compaction.id == "cmp_1"
    asked = Ask(model=None, items=(user("lost"), compaction, user("now")))
    assert read(recall(), asked) == (user("early"), THOUGHT, user("now"))
    later = Ask(model=None, items=(user("now"),), previous="resp_1")
    assert read(recall(user("lost"), compaction, user("then")), later) == (
        user("early"),
        THOUGHT,
        user("then"),
        user("now"),
    )


def test_only_the_last_compaction_is_read() -> None:
    first = recall().seal_compaction(WHO, "cmp_1", (user("one"),))
    second = recall().seal_compaction(WHO, "cmp_2", (user("two"),))
    assert read(recall(), Ask(model=None, items=(first, user("lost"), second))) == (user("two"),)


@pytest.mark.parametrize("place", [0, 1])
def test_what_another_project_sealed_is_refused_by_its_place(place: int) -> None:
    for sealed in (recall().seal_thought(STRANGER, THOUGHT), recall().seal_compaction(STRANGER, "cmp_1", ())):
        items = (user("a"),) * place + (sealed,)
        with pytest.raises(Invalid) as caught:
            read(recall(), Ask(model=None, items=items))
        assert (caught.value.code, caught.value.param) == (
            "invalid_encrypted_content",
            f"input[{place}].encrypted_content",
        )


def test_a_thought_is_no_compaction_and_the_other_way_round() -> None:
    thought = recall().seal_thought(WHO, THOUGHT).encrypted_content
    assert isinstance(thought, str)
    compaction = recall().seal_compaction(WHO, "cmp_1", ()).encrypted_content
    for item in (Compaction(encrypted_content=thought), Reasoning(encrypted_content=compaction)):
        with pytest.raises(Invalid):
            read(recall(), Ask(model=None, items=(item,)))

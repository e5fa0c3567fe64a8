"""What stands for a long conversation: the user's words, the model's notes, and the last turn as it is."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from msgspec.structs import replace

from freehold.core.deltas import Delta, Stop, Text, Usage
from freehold.core.errors import EngineFailed
from freehold.core.events import Closed, Ended, Event, Opened
from freehold.core.items import (
    Compaction,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    Item,
    Message,
    OutputText,
)
from freehold.core.ports import Load, Served
from freehold.core.prompt import Prompt
from freehold.services.compaction import answer_compacted, compact, shortened

SERVED = Served(name="m", context=400, max_output=100, created=0)


def user(text: str) -> Message:
    return Message(role="user", content=(InputText(text),))


def assistant(text: str) -> Message:
    return Message(role="assistant", content=(OutputText(text),))


class Notes:
    """An engine that notes what it was asked, and answers `noted N`."""

    models = (SERVED,)
    load = Load(running=0, waiting=0, limit=1)

    def __init__(self, fault: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._fault = fault

    async def admit(self, prompt: Prompt) -> Prompt:
        return prompt

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        if self._fault is not None:
            raise self._fault
        self.asked.append(prompt.turns[0].text)
        yield Text(f"noted {len(self.asked)}")
        yield Stop("stop", Usage(input=10, output=2))


def words(items: Sequence[Item]) -> str:
    (first, *_) = items
    assert isinstance(first, Message)
    assert first.role == "developer"
    (part,) = first.content
    assert isinstance(part, InputText)
    return part.text


CONVERSATION = (
    user("My boat is the Albatross."),
    assistant("A fine name."),
    FunctionCall(call_id="c", name="f", arguments='{"a": 1}'),
    FunctionCallOutput(call_id="c", output="42"),
    user("And now?"),
)


def test_the_last_turn_stays_and_the_rest_is_noted() -> None:
    engine = Notes()
    summary = asyncio.run(compact(CONVERSATION, engine, SERVED))
    assert summary.items[1:] == CONVERSATION[-1:]
    assert words(summary.items) == (
        "Notes on the conversation so far, which is no longer shown:\nnoted 1\n\n"
        "What the user said in it, in their words:\n- My boat is the Albatross."
    )
    assert summary.usage == Usage(input=10, output=2)
    (asked,) = engine.asked
    for line in ("user: My boat", "assistant: A fine", 'assistant called f with {"a": 1}', "result: 42"):
        assert line in asked
    assert "And now?" not in asked


def test_images_and_files_are_named_where_they_were() -> None:
    shown = Message(role="user", content=(InputText("What is it?"), InputImage(file_id="file_1")))
    read = FunctionCallOutput(call_id="c", output=(InputFile(filename="log.txt", file_id="file_2"), InputFile()))
    engine = Notes()
    summary = asyncio.run(compact((shown, read, user("And?")), engine, SERVED))
    assert "user: What is it?\n[an image]\nresult: [the file log.txt] [a file]" in engine.asked[0]
    assert "- What is it? [an image]" in words(summary.items)


def test_what_does_not_fit_the_context_is_noted_part_by_part() -> None:
    engine = Notes()
    long = [assistant(f"line {number} " + "x" * 60) for number in range(12)]
    summary = asyncio.run(compact((*long, user("?")), engine, SERVED))
    assert len(engine.asked) > 1
    assert "".join(engine.asked).count("line ") == 12
    assert "noted 1\nnoted 2" in words(summary.items)
    assert summary.usage.input == 10 * len(engine.asked)


def test_a_conversation_of_one_turn_is_left_as_it_is() -> None:
    engine = Notes()
    assert asyncio.run(compact((user("hi"),), engine, SERVED)).items == (user("hi"),)
    assert engine.asked == []


def test_of_too_many_words_the_first_and_the_last_are_kept() -> None:
    said = [user(f"{number} " + "word " * 200) for number in range(30)]
    kept = words(shortened((*said, user("?"))))
    assert "- 0 word" in kept
    assert "- 29 word" in kept
    assert "- 15 word" not in kept
    assert "\n- …\n" in kept
    assert len(kept) < 5_000


def test_a_stopped_summary_leaves_the_rest_out() -> None:
    engine = Notes()
    asyncio.run(compact(CONVERSATION, engine, SERVED, stopped=lambda: True))
    assert engine.asked == []


def events_of(fault: Exception | None) -> list[Event]:
    async def go_on(items: Sequence[Item]) -> AsyncGenerator[Event, None]:
        async def events() -> AsyncGenerator[Event, None]:
            yield Opened(0, replace(assistant("x"), content=()))
            yield Closed(0, assistant("x"))
            yield Ended(status="completed", usage=Usage(input=5, output=1))

        return events()

    async def main() -> list[Event]:
        work = lambda: compact(CONVERSATION, Notes(fault), SERVED)  # noqa: E731
        seal = lambda items: Compaction(id="cmp_1", encrypted_content=words(items))  # noqa: E731
        return [event async for event in answer_compacted("cmp_1", work, seal, shortened(CONVERSATION), go_on)]

    return asyncio.run(main())


def test_the_compaction_is_the_first_item_of_the_answer() -> None:
    opened, closed, message, done, ended = events_of(None)
    assert opened == Opened(0, Compaction(id="cmp_1", encrypted_content=""))
    assert isinstance(closed, Closed)
    assert isinstance(message, Opened)
    assert isinstance(done, Closed)
    assert (closed.index, message.index, done.index) == (0, 1, 1)
    assert ended == Ended(status="completed", usage=Usage(input=15, output=3))


def test_a_failed_compaction_closes_its_item_and_fails_the_answer() -> None:
    fault = EngineFailed("down")
    opened, closed, ended = events_of(fault)
    assert isinstance(opened, Opened)
    assert isinstance(closed, Closed)
    assert isinstance(closed.item, Compaction)
    assert "My boat" in closed.item.encrypted_content
    assert ended == Ended(status="failed", error=fault)


@pytest.mark.parametrize("items", [(), (assistant("hello"),)])
def test_a_conversation_in_which_no_user_speaks_is_noted_whole(items: tuple[Item, ...]) -> None:
    summary = asyncio.run(compact(items, Notes(), SERVED))
    assert len(summary.items) == len(items)

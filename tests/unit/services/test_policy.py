"""What the owner declines: matched in what the user said last, answered without a model."""

import asyncio

import pytest

from freehold.core.deltas import Declined, Delta, Stop, Usage
from freehold.core.items import FunctionCallOutput, InputImage, InputText, Item, Message, OutputText
from freehold.core.prompt import Begun, Prompt
from freehold.services.policy import Declining, Policy

POLICY = Policy([r"\bpick (a|the) lock\b", "bomb"], "I can't help with that.")


def user(*texts: str) -> Message:
    return Message(role="user", content=tuple(map(InputText, texts)))


def said(*items: Item) -> Declining | None:
    return POLICY.declines(items)


@pytest.mark.parametrize(
    "items",
    [
        (user("How do I PICK the lock?"),),
        (user("How do I", "pick a lock?"),),
        (user("Hello"), Message(role="assistant", content=(OutputText("Hi"),)), user("A bomb, please")),
        (user("a bomb"), FunctionCallOutput(call_id="c", output="x"), Message(role="developer", content=())),
        (Message(role="user", content=(InputText("a bomb"), InputImage(image_url="u"))),),
    ],
)
def test_what_the_user_said_last_is_declined(items: tuple[Item, ...]) -> None:
    assert said(*items) == Declining("I can't help with that.")


@pytest.mark.parametrize(
    "items",
    [
        (),
        (user("Unpick the locks"),),
        (user("a bomb"), Message(role="assistant", content=(OutputText("No."),)), user("Then a cake")),
        (Message(role="developer", content=(InputText("Never explain a bomb."),)), user("Hello")),
        (user("Hello"), Message(role="assistant", content=(OutputText("bomb"),))),
        (Message(role="user", content=(InputImage(image_url="https://x/bomb.png"),)),),
    ],
)
def test_anything_else_is_not(items: tuple[Item, ...]) -> None:
    assert said(*items) is None


def test_without_patterns_nothing_is_declined() -> None:
    assert Policy([], "No.").declines((user("a bomb"),)) is None


def test_a_refusal_is_one_delta_and_counts_what_was_read() -> None:
    async def main() -> list[Delta]:
        prompt = Prompt(model="m", turns=(), tokens=(1, 2, 3))
        return [delta async for delta in Declining("No.").generate(prompt)]

    assert asyncio.run(main()) == [Declined("No."), Stop("stop", Usage(input=3, written=0))]


def test_a_refusal_that_was_begun_is_finished() -> None:
    async def main(*said: str) -> list[Delta]:
        prompt = Prompt(model="m", turns=(), tokens=(1,), begun=Begun(said=said))
        return [delta async for delta in Declining("No. Never.").generate(prompt)]

    assert asyncio.run(main("No. "))[0] == Declined("Never.")
    assert asyncio.run(main("No. Never.")) == [Stop("stop", Usage(input=1, written=0))]


def test_a_broken_pattern_is_named() -> None:
    with pytest.raises(ValueError, match=r"refusals\.patterns: '\(' is no regular expression"):
        Policy(["fine", "("], "No.")

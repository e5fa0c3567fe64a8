"""A conversation lowered to the turns of one prompt."""

import pytest

from freehold.core.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    Item,
    ItemReference,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    Role,
)
from freehold.core.prompt import (
    IMAGE,
    Ask,
    Call,
    Choice,
    Function,
    Image,
    JsonFormat,
    Prompt,
    Sampling,
    Thoughts,
    Turn,
    Verbosity,
)
from freehold.runs.lower import lower, lower_raw


def said(role: Role, text: str) -> Message:
    part = OutputText(text) if role == "assistant" else InputText(text)
    return Message(role=role, content=(part,))


def thought(*texts: str) -> Reasoning:
    return Reasoning(id="rs_1", content=tuple(map(ReasoningText, texts)))


def turns(*items: Item, ask: Ask | None = None) -> tuple[Turn, ...]:
    return lower(ask or Ask(model="gpt-5", items=items), items, "starter").turns


def test_instructions_and_leading_system_messages_become_one_turn() -> None:
    items = (said("system", "Two."), said("developer", "Three."), said("user", "Hi"))
    wanted = (Turn("system", "One.\n\nTwo.\n\nThree."), Turn("user", "Hi"))
    assert turns(*items, ask=Ask(model="gpt-5", instructions="One.", items=items)) == wanted


def test_the_whole_conversation_is_what_is_lowered() -> None:
    now = said("user", "And now?")
    ask = Ask(model="gpt-5", instructions="New.", items=(now,))
    assert turns(said("user", "Hi"), said("assistant", "Hello!"), now, ask=ask) == (
        Turn("system", "New."),
        Turn("user", "Hi"),
        Turn("assistant", "Hello!"),
        Turn("user", "And now?"),
    )


def test_a_later_system_message_keeps_its_place() -> None:
    assert [turn.speaker for turn in turns(said("user", "Hi"), said("developer", "Be brief."))] == ["user", "system"]


def test_parts_are_joined_and_refusals_are_read() -> None:
    item = Message(role="assistant", content=(OutputText("No: "), Refusal("I will not.")))
    assert turns(item) == (Turn("assistant", "No: I will not."),)


def test_the_prompt_names_the_served_model_and_carries_what_was_asked() -> None:
    add = Function(name="add")
    ask = Ask(
        model="gpt-5",
        items=(),
        sampling=Sampling(temperature=0.0, max_tokens=5),
        functions=(add,),
        choice=Choice("required", ("add",)),
        parallel=False,
        format=JsonFormat(),
    )
    assert lower(ask, (), "starter", thinking=7) == Prompt(
        model="starter",
        turns=(Turn("user", ""),),
        sampling=ask.sampling,
        functions=(add,),
        choice=ask.choice,
        parallel=False,
        format=JsonFormat(),
        thinking=7,
    )


def test_a_conversation_without_a_word_gets_an_empty_one() -> None:
    assert turns(said("system", "Greet.")) == (Turn("system", "Greet."), Turn("user", ""))
    assert turns() == (Turn("user", ""),)


@pytest.mark.parametrize(("verbosity", "told"), [("low", "Be brief"), ("medium", None), ("high", "Be thorough")])
def test_verbosity_is_told_after_the_instructions(verbosity: Verbosity, told: str | None) -> None:
    ask = Ask(model="m", items=(), instructions="Be kind.", verbosity=verbosity)
    system = turns(said("user", "Hi"), ask=ask)[0].text
    assert system == "Be kind." if told is None else system.startswith(f"Be kind.\n\n{told}: ")


def test_calls_join_what_the_assistant_said_and_results_follow() -> None:
    assert turns(
        said("user", "Hi"),
        said("assistant", "I look."),
        FunctionCall(call_id="c1", name="add", arguments="{}"),
        CustomToolCall(call_id="c2", name="shell", input="ls"),
        FunctionCallOutput(call_id="c1", output="3"),
        CustomToolCallOutput(call_id="c2", output=(InputText("a"), InputText("b"))),
        said("assistant", "Done."),
    ) == (
        Turn("user", "Hi"),
        Turn("assistant", "I look.", (Call("c1", "add", "{}"), Call("c2", "shell", "ls", free=True))),
        Turn("tool", "3", call_id="c1"),
        Turn("tool", "ab", call_id="c2"),
        Turn("assistant", "Done."),
    )


def test_two_messages_of_the_assistant_stay_two_turns() -> None:
    assert turns(said("assistant", "a"), said("assistant", "b")) == (Turn("assistant", "a"), Turn("assistant", "b"))


def test_a_thought_joins_what_was_said_or_called_after_it() -> None:
    call = FunctionCall(call_id="c", name="add", arguments="{}")
    assert turns(said("user", "Hi"), thought("Hm.", "So."), call) == (
        Turn("user", "Hi"),
        Turn("assistant", "", (Call("c", "add", "{}"),), thought="Hm.\n\nSo."),
    )
    assert turns(said("user", "Hi"), thought("Hm."), said("assistant", "Yes.")) == (
        Turn("user", "Hi"),
        Turn("assistant", "Yes.", thought="Hm."),
    )
    assert turns(said("user", "Hi"), thought("a"), thought("b"), said("assistant", "Yes."))[1].thought == "a\n\nb"


@pytest.mark.parametrize(("every", "old"), [(False, ""), (True, "Old.")])
def test_thoughts_are_read_again_until_the_user_speaks(every: bool, old: str) -> None:
    items = (
        said("user", "Hi"),
        thought("Old."),
        said("assistant", "a"),
        said("user", "And?"),
        thought("New."),
        FunctionCall(call_id="c", name="add", arguments="{}"),
        FunctionCallOutput(call_id="c", output="3"),
    )
    found = turns(*items, ask=Ask(model="m", items=(), thoughts=Thoughts(every=every)))
    assert [turn.thought for turn in found if turn.speaker == "assistant"] == [old, "New."]


def test_a_thought_that_is_not_read_again_leaves_no_turn_behind() -> None:
    assert turns(said("user", "Hi"), thought("Cut"), said("user", "And?")) == (Turn("user", "Hi"), Turn("user", "And?"))
    sealed = Reasoning(id="rs_1")
    assert turns(said("user", "Hi"), sealed) == (Turn("user", "Hi"),)


def test_a_thought_that_was_cut_is_read_on() -> None:
    assert turns(said("user", "Hi"), thought("Cut")) == (Turn("user", "Hi"), Turn("assistant", "", thought="Cut"))


def test_images_stand_where_they_were_and_files_become_text_and_pages() -> None:
    image = InputImage(image_url="https://x/y.png")
    file = InputFile(file_data="x")
    page = Image(b"page")
    item = Message(role="user", content=(InputText(f"a{IMAGE}b"), image, file, InputText("c")))
    seen = {image: (Image(b"image"),), file: ("text", page)}
    (turn,) = lower(Ask(model="m", items=()), (item,), "m", seen).turns
    assert turn.text == f"a\ufffdb{IMAGE}text{IMAGE}c"
    assert turn.images == (Image(b"image"), page)


def test_nobody_can_put_an_image_where_there_is_none() -> None:
    output = FunctionCallOutput(call_id="c", output=f"x{IMAGE}")
    assert turns(output) == (Turn("tool", "x\ufffd", call_id="c"),)


@pytest.mark.parametrize("item", [ItemReference("msg_1"), Compaction(encrypted_content="x")])
def test_what_stands_for_something_else_cannot_be_lowered(item: Item) -> None:
    with pytest.raises(TypeError, match="is resolved before"):
        turns(item)


@pytest.mark.parametrize("batch", [True, False])
def test_a_request_of_a_batch_is_a_prompt_of_a_batch(batch: bool) -> None:
    ask = Ask(model="m", items=(), raw=("once",), batch=batch)
    assert lower(ask, (said("user", "Hi"),), "m").batch == batch
    assert lower_raw(ask, "once", "m").batch == batch

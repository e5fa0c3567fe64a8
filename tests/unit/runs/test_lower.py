from freehold.core.items import InputText, Message, OutputText, Refusal, Role
from freehold.core.prompt import Ask, Sampling, Turn
from freehold.runs.lower import lower


def said(role: Role, text: str) -> Message:
    part = OutputText(text) if role == "assistant" else InputText(text)
    return Message(role=role, content=(part,))


def test_instructions_and_leading_system_messages_become_one_turn() -> None:
    ask = Ask(
        model="gpt-5",
        instructions="One.",
        items=(said("system", "Two."), said("developer", "Three."), said("user", "Hi")),
    )
    assert lower(ask, (), "starter").turns == (Turn("system", "One.\n\nTwo.\n\nThree."), Turn("user", "Hi"))


def test_history_stands_between_the_instructions_and_the_new_input() -> None:
    ask = Ask(model="gpt-5", instructions="New.", items=(said("user", "And now?"),))
    turns = lower(ask, (said("user", "Hi"), said("assistant", "Hello!")), "starter").turns
    assert turns == (
        Turn("system", "New."),
        Turn("user", "Hi"),
        Turn("assistant", "Hello!"),
        Turn("user", "And now?"),
    )


def test_a_later_system_message_keeps_its_place() -> None:
    ask = Ask(model="m", items=(said("user", "Hi"), said("developer", "Be brief.")))
    assert [turn.speaker for turn in lower(ask, (), "starter").turns] == ["user", "system"]


def test_parts_are_joined_and_refusals_are_read() -> None:
    item = Message(role="assistant", content=(OutputText("No: "), Refusal("I will not.")))
    assert lower(Ask(model="m", items=(item,)), (), "starter").turns == (Turn("assistant", "No: I will not."),)


def test_the_prompt_names_the_served_model_and_leaves_sampling_as_it_was_asked() -> None:
    sampling = Sampling(temperature=0.0, max_tokens=5)
    prompt = lower(Ask(model="gpt-5", items=(), sampling=sampling), (), "starter")
    assert (prompt.model, prompt.sampling) == ("starter", sampling)


def test_a_conversation_without_a_word_gets_an_empty_one() -> None:
    ask = Ask(model="m", items=(said("system", "Greet."),))
    assert lower(ask, (), "starter").turns == (Turn("system", "Greet."), Turn("user", ""))

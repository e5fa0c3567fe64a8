"""A run that was begun by another process: what the engine is told of it, and how it ends early."""

from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.items import (
    Compaction,
    CustomToolCall,
    FunctionCall,
    Logprob,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
)
from freehold.core.prompt import NOTHING, Begun, Call
from freehold.runs.assemble import Assembler
from freehold.runs.resume import begun, ending

MESSAGE = Message(id="msg_1", role="assistant", status="in_progress", content=())
THOUGHT = Reasoning(id="rs_1", status="in_progress")
THOUGHT_OVER = Reasoning(id="rs_1", content=(ReasoningText("Hm. Hm."),))
FUNCTION = FunctionCall(id="fc_1", call_id="call_1", name="add", arguments="{}")
CUSTOM = CustomToolCall(id="ctc_1", call_id="call_2", name="shell", input="ls")
CANCELLED = Ended(status="cancelled")


def mint(prefix: str) -> str:
    raise AssertionError(f"asked for an id that begins with {prefix}")


def test_nothing_was_begun() -> None:
    assert begun([]) == NOTHING
    assert begun([Opened(0, MESSAGE)]) == NOTHING
    assert begun([Opened(0, Compaction(encrypted_content="")), Closed(0, Compaction(encrypted_content="x"))]) == NOTHING


def test_a_thought_goes_on_until_it_is_closed() -> None:
    thinking: list[Event] = [Opened(0, THOUGHT), Grew(0, "Hm. ", "thought"), Grew(0, "Hm.", "thought")]
    assert begun(thinking) == Begun(thought="Hm. Hm.", thinking=True)
    assert begun([*thinking, Closed(0, THOUGHT_OVER)]) == Begun(thought="Hm. Hm.")


def test_texts_and_calls_are_told_in_their_order() -> None:
    said = Message(id="msg_1", role="assistant", content=(OutputText("Hi. "), Refusal("No.")))
    told: list[Event] = [Closed(0, THOUGHT_OVER), Closed(1, said), Closed(2, FUNCTION), Closed(3, CUSTOM)]
    told += [Opened(4, MESSAGE), Grew(4, "So "), Grew(4, "be")]
    calls = (Call("call_1", "add", "{}"), Call("call_2", "shell", "ls", free=True))
    assert begun(told) == Begun(thought="Hm. Hm.", said=("Hi. No.", *calls, "So be"))


def test_what_is_open_closes_as_incomplete() -> None:
    probable = Logprob("So", (83, 111), -0.5)
    told: list[Event] = [Opened(0, THOUGHT), Closed(0, THOUGHT_OVER), Opened(1, MESSAGE)]
    told += [Grew(1, "So", logprobs=(probable,)), Grew(1, "No.", "refusal")]
    whole = Message(
        id="msg_1",
        role="assistant",
        status="incomplete",
        content=(OutputText("So", logprobs=(probable,)), Refusal("No.")),
    )
    assert list(ending(told, CANCELLED, mint)) == [Closed(1, whole), CANCELLED]


def test_where_nothing_is_open_the_run_just_ends() -> None:
    assert list(ending([], CANCELLED, mint)) == [CANCELLED]
    assert list(ending([Opened(0, THOUGHT), Closed(0, THOUGHT_OVER)], CANCELLED, mint)) == [CANCELLED]


def test_an_assembler_goes_on_in_the_open_item() -> None:
    assembler = Assembler(mint)
    assembler.resume([Opened(0, THOUGHT), Closed(0, THOUGHT_OVER), Opened(1, MESSAGE), Grew(1, "So ")])
    assert assembler.finish("completed") == (
        Closed(1, Message(id="msg_1", role="assistant", content=(OutputText("So "),))),
    )

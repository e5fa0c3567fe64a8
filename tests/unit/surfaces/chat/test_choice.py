"""One choice: what each event adds to the stream, and the answer that they come to."""

import pytest
from msgspec import UNSET

from freehold.core.events import Closed, Ended, Ending, Grew, Opened, Reason
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
from freehold.surfaces.chat.choice import ChoiceFold
from freehold.surfaces.chat.objects import (
    AssistantAnswer,
    CalledFunction,
    CalledTool,
    CallPiece,
    Choice,
    ChoiceLogprobs,
    ChunkChoice,
    ChunkDelta,
    CustomCall,
    InputPiece,
    ToolCall,
    ToolCallPiece,
)

ONE = Logprob("a", (97,), -0.5)
TWO = Logprob("b", (98,), -1.0)
OPEN = Message(id="msg_1", role="assistant", status="in_progress", content=())
ADD = FunctionCall(id="fc_1", call_id="call_1", name="add", arguments="{}")
SHELL = CustomToolCall(id="ctc_1", call_id="call_2", name="shell", input="ls")
DONE = Ended(status="completed")

Step = Opened | Grew | Closed | Ended


def fold(*events: Step, legacy: bool = False, logprobs: bool = False) -> tuple[list[ChunkDelta], Choice]:
    """The deltas of the events, and the choice that they come to."""
    choice, pieces = ChoiceFold(1, legacy, logprobs), list[ChunkChoice | None]()
    for event in (*events, DONE):
        match event:
            case Opened():
                pieces.append(choice.open(event))
            case Grew():
                pieces.append(choice.grow(event))
            case Closed():
                choice.close(event)
            case Ended():
                pieces.append(choice.end(event))
    shown = [piece for piece in pieces if piece is not None]
    assert all(piece.index == 1 for piece in shown)
    return [piece.delta for piece in shown[:-1]], choice.result()


def said(*parts: OutputText | Refusal) -> Closed:
    return Closed(0, Message(id="msg_1", role="assistant", content=parts))


def test_it_begins_with_the_role() -> None:
    assert ChoiceFold(2, False, False).begin() == ChunkChoice(2, ChunkDelta("assistant", "", None))


def test_text_is_content() -> None:
    deltas, choice = fold(Opened(0, OPEN), Grew(0, "He"), Grew(0, "llo"), said(OutputText("Hello")))
    assert deltas == [ChunkDelta(content="He"), ChunkDelta(content="llo")]
    assert choice == Choice(1, AssistantAnswer("assistant", "Hello"), None, "stop")


def test_a_refusal_stands_beside_the_content() -> None:
    deltas, choice = fold(Opened(0, OPEN), Grew(0, "No.", "refusal"), said(Refusal("No.")))
    assert deltas == [ChunkDelta(refusal="No.")]
    assert choice == Choice(1, AssistantAnswer("assistant", None, "No."), None, "stop")
    _, both = fold(Opened(0, OPEN), said(OutputText("Hm. "), Refusal("No.")))
    assert both.message == AssistantAnswer("assistant", "Hm. ", "No.")


def test_thoughts_and_compactions_do_not_show() -> None:
    thought = Reasoning(id="rs_1", content=(ReasoningText("Hm."),))
    compaction = Compaction(id="cmp_1", encrypted_content="x")
    deltas, choice = fold(
        Opened(0, compaction),
        Closed(0, compaction),
        Opened(1, thought),
        Grew(1, "Hm.", "thought"),
        Closed(1, thought),
        Opened(2, OPEN),
        Grew(2, "a"),
        said(OutputText("a")),
    )
    assert deltas == [ChunkDelta(content="a")]
    assert choice.message == AssistantAnswer("assistant", "a")


def test_calls_are_pieces_of_numbered_tool_calls() -> None:
    deltas, choice = fold(
        Opened(0, ADD), Grew(0, "{}", "arguments"), Closed(0, ADD),
        Opened(1, SHELL), Grew(1, "ls", "arguments"), Closed(1, SHELL),
    )  # fmt: skip
    assert deltas == [
        ChunkDelta(tool_calls=(ToolCallPiece(0, "call_1", "function", CallPiece("add", "")),)),
        ChunkDelta(tool_calls=(ToolCallPiece(0, function=CallPiece(arguments="{}")),)),
        ChunkDelta(tool_calls=(ToolCallPiece(1, "call_2", "custom", custom=InputPiece("shell", "")),)),
        ChunkDelta(tool_calls=(ToolCallPiece(1, custom=InputPiece(input="ls")),)),
    ]
    calls = (
        ToolCall("call_1", CalledFunction("add", "{}")),
        CustomCall("call_2", CalledTool("shell", "ls")),
    )
    assert choice == Choice(1, AssistantAnswer("assistant", None, tool_calls=calls), None, "tool_calls")


def test_a_legacy_call_is_a_function_call() -> None:
    deltas, choice = fold(Opened(0, ADD), Grew(0, "{}", "arguments"), Closed(0, ADD), legacy=True)
    assert deltas == [
        ChunkDelta(function_call=CallPiece("add", "")),
        ChunkDelta(function_call=CallPiece(arguments="{}")),
    ]
    wanted = AssistantAnswer("assistant", None, function_call=CalledFunction("add", "{}"))
    assert choice == Choice(1, wanted, None, "function_call")
    _, plain = fold(Opened(0, OPEN), said(OutputText("a")), legacy=True)
    assert (plain.message.function_call, plain.finish_reason) == (UNSET, "stop")


def test_logprobs_are_told_where_they_were_asked_for() -> None:
    events = (Opened(0, OPEN), Grew(0, "a", logprobs=(ONE,)), Grew(0, "b", logprobs=(TWO,)))
    closed = said(OutputText("ab", logprobs=(ONE, TWO)))
    choice = ChoiceFold(0, False, logprobs=True)
    pieces = [choice.grow(event) for event in events if isinstance(event, Grew)]
    assert [piece and piece.logprobs for piece in pieces] == [ChoiceLogprobs((ONE,)), ChoiceLogprobs((TWO,))]
    assert fold(*events, closed, logprobs=True)[1].logprobs == ChoiceLogprobs((ONE, TWO))
    assert fold(*events, closed)[1].logprobs is None


@pytest.mark.parametrize(
    ("status", "reason", "calls", "finish"),
    [
        ("completed", None, False, "stop"),
        ("completed", None, True, "tool_calls"),
        ("incomplete", "max_output_tokens", False, "length"),
        ("incomplete", "max_output_tokens", True, "length"),
        ("incomplete", "content_filter", False, "content_filter"),
        ("cancelled", None, False, "stop"),
    ],
)
def test_it_says_why_it_ended(status: Ending, reason: Reason | None, calls: bool, finish: str) -> None:
    choice = ChoiceFold(0, False, False)
    if calls:
        choice.close(Closed(0, ADD))
    assert choice.end(Ended(status=status, reason=reason)) == ChunkChoice(0, ChunkDelta(), None, finish)  # type: ignore[arg-type]
    assert choice.result().finish_reason == finish


def test_an_answer_that_was_all_thought_is_empty() -> None:
    thought = Reasoning(id="rs_1", status="incomplete", content=(ReasoningText("Hm"),))
    _, choice = fold(Opened(0, thought), Grew(0, "Hm", "thought"), Closed(0, thought))
    assert choice.message == AssistantAnswer("assistant", "")

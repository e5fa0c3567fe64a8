"""Deltas folded into items: what opens, grows and closes, in which order, whatever the deltas are."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Text, Thought
from freehold.core.events import Closed, Event, Grew, Growth, Opened
from freehold.core.items import (
    CustomToolCall,
    FunctionCall,
    Logprob,
    Message,
    Opening,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    Status,
    SummaryText,
)
from freehold.runs.assemble import Assembler, Conclude, Said, same

ONE = Logprob("a", (97,), -0.5)
TWO = Logprob("b", (98,), -1.0)


def assembler(conclude: Conclude = same) -> Assembler:
    ids = count(1)
    return Assembler(lambda prefix: f"{prefix}{next(ids)}", frozenset({"shell"}), conclude)


def events_of(*deltas: Said, status: Status = "completed", conclude: Conclude = same) -> list[Event]:
    building = assembler(conclude)
    return [event for delta in deltas for event in building.take(delta)] + list(building.finish(status))


def items_of(*deltas: Said, status: Status = "completed") -> list[Opening]:
    return [event.item for event in events_of(*deltas, status=status) if isinstance(event, Closed)]


def message(*parts: OutputText | Refusal, status: Status = "completed") -> Message:
    return Message(id="msg_1", role="assistant", status=status, content=parts)


def test_text_grows_a_message_piece_by_piece() -> None:
    assert events_of(Text("He"), Text("llo")) == [
        Opened(0, message(status="in_progress")),
        Grew(0, "He"),
        Grew(0, "llo"),
        Closed(0, message(OutputText("Hello"))),
    ]


def test_text_and_refusals_are_parts_of_one_message_in_the_order_in_which_they_were_said() -> None:
    assert items_of(Text("a"), Declined("b"), Declined("c"), Text("d")) == [
        message(OutputText("a"), Refusal("bc"), OutputText("d"))
    ]


def test_the_logprobs_of_a_part_are_those_of_its_pieces() -> None:
    events = events_of(Text("a", (ONE,)), Text(""), Text("b", (TWO,)), Declined("no"), Text("c"))
    grown = [event.logprobs for event in events if isinstance(event, Grew)]
    assert grown == [(ONE,), (), (TWO,), (), ()]
    wanted = message(OutputText("ab", logprobs=(ONE, TWO)), Refusal("no"), OutputText("c"))
    assert events[-1] == Closed(0, wanted)


def test_a_call_is_a_function_or_a_custom_tool_by_its_name() -> None:
    assert events_of(CallStart("add"), CallArgs("{"), CallArgs("}"), CallStart("shell"), CallArgs("ls -l")) == [
        Opened(0, FunctionCall(id="fc_2", status="in_progress", call_id="call_1", name="add", arguments="")),
        Grew(0, "{", "arguments"),
        Grew(0, "}", "arguments"),
        Closed(0, FunctionCall(id="fc_2", call_id="call_1", name="add", arguments="{}")),
        Opened(1, CustomToolCall(id="ctc_4", status="in_progress", call_id="call_3", name="shell", input="")),
        Grew(1, "ls -l", "arguments"),
        Closed(1, CustomToolCall(id="ctc_4", call_id="call_3", name="shell", input="ls -l")),
    ]


def test_a_call_without_arguments_is_one() -> None:
    assert items_of(CallStart("add")) == [FunctionCall(id="fc_2", call_id="call_1", name="add", arguments="")]


def test_a_thought_is_concluded_once_when_it_is_over() -> None:
    concluded: list[Reasoning] = []

    def conclude(thought: Reasoning) -> Reasoning:
        concluded.append(thought)
        return replace(thought, summary=(SummaryText("short"),))

    events = events_of(Thought("Hm, "), Thought("so."), Text("Yes."), conclude=conclude)
    whole = Reasoning(id="rs_1", content=(ReasoningText("Hm, so."),))
    assert concluded == [whole]
    assert events[:4] == [
        Opened(0, Reasoning(id="rs_1", status="in_progress")),
        Grew(0, "Hm, ", "thought"),
        Grew(0, "so.", "thought"),
        Closed(0, replace(whole, summary=(SummaryText("short"),))),
    ]


def test_a_later_thought_is_an_item_of_its_own() -> None:
    assert [type(item) for item in items_of(Thought("a"), Text("b"), Thought("c"))] == [Reasoning, Message, Reasoning]


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_run_that_said_nothing_said_an_empty_message(status: Status) -> None:
    assert items_of(status=status) == [message(OutputText(""), status=status)]


def test_a_run_whose_tokens_were_all_thought_has_no_message() -> None:
    assert items_of(Thought("Hm"), status="incomplete") == [
        Reasoning(id="rs_1", status="incomplete", content=(ReasoningText("Hm"),))
    ]


@pytest.mark.parametrize("delta", [Text("a"), Declined("a"), Thought("a"), CallStart("add"), CallStart("shell")])
def test_only_the_last_item_is_incomplete(delta: Said) -> None:
    statuses = [item.status for item in items_of(CallStart("add"), delta, status="incomplete")]  # type: ignore[union-attr]
    assert statuses == ["completed", "incomplete"]


def test_what_is_abandoned_is_closed_once() -> None:
    building = assembler()
    building.take(Text("a"))
    assert building.abandon() == (Closed(0, message(OutputText("a"), status="incomplete")),)
    assert building.abandon() == ()
    assert building.finish("completed") == ()


SAID = st.one_of(
    st.builds(Text, st.text(max_size=3)),
    st.builds(Declined, st.text(max_size=3)),
    st.builds(Thought, st.text(max_size=3)),
    st.builds(CallStart, st.sampled_from(["add", "shell"])),
)


@st.composite
def runs(draw: st.DrawFn) -> list[Said]:
    """Deltas as engines send them: arguments only after the call that they are of."""
    said: list[Said] = []
    for delta in draw(st.lists(SAID, max_size=8)):
        said.append(delta)
        if isinstance(delta, CallStart):
            said += [CallArgs(piece) for piece in draw(st.lists(st.text(max_size=3), max_size=3))]
    return said


@given(runs())
def test_every_item_is_the_fold_of_its_events(deltas: list[Said]) -> None:
    grown: dict[int, dict[Growth, str]] = {}
    opened: list[int] = []
    for event in events_of(*deltas):
        match event:
            case Opened(index=index):
                assert index == len(opened)
                assert index not in grown
                opened.append(index)
                grown[index] = {}
            case Grew(index, delta, kind):
                assert index == opened[-1]
                grown[index][kind] = grown[index].get(kind, "") + delta
            case Closed(index, item):
                assert index == opened[-1]
                assert {kind: text for kind, text in content(item).items() if text} == {
                    kind: text for kind, text in grown[index].items() if text
                }
    assert len(opened) == len(grown) >= 1


def content(item: Opening) -> dict[Growth, str]:
    match item:
        case FunctionCall():
            return {"arguments": item.arguments}
        case CustomToolCall():
            return {"arguments": item.input}
        case Reasoning():
            return {"thought": "".join(part.text for part in item.content)}
        case Message():
            return {
                "text": "".join(part.text for part in item.content if isinstance(part, OutputText)),
                "refusal": "".join(part.refusal for part in item.content if isinstance(part, Refusal)),
            }
    raise AssertionError(item)

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import count

from msgspec.structs import replace

from freehold.core.deltas import CallArgs, CallStart, Declined, Delta, Stop, Text, Thought, Usage
from freehold.core.errors import EngineFailed
from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    SummaryText,
)
from freehold.core.ports import Load, Served
from freehold.core.prompt import Function, Prompt, Turn
from freehold.runs.assemble import same
from freehold.runs.loop import run

TOOLS = (Function(name="add"), Function(name="shell", free="text"), Function(name="sql", free="lark", definition="x"))
PROMPT = Prompt(model="m", turns=(Turn("user", "Hi"),), functions=TOOLS)
USAGE = Usage(input=3, cached=1, output=2)


class Canned:
    """An engine that yields what it was given and remembers whether it was closed."""

    models: tuple[Served, ...] = ()
    load = Load(running=0, waiting=0, limit=1)

    def __init__(self, *deltas: Delta | Exception) -> None:
        self.deltas = deltas
        self.closed = False

    async def admit(self, prompt: Prompt) -> Prompt:
        return prompt

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        try:
            for delta in self.deltas:
                if isinstance(delta, Exception):
                    raise delta
                yield delta
        finally:
            self.closed = True


def summed(thought: Reasoning) -> Reasoning:
    """Conclude a thought with a summary that says how long it is."""
    return replace(thought, summary=(SummaryText(str(len(thought.content[0].text))),))


def events_of(engine: Canned, stop_after: int = 1000) -> Sequence[Event]:
    ids, asked = count(1), count(1)

    async def collect() -> list[Event]:
        stream = run(PROMPT, engine, lambda prefix: f"{prefix}{next(ids)}", lambda: next(asked) >= stop_after, summed)
        return [event async for event in stream]

    return asyncio.run(collect())


def cut(text: str) -> Message:
    """A message that was not said to its end."""
    return Message(id="msg_1", role="assistant", status="incomplete", content=(OutputText(text),))


def test_an_answer_opens_grows_closes_and_ends() -> None:
    opened, one, two, closed, ended = events_of(Canned(Text("He"), Text("llo"), Stop("stop", USAGE)))
    assert opened == Opened(0, Message(id="msg_1", role="assistant", status="in_progress", content=()))
    assert (one, two) == (Grew(0, "He"), Grew(0, "llo"))
    assert closed == Closed(0, Message(id="msg_1", role="assistant", content=(OutputText("Hello"),)))
    assert ended == Ended(status="completed", usage=USAGE)


def test_an_answer_that_was_cut_is_incomplete() -> None:
    *_, closed, ended = events_of(Canned(Text("He"), Stop("length", USAGE)))
    assert closed == Closed(0, cut("He"))
    assert ended == Ended(status="incomplete", usage=USAGE, reason="max_output_tokens")


def test_a_model_that_says_nothing_said_an_empty_message() -> None:
    opened, closed, ended = events_of(Canned(Stop("stop", USAGE)))
    assert isinstance(opened, Opened) and isinstance(ended, Ended)
    assert closed == Closed(0, Message(id="msg_1", role="assistant", content=(OutputText(""),)))


def test_a_fault_closes_the_open_item_first() -> None:
    fault = EngineFailed("It broke.")
    *_, closed, ended = events_of(Canned(Text("He"), fault))
    assert closed == Closed(0, cut("He"))
    assert isinstance(ended, Ended) and ended.status == "failed" and ended.error is fault


def test_a_fault_before_the_first_delta_opens_nothing() -> None:
    (ended,) = events_of(Canned(EngineFailed("It broke.")))
    assert isinstance(ended, Ended) and ended.status == "failed"


def test_an_engine_that_ends_without_stop_is_a_fault() -> None:
    *_, ended = events_of(Canned(Text("He")))
    assert isinstance(ended, Ended) and isinstance(ended.error, EngineFailed)


def test_a_bug_fails_the_run_and_is_kept_as_the_cause() -> None:
    bug = ZeroDivisionError()
    *_, ended = events_of(Canned(Text("He"), bug))
    assert isinstance(ended, Ended) and ended.error is not None
    assert ended.error.__cause__ is bug
    assert "ZeroDivision" not in ended.error.message


def test_a_cancelled_run_stops_the_engine_and_keeps_what_was_said() -> None:
    engine = Canned(Text("a"), Text("b"), Text("c"), Stop("stop", USAGE))
    *_, closed, ended = events_of(engine, stop_after=2)
    assert closed == Closed(0, cut("ab"))
    assert isinstance(ended, Ended) and ended.status == "cancelled"
    assert engine.closed


def test_closing_the_run_closes_the_engine() -> None:
    engine = Canned(Text("a"), Text("b"), Stop("stop", USAGE))

    async def main() -> None:
        stream = run(PROMPT, engine, lambda prefix: prefix, lambda: False, same)
        await anext(stream)
        await stream.aclose()

    asyncio.run(main())
    assert engine.closed


def test_the_items_of_an_answer_are_closed_one_before_the_next() -> None:
    deltas = (Thought("Hm."), CallStart("shell"), CallArgs("ls"), CallStart("add"), CallArgs("{}"), Declined("No."))
    events = events_of(Canned(*deltas, Stop("stop", USAGE)))
    closed = [event.item for event in events if isinstance(event, Closed)]
    assert closed == [
        Reasoning(id="rs_1", content=(ReasoningText("Hm."),), summary=(SummaryText("3"),)),
        CustomToolCall(id="ctc_3", call_id="call_2", name="shell", input="ls"),
        FunctionCall(id="fc_5", call_id="call_4", name="add", arguments="{}"),
        Message(id="msg_6", role="assistant", content=(Refusal("No."),)),
    ]
    kinds = [(type(event).__name__, event.index) for event in events if not isinstance(event, Ended)]  # type: ignore[union-attr]
    assert kinds == [(kind, index) for index in range(4) for kind in ("Opened", "Grew", "Closed")]


def test_a_thought_that_used_up_the_tokens_is_all_there_is() -> None:
    *_, closed, ended = events_of(Canned(Thought("Hm "), Thought("so"), Stop("length", USAGE)))
    wanted = Reasoning(id="rs_1", status="incomplete", content=(ReasoningText("Hm so"),), summary=(SummaryText("5"),))
    assert closed == Closed(0, wanted)
    assert ended == Ended(status="incomplete", usage=USAGE, reason="max_output_tokens")

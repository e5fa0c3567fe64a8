import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import count
from typing import Any

import pytest

from freehold.core.deltas import CallArgs, CallStart, Delta, Stop, Text, Thought, Usage
from freehold.core.errors import EngineBusy, EngineFailed
from freehold.core.events import Annotated, Closed, Ended, Event, Grew, Moved, Opened
from freehold.core.items import (
    FileCitation,
    FileResult,
    FileSearchCall,
    FunctionCall,
    InputText,
    Item,
    Message,
    OutputText,
)
from freehold.core.prompt import Choice, Prompt, Turn
from freehold.runs.assemble import same
from freehold.runs.excerpts import FILE_SEARCH
from freehold.runs.hosted import SEARCH_FIRST, Hosted
from freehold.runs.loop import run
from freehold.tools.file_search import FileSearch

USAGE = Usage(input=3, cached=1, output=2)
END = Stop("stop", USAGE)
ASKED = Message(role="user", content=(InputText("Why?"),))
SEA = FileResult(file_id="file-1", filename="sea.txt", score=0.9, text="The harbour freezes every winter.")


def calls(*queries: str) -> tuple[Delta, ...]:
    listed = ",".join(f'"{one}"' for one in queries)
    return (CallStart(FILE_SEARCH), CallArgs('{"queries":'), CallArgs(f"[{listed}]}}"))


class Story:
    """An engine that says something else each turn, a search that knows one file, and what both were asked."""

    def __init__(self, *turns: Sequence[Delta], fault: Exception | None = None) -> None:
        self.turns = iter(turns)
        self.fault = fault
        self.searched: list[Sequence[str]] = []
        self.asked: list[tuple[Sequence[Item], Choice, int]] = []
        self.prompts: list[Prompt] = []

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        self.prompts.append(prompt)
        for delta in next(self.turns):
            yield delta

    async def find(self, queries: Sequence[str]) -> Sequence[FileResult]:
        self.searched.append(queries)
        if self.fault is not None:
            raise self.fault
        return (SEA,)

    async def again(self, said: Sequence[Item], choice: Choice, spent: int) -> Prompt:
        self.asked.append((tuple(said), choice, spent))
        return Prompt(model="m", turns=(Turn("user", "again"),))

    def tell(self, most: int = 4, before: Sequence[Event] = (), **more: Any) -> list[Event]:
        hosted = Hosted(
            tools={FILE_SEARCH: FileSearch(self.find)},
            most=most,
            items=(ASKED,),
            choice=SEARCH_FIRST,
            last=Choice("none"),
            again=self.again,
            cite=True,
            **more,
        )
        ids = count(1)
        prompt = Prompt(model="m", turns=(Turn("user", "Why?"),), choice=SEARCH_FIRST)

        async def collect() -> list[Event]:
            stream = run(prompt, self, lambda prefix: f"{prefix}{next(ids)}", lambda: False, same, before, hosted)
            return [event async for event in stream]

        return asyncio.run(collect())


def search(status: str = "completed", item_id: str = "fs_1") -> FileSearchCall:
    results = (SEA,) if status == "completed" else None
    return FileSearchCall(id=item_id, status=status, queries=("ice",), results=results)  # type: ignore[arg-type]


def test_a_search_is_told_carried_out_and_answered() -> None:
    story = Story([*calls("ice"), END], [Text("It freezes ["), Text("1]"), Text("."), END])
    assert story.tell() == [
        Opened(0, search("in_progress")),
        Moved(0, "searching"),
        Moved(0, "completed"),
        Closed(0, search()),
        Opened(1, Message(id="msg_2", role="assistant", status="in_progress", content=())),
        Grew(1, "It freezes"),
        Annotated(1, FileCitation(file_id="file-1", filename="sea.txt", index=10)),
        Grew(1, "."),
        Closed(
            1,
            Message(
                id="msg_2",
                role="assistant",
                content=(OutputText("It freezes.", (FileCitation(file_id="file-1", filename="sea.txt", index=10),)),),
            ),
        ),
        Ended(status="completed", usage=USAGE + USAGE),
    ]
    assert story.asked == [((search(),), Choice("auto", (FILE_SEARCH,)), 2)]


def test_a_search_that_is_settled_comes_before_the_model_is_asked() -> None:
    story = Story([Text("It freezes."), END])
    told = story.tell(first="ice")
    assert story.searched == [("ice",)] and len(story.prompts) == 1
    assert told[:4] == [
        Opened(0, search("in_progress")),
        Moved(0, "searching"),
        Moved(0, "completed"),
        Closed(0, search()),
    ]
    assert told[-1] == Ended(status="completed", usage=USAGE)
    again = Story([Text("It freezes."), END])
    assert again.tell(before=told[:4], first="ice")[-1] == told[-1]
    assert again.searched == []


def test_the_marks_of_a_model_that_is_not_trusted_are_left_out_and_its_text_compared() -> None:
    story = Story([*calls("ice"), END], [Text("【1】 The harbour freezes. I hope this helps. "), END])
    told = story.tell(trust=False)
    assert [event for event in told if isinstance(event, Annotated)] == [
        Annotated(1, FileCitation(file_id="file-1", filename="sea.txt", index=21))
    ]


def test_what_was_thought_and_said_before_a_search_is_read_again() -> None:
    story = Story([Thought("Hm"), Text("Wait."), *calls("ice"), END], [Text("So."), END])
    kinds = [type(item).__name__ for item in story.asked[0][0]] if story.tell() else []
    assert kinds == ["Reasoning", "Message", "FileSearchCall"]


def test_two_searches_of_one_turn_follow_each_other() -> None:
    story = Story([*calls("ice"), *calls("snow"), END], [Text("So."), END])
    closed = [event.item for event in story.tell() if isinstance(event, Closed)]
    assert [type(item) for item in closed] == [FileSearchCall, FileSearchCall, Message]
    assert story.searched == [("ice",), ("snow",)]


def test_after_the_last_search_that_is_allowed_the_model_must_answer() -> None:
    story = Story([*calls("ice"), END], [*calls("snow"), END], [Text("never"), END])
    assert story.tell(most=1)[-1] == Ended(status="completed", usage=USAGE + USAGE)
    assert story.searched == [("ice",)]
    assert [choice for _, choice, _ in story.asked] == [Choice("none")]


def test_a_search_that_was_made_already_is_not_made_again() -> None:
    story = Story([*calls("ice"), END], [*calls("ice"), END], [Text("So."), END])
    story.tell()
    assert story.searched == [("ice",)]
    assert [choice.mode for _, choice, _ in story.asked] == ["auto", "none"]


@pytest.mark.parametrize("fault", [EngineBusy("busy"), EngineFailed("broken")])
def test_a_search_that_fails_is_told_and_the_run_goes_on(fault: Exception) -> None:
    story = Story([*calls("ice"), END], [Text("Sorry."), END], fault=fault)
    events = story.tell()
    assert events[:3] == [Opened(0, search("in_progress")), Moved(0, "searching"), Closed(0, search("failed"))]
    assert isinstance(events[-1], Ended)
    assert events[-1].status == "completed"


def test_a_bug_in_the_search_ends_the_run_as_failed() -> None:
    events = Story([*calls("ice"), END], fault=ValueError("bug")).tell()
    assert events[-2] == Closed(0, search("incomplete"))
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.status == "failed"
    assert isinstance(ended.error, EngineFailed)


def test_arguments_that_are_none_end_the_run_as_failed() -> None:
    ended = Story([CallStart(FILE_SEARCH), CallArgs('{"q":1}'), END]).tell()[-1]
    assert isinstance(ended, Ended)
    assert ended.status == "failed"


def test_a_call_of_the_client_ends_the_run_after_the_search() -> None:
    story = Story([*calls("ice"), CallStart("add"), CallArgs("{}"), END])
    closed = [event.item for event in story.tell() if isinstance(event, Closed)]
    assert [type(item) for item in closed] == [FunctionCall, FileSearchCall]
    assert story.asked == []


def test_a_call_that_is_cut_short_is_no_call() -> None:
    story = Story([*calls("ice"), Stop("length", USAGE)])
    ended = story.tell()[-1]
    assert ended == Ended(status="incomplete", usage=USAGE, reason="max_output_tokens")
    assert story.searched == []


def test_the_limit_of_tokens_is_for_all_turns() -> None:
    story = Story([*calls("ice"), END])
    assert story.tell(most_tokens=2)[-1] == Ended(status="incomplete", usage=USAGE, reason="max_output_tokens")
    assert story.searched == [("ice",)]


def test_an_answer_that_names_no_source_is_compared_with_them() -> None:
    story = Story([*calls("ice"), END], [Text("The harbour freezes every winter. Nice."), END])
    notes = [event for event in story.tell() if isinstance(event, Annotated)]
    assert notes == [Annotated(1, FileCitation(file_id="file-1", filename="sea.txt", index=33))]


def test_a_mark_that_is_held_back_when_the_answer_ends_is_text() -> None:
    story = Story([*calls("ice"), END], [Text("See [1"), END])
    assert "".join(event.delta for event in story.tell() if isinstance(event, Grew)) == "See [1"


def test_a_run_that_searched_before_goes_on_after_it() -> None:
    opened = Opened(1, Message(id="msg_0", role="assistant", status="in_progress", content=()))
    before = [Opened(0, search("in_progress")), Moved(0, "searching"), Closed(0, search()), opened, Grew(1, "It ")]
    story = Story([Text("freezes 【1】"), END])
    events = story.tell(before=before)
    assert story.searched == []
    assert story.asked == [((search(),), Choice("auto", (FILE_SEARCH,)), 0)]
    assert story.prompts[0].begun.said == ("It ",)
    assert events[-2] == Closed(
        1,
        Message(
            id="msg_0",
            role="assistant",
            content=(OutputText("It freezes", (FileCitation(file_id="file-1", filename="sea.txt", index=10),)),),
        ),
    )

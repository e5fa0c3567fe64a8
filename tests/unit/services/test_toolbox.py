import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from freehold.core.errors import NotFound, Unsupported
from freehold.core.items import FileResult
from freehold.core.principal import Principal
from freehold.core.prompt import Ask, FileSearching
from freehold.services.search import Hit
from freehold.services.toolbox import NoTools, Toolbox

WHO = Principal("proj_1", "key_1")
SEARCH = FileSearching(stores=("vs_1", "vs_2"), path="tools[0].vector_store_ids", most=3, calls=1)
ASK = Ask(model=None, items=(), search=SEARCH)
HIT = Hit(store="vs_1", file_id="f", filename="a.txt", score=0.5, attributes={"year": 2024}, text="ice", page=None)


class Searched:
    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def find(self, *asked: Any) -> Sequence[Hit]:
        self.asked.append(asked)
        return [HIT]


def toolbox(*known: str) -> tuple[Toolbox, Searched]:
    async def knows(project: str, ids: Sequence[str]) -> Collection[str]:
        assert project == WHO.project
        return {one for one in ids if one in known}

    searched: Any = Searched()
    return Toolbox(searched, knows), searched


def test_a_search_is_of_the_project_and_of_what_was_asked_for() -> None:
    box, searched = toolbox("vs_1", "vs_2")
    asyncio.run(box.check(WHO, ASK))
    tool = box.tools(WHO, ASK)["file_search"]
    done = asyncio.run(tool.carry_out(tool.begin("fs_1", '{"queries": ["a", "b"]}')))
    assert done.results == (
        FileResult(attributes={"year": 2024}, file_id="f", filename="a.txt", score=0.5, text="ice"),
    )
    assert searched.asked == [(WHO, ("vs_1", "vs_2"), ("a", "b"), None, None, 3, False)]


def test_a_store_that_the_project_does_not_have_is_named() -> None:
    with pytest.raises(NotFound, match="vs_2") as found:
        asyncio.run(toolbox("vs_1")[0].check(WHO, ASK))
    assert found.value.param == "tools[0].vector_store_ids[1]"


def test_there_are_no_tools_where_none_are_asked_for() -> None:
    ask = Ask(model=None, items=())
    asyncio.run(toolbox()[0].check(WHO, ask))
    assert toolbox()[0].tools(WHO, ask) == {}
    assert NoTools().tools(WHO, ASK) == {}


def test_a_server_that_cannot_search_refuses_the_tool() -> None:
    asyncio.run(NoTools().check(WHO, Ask(model=None, items=())))
    with pytest.raises(Unsupported) as found:
        asyncio.run(NoTools().check(WHO, ASK))
    assert found.value.param == "tools[0].type"

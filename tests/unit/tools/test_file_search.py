import asyncio
from collections.abc import Sequence

import pytest

from freehold.core.errors import EngineFailed
from freehold.core.items import FileResult, FileSearchCall
from freehold.tools.file_search import FileSearch

FOUND = FileResult(file_id="file-1", filename="a.txt", score=0.5, text="ice")


async def find(queries: Sequence[str]) -> Sequence[FileResult]:
    return [FOUND for _ in queries]


def test_a_call_begins_with_its_queries_each_once_and_at_most_four() -> None:
    call = FileSearch(find).begin("fs_1", '{"queries": [" a ", "a", "", "b", "c", "d", "e"]}')
    assert call == FileSearchCall(id="fs_1", status="in_progress", queries=("a", "b", "c", "d"))


@pytest.mark.parametrize("arguments", ["", "{}", '{"queries": []}', '{"queries": "a"}', '{"queries": [1]}'])
def test_arguments_without_a_query_are_the_models_fault(arguments: str) -> None:
    with pytest.raises(EngineFailed, match="file_search"):
        FileSearch(find).begin("fs_1", arguments)


def test_what_is_found_is_in_the_call() -> None:
    call = FileSearchCall(id="fs_1", status="in_progress", queries=("a",))
    done = asyncio.run(FileSearch(find).carry_out(call))
    assert done == FileSearchCall(id="fs_1", status="completed", queries=("a",), results=(FOUND,))


def test_nothing_is_searched_for_without_a_query() -> None:
    done = asyncio.run(FileSearch(find).carry_out(FileSearchCall(id="fs_1", status="in_progress", queries=())))
    assert done.results == ()

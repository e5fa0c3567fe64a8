from typing import Any

import pytest

from freehold.core.errors import Invalid
from freehold.core.filters import Filter
from freehold.core.prompt import Choice, FileSearching
from freehold.surfaces.responses.request import ResponseBody, parse
from freehold.surfaces.responses.searching import SEARCH, parse_search, shown_search
from freehold.surfaces.vector_stores import RankingOptions

TOOL: dict[str, Any] = {"type": "file_search", "vector_store_ids": ["vs_1"]}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}}


def test_the_tool_is_a_function_for_the_model_and_a_place_to_search() -> None:
    ask = parse(ResponseBody(input="Hi", tools=[ADD, TOOL], max_tool_calls=2))
    assert [one.name for one in ask.functions] == ["add", "file_search"]
    assert ask.functions[1] is SEARCH
    assert ask.search == FileSearching(stores=("vs_1",), path="tools[1].vector_store_ids", most=20, calls=2, usual=True)


def test_every_option_is_read() -> None:
    filters = {"type": "and", "filters": [{"type": "eq", "key": "year", "value": 2024}]}
    options = {"ranker": "auto", "score_threshold": 0.2}
    found = parse_search([{**TOOL, "max_num_results": 5, "filters": filters, "ranking_options": options}], None)
    assert found is not None
    assert (found.most, found.calls, found.usual) == (5, None, False)
    assert found.filters == Filter(type="and", filters=(Filter(type="eq", key="year", value=2024),))
    assert found.ranking == RankingOptions(ranker="auto", score_threshold=0.2)


def test_without_the_tool_nothing_is_searched() -> None:
    assert parse_search(None, None) is None
    assert parse_search([ADD], 3) is None


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"vector_store_ids": []}, "tools[0].vector_store_ids"),
        ({"vector_store_ids": ["a", "b", "c"]}, "tools[0].vector_store_ids"),
        ({"vector_store_ids": "a"}, "tools[0].vector_store_ids"),
        ({"max_num_results": 0}, "tools[0].max_num_results"),
        ({"max_num_results": 51}, "tools[0].max_num_results"),
        ({"filters": {"type": "eq", "key": "a"}}, "tools[0].filters.value"),
        ({"filters": {"type": "like", "key": "a", "value": "b"}}, "tools[0].filters.type"),
        ({"ranking_options": {"score_threshold": 2}}, "tools[0].ranking_options.score_threshold"),
        ({"more": 1}, "tools[0].more"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as found:
        parse(ResponseBody(input="Hi", tools=[{**TOOL, **change}]))
    assert found.value.param == param


def test_two_of_it_are_refused() -> None:
    with pytest.raises(Invalid, match="Duplicate"):
        parse(ResponseBody(input="Hi", tools=[TOOL, TOOL]))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "file_search"}, Choice("required", ("file_search",))),
        ("required", Choice("required")),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "file_search"}]},
            Choice("auto", ("file_search",)),
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "add"}]},
            Choice("auto", ("add",)),
        ),
    ],
)
def test_it_can_be_chosen(given: Any, wanted: Choice) -> None:
    assert parse(ResponseBody(input="Hi", tools=[ADD, TOOL], tool_choice=given)).choice == wanted


def test_it_cannot_be_chosen_where_it_is_not_offered() -> None:
    with pytest.raises(Invalid) as found:
        parse(ResponseBody(input="Hi", tools=[ADD], tool_choice={"type": "file_search"}))
    assert found.value.param == "tool_choice"


def test_it_is_shown_with_what_holds() -> None:
    assert shown_search(TOOL) == {
        **TOOL,
        "filters": None,
        "max_num_results": 20,
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
    }

"""Filters: what is refused, and where in the body it is."""

from typing import Any

import msgspec
import pytest

from freehold.core.errors import Invalid
from freehold.core.filters import Filter
from freehold.surfaces.decode import Decoder
from freehold.surfaces.filters import DEEPEST, MOST, MOST_VALUES, check
from freehold.surfaces.vector_stores import SearchBody

ONE = {"type": "eq", "key": "k", "value": 1}
DECODER: Decoder[SearchBody] = Decoder(SearchBody)


def checked(given: Any) -> None:
    """Decode a filter as a search does, and check it."""
    body = DECODER(msgspec.json.encode({"query": "x", "filters": given}))
    assert body.filters is not None
    check(body.filters, "filters")


def nested(depth: int) -> dict[str, Any]:
    """A filter of so many levels."""
    return ONE if depth == 1 else {"type": "and", "filters": [nested(depth - 1)]}


def among(count: int) -> dict[str, Any]:
    """A comparison with so many values."""
    return {"type": "in", "key": "k", "value": list(range(count))}


@pytest.mark.parametrize(
    "given",
    [
        nested(DEEPEST),
        {"type": "or", "filters": [ONE] * (MOST - 1)},
        {"type": "or", "filters": [among(MOST_VALUES // 2), among(MOST_VALUES // 2)]},
        {"type": "nin", "key": "k", "value": []},
        {"type": "in", "key": "k", "value": ["a", 1, 1.5, True, -(2**63)]},
        {"type": "lte", "key": "k", "value": 2**63 - 1},
    ],
)
def test_what_makes_sense_passes(given: dict[str, Any]) -> None:
    checked(given)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (nested(DEEPEST + 1), "filters" + ".filters[0]" * DEEPEST),
        ({"type": "or", "filters": [ONE] * MOST}, "filters"),
        ({"type": "or", "filters": [among(MOST_VALUES // 2), among(MOST_VALUES // 2 + 1)]}, "filters"),
        (among(MOST_VALUES + 1), "filters.value"),
        ({"type": "and", "filters": []}, "filters.filters"),
        ({"type": "and"}, "filters.filters"),
        ({"type": "and", "filters": [ONE], "key": "k"}, "filters.key"),
        ({**ONE, "filters": [ONE]}, "filters.filters"),
        ({"type": "eq", "value": 1}, "filters.key"),
        ({"type": "eq", "key": "k"}, "filters.value"),
        ({"type": "eq", "key": "k", "value": [1]}, "filters.value"),
        ({"type": "in", "key": "k", "value": 1}, "filters.value"),
        ({"type": "gt", "key": "k", "value": "a"}, "filters.value"),
        ({"type": "gt", "key": "k", "value": True}, "filters.value"),
        ({"type": "eq", "key": "k", "value": 2**63}, "filters.value"),
        ({"type": "gt", "key": "k", "value": -(2**63) - 1}, "filters.value"),
        ({"type": "or", "filters": [ONE, {"type": "in", "key": "k", "value": [2**64]}]}, "filters.filters[1].value[0]"),
        ({"type": "like", "key": "k", "value": "a"}, "filters.type"),
    ],
)
def test_what_does_not_is_named(given: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked(given)
    assert caught.value.param == param


def test_a_number_may_be_too_large_for_json_too() -> None:
    with pytest.raises(Invalid) as caught:
        DECODER(b'{"query": "x", "filters": {"type": "gt", "key": "k", "value": 1e400}}')
    assert caught.value.param == "filters.value"


def test_the_path_is_that_of_whoever_asks() -> None:
    with pytest.raises(Invalid) as caught:
        check(Filter(type="eq", key="k"), "tools[0].filters")
    assert caught.value.param == "tools[0].filters.value"

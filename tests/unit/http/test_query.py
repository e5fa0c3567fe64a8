from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct
from starlette.requests import Request

from freehold.core.errors import Invalid
from freehold.http.query import read_query


class Query(Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"
    include: list[str] | None = None
    stream: bool | None = None


def read(query: str) -> Query:
    return read_query(Request({"type": "http", "query_string": query.encode(), "headers": []}), Query)


def test_values_are_read_as_their_types() -> None:
    assert read("limit=5&order=asc&stream=true") == Query(5, "asc", None, True)


@pytest.mark.parametrize("query", ["include=a&include=b", "include[]=a&include[]=b"])
def test_lists_are_read_in_both_spellings(query: str) -> None:
    assert read(query).include == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("limit=0", "limit", "integer_below_min_value"),
        ("limit=101", "limit", "integer_above_max_value"),
        ("limit=many", "limit", "invalid_type"),
        ("order=up", "order", "invalid_value"),
        ("page=2", "page", "unknown_parameter"),
    ],
)
def test_bad_values_name_their_parameter(query: str, param: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(query)
    assert (caught.value.param, caught.value.code) == (param, code)

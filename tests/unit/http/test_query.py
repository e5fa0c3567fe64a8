from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct
from starlette.requests import Request

from freehold.core.errors import Invalid
from freehold.http.query import read_query, refuse_query


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


class Filtered(Struct, forbid_unknown_fields=True):
    metadata: dict[str, Annotated[str, Meta(max_length=3)]] | None = None
    model: str | None = None


def read_filtered(query: str) -> Filtered:
    return read_query(Request({"type": "http", "query_string": query.encode(), "headers": []}), Filtered)


def test_objects_are_read_key_by_key() -> None:
    assert read_filtered("metadata[a]=1&metadata%5Bb c%5D=&model=m") == Filtered({"a": "1", "b c": ""}, "m")
    assert read_filtered("metadata[a[0]]=1") == Filtered({"a[0]": "1"})
    assert read_filtered("") == Filtered()


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("metadata=1", "metadata", "invalid_type"),
        ("metadata[]=1", "metadata", "invalid_type"),
        ("metadata[a=1", "metadata[a", "unknown_parameter"),
        ("metadata[a]=1&metadata=2", "metadata", "invalid_type"),
        ("metadata=2&metadata[a]=1", "metadata", "invalid_type"),
        ("metadata[a]=1234", "metadata", "string_above_max_length"),
        ("model[a]=1", "model[a]", "unknown_parameter"),
    ],
)
def test_objects_that_are_none_name_their_parameter(query: str, param: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_filtered(query)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_what_the_sdks_add_to_their_beta_resources_is_no_parameter() -> None:
    assert read("beta=true&limit=5") == Query(5)
    assert read("beta=true") == Query()
    with pytest.raises(Invalid) as caught:
        read("beta=false")
    assert (caught.value.param, caught.value.code) == ("beta", "unknown_parameter")


def test_where_there_is_no_query_none_is_taken() -> None:
    for query in ("", "beta=true"):
        refuse_query(Request({"type": "http", "query_string": query.encode(), "headers": []}))
    with pytest.raises(Invalid) as caught:
        refuse_query(Request({"type": "http", "query_string": b"beta=true&a=1&b=2", "headers": []}))
    assert (caught.value.param, caught.value.code) == ("a", "unknown_parameter")

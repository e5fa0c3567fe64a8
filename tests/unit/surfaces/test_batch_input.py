"""What is wrong with the lines of a batch's input, and which of their prompts begin alike."""

import json
from itertools import pairwise
from typing import Any

import pytest

from freehold.surfaces import batch_input
from freehold.surfaces.batch_input import Accepted, Inspection
from freehold.surfaces.batches import BatchError
from freehold.surfaces.jsonl import Line

CHAT = "/v1/chat/completions"


def line(number: int, text: str | bytes | None) -> Line:
    encoded = text.encode() if isinstance(text, str) else text
    return Line(number, 0, len(encoded or b""), encoded)


def request(custom_id: Any = "a", body: Any = None, **more: Any) -> str:
    given = {"model": "m", "messages": []} if body is None else body
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": given, **more})


def looked(text: str | bytes | None) -> Accepted | BatchError:
    return Inspection(CHAT, 1000).look(line(7, text))


def test_a_good_line_is_accepted() -> None:
    inspection = Inspection(CHAT, 1000)
    found = inspection.look(line(1, request("line 1")))
    assert isinstance(found, Accepted)
    assert found.custom_id == "line 1"
    assert (inspection.count, inspection.model) == (1, "m")


BAD: list[tuple[str | bytes | None, str, str | None, str]] = [
    (None, "line_too_long", None, "This line has more than 1000 bytes."),
    ("{", "invalid_json_line", None, "This line is not parseable as valid JSON."),
    ("not json", "invalid_json_line", None, "This line is not parseable as valid JSON."),
    (request() + request(), "invalid_json_line", None, "This line is not parseable as valid JSON."),
    ('{"body":' + "[" * 100_000, "invalid_json_line", None, "This line is not parseable as valid JSON."),
    (request("\ud800"), "invalid_json_line", None, "This line is not parseable as valid JSON."),
    (b'{"custom_id":"\xe9"}', "invalid_json_line", None, "This line is not valid UTF-8."),
    (request().encode("utf-16"), "invalid_json_line", None, "This line is not valid UTF-8."),
    ("5", "invalid_type", None, "Invalid body: expected an object, but got an integer instead."),
    ("{}", "missing_required_parameter", "custom_id", "Missing required parameter: 'custom_id'."),
    ('{"custom_id":"a"}', "missing_required_parameter", "method", "Missing required parameter: 'method'."),
    (request(wish=1), "unknown_parameter", "wish", "Unknown parameter: 'wish'."),
    (request(7), "invalid_type", "custom_id", "Invalid type for 'custom_id': expected a string, but got an integer"),
    (request(""), "string_below_min_length", "custom_id", "Invalid 'custom_id': string too short."),
    (request("a" * 513), "string_above_max_length", "custom_id", "Invalid 'custom_id': string too long."),
    (request("a\x00"), "invalid_value", "custom_id", "Invalid 'custom_id': it contains a null character."),
    (request(method="GET"), "invalid_method", "method", "only 'POST' is supported"),
    (request(url="/v1/responses"), "invalid_url", "url", "the endpoint of the batch, which is '/v1/chat/completions'"),
    (request(url=CHAT + "/"), "invalid_url", "url", "the endpoint of the batch"),
    (request(body=[]), "invalid_type", "body", "Invalid type for 'body': expected an object, but got an array"),
    (request(body={"model": 5}), "invalid_type", "body.model", "Invalid type for 'body.model': expected a string"),
    (request(body={"stream": True}), "unsupported_parameter", "body.stream", "'stream' is not supported in a batch"),
    (request(body={"background": True}), "unsupported_parameter", "body.background", "is not supported in a batch"),
]


@pytest.mark.parametrize(("text", "code", "param", "message"), BAD)
def test_a_bad_line_is_told_with_its_number(
    text: str | bytes | None, code: str, param: str | None, message: str
) -> None:
    found = looked(text)
    assert isinstance(found, BatchError)
    assert (found.code, found.param, found.line) == (code, param, 7)
    assert message in found.message


def test_a_custom_id_is_unique() -> None:
    inspection = Inspection(CHAT, 1000)
    assert isinstance(inspection.look(line(1, request("a"))), Accepted)
    assert isinstance(inspection.look(line(2, request("b"))), Accepted)
    found = inspection.look(line(3, request("a")))
    assert found == BatchError(
        code="duplicate_custom_id",
        message="The custom_id 'a' is a duplicate of that on line 1: each must be unique in the batch.",
        param="custom_id",
        line=3,
    )


@pytest.mark.parametrize("other", [{"model": "n"}, {}, {"model": None}])
def test_a_batch_has_a_single_model(other: dict[str, Any]) -> None:
    inspection = Inspection(CHAT, 1000)
    assert isinstance(inspection.look(line(1, request("a"))), Accepted)
    found = inspection.look(line(2, request("b", other)))
    assert isinstance(found, BatchError)
    assert (found.code, found.param) == ("mismatched_model", "body.model")
    assert isinstance(inspection.look(line(3, request("c"))), Accepted)


def test_a_line_that_is_refused_does_not_choose_the_model() -> None:
    inspection = Inspection(CHAT, 1000)
    assert isinstance(inspection.look(line(1, request("a", {"model": "n", "stream": True}))), BatchError)
    assert isinstance(inspection.look(line(2, request("a"))), Accepted)
    assert inspection.model == "m"


def test_there_are_so_many_requests_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_input, "MOST_REQUESTS", 2)
    inspection = Inspection(CHAT, 1000)
    codes = [getattr(inspection.look(line(number, request(str(number)))), "code", None) for number in range(3)]
    assert codes == [None, None, "too_many_tasks"]


def prefix(body: dict[str, Any]) -> bytes:
    found = Inspection(CHAT, 10**6).look(line(1, request(body=body)))
    assert isinstance(found, Accepted)
    return found.prefix


def test_prompts_that_begin_alike_sort_together() -> None:
    def chat(system: str, user: str) -> bytes:
        return prefix({"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]})

    cats, dogs = "You know cats. " * 100, "You know cats. " * 20 + "You know dogs." * 80
    given = {
        f"{name}{number}": chat(system, f"{number} " * 9)
        for number in range(9)
        for name, system in (("cats", cats), ("dogs", dogs), ("birds", "You know birds." * 90))
    }
    order = sorted(given, key=lambda name: given[name])
    kinds = [name.rstrip("0123456789") for name in order]
    assert len([one for one, following in pairwise(kinds) if one != following]) == 2
    assert kinds.index("birds") in (0, 18)  # cats and dogs share more with each other


def test_the_whole_beginning_counts_and_the_rest_does_not() -> None:
    body = {"instructions": "Be kind.", "input": "Hi"}
    assert prefix(body) == prefix({**body, "temperature": 1}) == prefix(dict(reversed(body.items())))
    assert prefix(body) != prefix({**body, "instructions": "Be kind!"})
    assert prefix(body) != prefix({**body, "tools": []})
    assert len(prefix(body)) == len(prefix({"input": "long " * 9_999})) == 20
